#include "agent/posix/account_names.h"

#include <grp.h>
#include <pwd.h>

#include <cerrno>
#include <mutex>
#include <vector>

namespace holdfast::agent {
namespace {

constexpr std::size_t kFirstBuffer = 1024;
constexpr std::size_t kLargestBuffer = std::size_t{16} << 20;  // a group of very many members

// The name by getpwuid_r or getgrgid_r, with a buffer that grows until the record fits.
template <typename Record, typename Call, typename Name>
std::string ask_system(Call call, Name name) {
  Record record{};
  Record* found = nullptr;
  std::vector<char> buffer(kFirstBuffer);
  for (;;) {
    const int status = call(&record, buffer.data(), buffer.size(), &found);
    if (status == EINTR) continue;
    if (status != ERANGE || buffer.size() >= kLargestBuffer) break;
    buffer.resize(buffer.size() * 4);
  }
  return found != nullptr ? std::string(name(*found)) : std::string();
}

}  // namespace

template <typename Ask>
std::string AccountNames::find(Names& names, std::uint32_t id, Ask ask) {
  {
    const std::shared_lock lock(mutex_);
    if (const auto known = names.find(id); known != names.end()) return known->second;
  }
  std::string name = ask();  // without the lock: it may ask a server
  const std::unique_lock lock(mutex_);
  return names.try_emplace(id, std::move(name)).first->second;
}

std::string AccountNames::user(std::uint32_t uid) {
  return find(users_, uid, [uid] {
    return ask_system<struct ::passwd>(
        [uid](struct ::passwd* record, char* buffer, std::size_t size, struct ::passwd** found) {
          return ::getpwuid_r(uid, record, buffer, size, found);
        },
        [](const struct ::passwd& record) { return record.pw_name; });
  });
}

std::string AccountNames::group(std::uint32_t gid) {
  return find(groups_, gid, [gid] {
    return ask_system<struct ::group>(
        [gid](struct ::group* record, char* buffer, std::size_t size, struct ::group** found) {
          return ::getgrgid_r(gid, record, buffer, size, found);
        },
        [](const struct ::group& record) { return record.gr_name; });
  });
}

}  // namespace holdfast::agent
