// Names of users and groups by number, each asked of the system once. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <shared_mutex>
#include <string>

namespace holdfast::agent {

class AccountNames {
 public:
  // "" where the system knows no name.
  std::string user(std::uint32_t uid);
  std::string group(std::uint32_t gid);

 private:
  using Names = std::map<std::uint32_t, std::string>;
  template <typename Ask>
  std::string find(Names& names, std::uint32_t id, Ask ask);

  std::shared_mutex mutex_;
  Names users_, groups_;
};

}  // namespace holdfast::agent
