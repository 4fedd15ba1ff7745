#include "cli/profile.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>

#include "common/base/text.h"

namespace holdfast::cli {
namespace {

using Take = std::function<Status(const toml::node&)>;

Error wrong(const toml::node& node, const std::string& path, std::string_view what) {
  return Error(Code::kInvalidArgument,
               fmt::format("{}, line {}: {}", path, node.source().begin.line, what));
}

class ProfileParser {
 public:
  ProfileParser(Profile& profile, const std::string& path) : path_(path) {
    text("repository", profile.access.repository);
    text("passphrase_file", profile.access.passphrase.file);
    text("passphrase_command", profile.access.passphrase.command);
    seconds("lock_wait_s", profile.access.lock_wait);
    text("host", profile.backup.host);
    texts("paths", profile.backup.paths);
    texts("tags", profile.backup.tags);
    texts("exclude", profile.backup.excludes);
    texts("exclude_files", profile.backup.exclude_files);
    flag("exclude_caches", profile.backup.exclude_caches);
    flag("one_file_system", profile.backup.one_file_system);
  }

  Status parse(const toml::table& table) const {
    for (const auto& [key, value] : table) {
      const auto taker = takers_.find(std::string(key.str()));
      if (taker == takers_.end()) return unknown(std::string(key.str()), value);
      HOLDFAST_TRY(taker->second(value));
    }
    return {};
  }

 private:
  Error unknown(const std::string& key, const toml::node& value) const {
    std::vector<std::string> known;
    known.reserve(takers_.size());
    for (const auto& [name, take] : takers_) known.push_back(name);
    const std::string near = nearest_word(key, known);
    return wrong(value, path_,
                 fmt::format("there is no key \"{}\"{}", printable(key),
                             near.empty() ? "" : fmt::format("; did you mean \"{}\"?", near)));
  }
  void text(const std::string& key, std::string& to) {
    takers_[key] = [this, key, &to](const toml::node& node) -> Status {
      const auto value = node.value_exact<std::string>();
      if (!value || value->empty()) return wrong(node, path_, key + " is a text in quotes");
      to = *value;
      return {};
    };
  }
  void texts(const std::string& key, std::vector<std::string>& to) {
    takers_[key] = [this, key, &to](const toml::node& node) -> Status {
      const toml::array* const array = node.as_array();
      if (array == nullptr) return wrong(node, path_, key + " is a list: [\"...\", \"...\"]");
      for (const toml::node& one : *array) {
        const auto value = one.value_exact<std::string>();
        if (!value || value->empty())
          return wrong(one, path_, key + " is a list of texts in quotes");
        to.push_back(*value);
      }
      return {};
    };
  }
  void flag(const std::string& key, bool& to) {
    takers_[key] = [this, key, &to](const toml::node& node) -> Status {
      const auto value = node.value_exact<bool>();
      if (!value) return wrong(node, path_, key + " is true or false");
      to = *value;
      return {};
    };
  }
  void seconds(const std::string& key, Duration& to) {
    takers_[key] = [this, key, &to](const toml::node& node) -> Status {
      const auto value = node.value_exact<std::int64_t>();
      if (!value || *value < 0 || *value > 1'000'000)
        return wrong(node, path_, key + " is a number of seconds up to 1000000");
      to = std::chrono::seconds(*value);
      return {};
    };
  }

  const std::string path_;
  std::map<std::string, Take> takers_;
};

}  // namespace

std::string profile_path(const std::string& name) {
  if (name.find('/') != std::string::npos || name.ends_with(".toml")) return name;
  return "/etc/holdfast/" + name + ".toml";
}

Result<Profile> parse_profile(std::string_view text, const std::string& path) {
  Profile profile;
  profile.access.lock_wait = std::chrono::hours(1);  // nobody sits and waits
  try {
    HOLDFAST_TRY(ProfileParser(profile, path).parse(toml::parse(text)));
  } catch (const toml::parse_error& error) {
    return Error(Code::kInvalidArgument,
                 fmt::format("{}, line {}: {}", path, error.source().begin.line,
                             printable(error.description())));
  }
  if (profile.access.repository.empty())
    return Error(Code::kInvalidArgument, fmt::format("{}: repository = \"...\" is missing", path));
  if (profile.backup.paths.empty())
    return Error(Code::kInvalidArgument, fmt::format("{}: paths = [\"...\"] is missing", path));
  for (const std::string& source : profile.backup.paths)
    if (!source.starts_with('/'))
      return Error(Code::kInvalidArgument,
                   fmt::format("{}: the path \"{}\" is not absolute", path, printable(source)));
  return profile;
}

// The distance of Levenshtein, one row at a time.
std::string nearest_word(std::string_view word, const std::vector<std::string>& words) {
  std::string nearest;
  std::size_t least = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : words) {
    std::vector<std::size_t> row(candidate.size() + 1);
    std::iota(row.begin(), row.end(), 0);
    for (std::size_t i = 0; i < word.size(); ++i) {
      std::size_t diagonal = row[0];
      row[0] = i + 1;
      for (std::size_t j = 0; j < candidate.size(); ++j) {
        const std::size_t replaced = diagonal + (word[i] != candidate[j] ? 1 : 0);
        diagonal = row[j + 1];
        row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
      }
    }
    if (row.back() < least) {
      least = row.back();
      nearest = candidate;
    }
  }
  return nearest;
}

}  // namespace holdfast::cli
