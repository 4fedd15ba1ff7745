#include "cli/profile.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <numeric>

#include "common/base/byte_size.h"
#include "common/base/text.h"
#include "common/posix/child_process.h"

namespace holdfast::cli {
namespace {

using Take = std::function<Status(const toml::node&)>;

// The keys of one table, each with what its value has to be. `name` is the table's with a dot
// behind it, empty for the whole file.
class Keys {
 public:
  Keys(const std::string& path, std::string name) : path_(path), name_(std::move(name)) {}

  Status parse(const toml::table& table) const {
    for (const auto& [key, value] : table) {
      const auto taker = takers_.find(std::string(key.str()));
      if (taker == takers_.end()) return unknown(std::string(key.str()), key.source().begin.line);
      HOLDFAST_TRY(taker->second(value));
    }
    return {};
  }

  void text(const std::string& key, std::string& to) {
    takers_[key] = [this, key, &to](const toml::node& node) -> Status {
      const auto value = node.value_exact<std::string>();
      if (!value || value->empty()) return wrong(node, key, "is a text in quotes");
      to = *value;
      return {};
    };
  }
  // An absolute path: an unattended run has no working directory that means anything.
  void path(const std::string& key, std::string& to) {
    takers_[key] = [this, key, &to](const toml::node& node) -> Status {
      const auto value = node.value_exact<std::string>();
      if (!value || value->empty()) return wrong(node, key, "is a path in quotes");
      HOLDFAST_TRY(absolute(node, key, *value));
      to = *value;
      return {};
    };
  }
  void texts(const std::string& key, std::vector<std::string>& to) {
    takers_[key] = [this, key, &to](const toml::node& node) {
      return take_list(node, key, to, false);
    };
  }
  void paths(const std::string& key, std::vector<std::string>& to) {
    takers_[key] = [this, key, &to](const toml::node& node) {
      return take_list(node, key, to, true);
    };
  }
  // The words of a command, or a text for the shell.
  void command(const std::string& key, std::vector<std::string>& to) {
    takers_[key] = [this, key, &to](const toml::node& node) -> Status {
      if (const auto shell = node.value_exact<std::string>(); shell && !shell->empty()) {
        to = shell_command(*shell);
        return {};
      }
      if (node.as_array() == nullptr || node.as_array()->empty())
        return wrong(node, key,
                     "is a command: a list [\"PROGRAM\", \"ARGUMENT\"] or a text for the shell");
      return take_list(node, key, to, false);
    };
  }
  void flag(const std::string& key, bool& to) {
    takers_[key] = [this, key, &to](const toml::node& node) -> Status {
      const auto value = node.value_exact<bool>();
      if (!value) return wrong(node, key, "is true or false");
      to = *value;
      return {};
    };
  }
  void seconds(const std::string& key, Duration& to, std::int64_t least = 0) {
    takers_[key] = [this, key, &to, least](const toml::node& node) -> Status {
      HOLDFAST_ASSIGN(const std::int64_t value, number(node, key, "seconds", least, kMostSeconds));
      to = std::chrono::seconds(value);
      return {};
    };
  }
  void rate(const std::string& key, std::uint64_t& to) {
    takers_[key] = [this, key, &to](const toml::node& node) -> Status {
      HOLDFAST_ASSIGN(
          const std::int64_t value,
          number(node, key, "KiB a second", 0, static_cast<std::int64_t>(kMostKibPerSecond)));
      to = static_cast<std::uint64_t>(value);
      return {};
    };
  }
  void size(const std::string& key, std::string& to) {
    takers_[key] = [this, key, &to](const toml::node& node) -> Status {
      if (const auto bytes = node.value_exact<std::int64_t>(); bytes && *bytes >= 0) {
        to = std::to_string(*bytes);
        return {};
      }
      const auto value = node.value_exact<std::string>();
      if (!value || !parse_byte_size(*value))
        return wrong(node, key, "is a size: 500 or \"20k\", \"10M\", \"4G\", \"1T\"");
      to = *value;
      return {};
    };
  }
  void table(const std::string& key, const Keys& keys) {
    takers_[key] = [this, key, &keys](const toml::node& node) -> Status {
      if (node.as_table() == nullptr) return wrong(node, key, "is a table: [" + key + "]");
      return keys.parse(*node.as_table());
    };
  }

 private:
  static constexpr std::int64_t kMostSeconds = 1'000'000;

  Error at_line(std::uint32_t line, std::string_view what) const {
    return Error(Code::kInvalidArgument, fmt::format("{}, line {}: {}", path_, line, what));
  }
  Error wrong(const toml::node& node, const std::string& key, std::string_view what) const {
    return at_line(node.source().begin.line, fmt::format("{}{} {}", name_, key, what));
  }
  Error unknown(const std::string& key, std::uint32_t line) const {
    std::vector<std::string> known;
    known.reserve(takers_.size());
    for (const auto& [name, take] : takers_) known.push_back(name);
    const std::string near = nearest_word(key, known);
    return at_line(line,
                   fmt::format("there is no key \"{}{}\"{}", name_, printable(key),
                               near.empty() ? "" : fmt::format("; did you mean \"{}\"?", near)));
  }
  Status absolute(const toml::node& node, const std::string& key, const std::string& path) const {
    if (path.starts_with('/')) return {};
    return wrong(node, key, fmt::format("holds \"{}\", which is not absolute", printable(path)));
  }
  Result<std::int64_t> number(const toml::node& node, const std::string& key, std::string_view of,
                              std::int64_t least, std::int64_t most) const {
    const auto value = node.value_exact<std::int64_t>();
    if (!value || *value < least || *value > most)
      return wrong(node, key, fmt::format("is a number of {} from {} to {}", of, least, most));
    return *value;
  }
  Status take_list(const toml::node& node, const std::string& key, std::vector<std::string>& to,
                   bool of_paths) const {
    const toml::array* const array = node.as_array();
    if (array == nullptr) return wrong(node, key, "is a list: [\"...\", \"...\"]");
    for (const toml::node& one : *array) {
      const auto value = one.value_exact<std::string>();
      if (!value || value->empty()) return wrong(one, key, "is a list of texts in quotes");
      if (of_paths) HOLDFAST_TRY(absolute(one, key, *value));
      to.push_back(*value);
    }
    return {};
  }

  const std::string path_, name_;
  std::map<std::string, Take> takers_;
};

void add_source_keys(Keys& keys, SourceOptions& source) {
  keys.paths("paths", source.paths);
  keys.paths("files_from", source.files_from);
  keys.paths("files_from0", source.files_from0);
  keys.texts("exclude", source.excludes);
  keys.texts("iexclude", source.excludes_in_any_case);
  keys.paths("exclude_files", source.exclude_files);
  keys.texts("exclude_if_present", source.exclude_if_present);
  keys.size("exclude_larger_than", source.exclude_larger_than);
  keys.flag("exclude_caches", source.exclude_caches);
  keys.flag("one_file_system", source.one_file_system);
  keys.command("stdin_from_command", source.stdin_command);
  keys.text("stdin_filename", source.stdin_filename);
}

void add_access_keys(Keys& keys, AccessOptions& access) {
  keys.path("repository", access.repository);
  keys.path("passphrase_file", access.passphrase.file);
  keys.text("passphrase_command", access.passphrase.command);
  keys.seconds("lock_wait_s", access.lock_wait);
  keys.rate("limit_upload_kib_s", access.upload_kib_s);
  keys.rate("limit_download_kib_s", access.download_kib_s);
}

Status parse_keys(const toml::table& table, const std::string& path, Profile& profile) {
  Keys hooks(path, "hooks.");
  hooks.command("before", profile.hooks.before);
  hooks.command("after", profile.hooks.after);
  hooks.command("failure", profile.hooks.failure);
  hooks.seconds("timeout_s", profile.hooks.timeout, 1);
  Keys verify(path, "verify.");
  verify.flag("read_data", profile.verify.read_data);
  verify.text("read_data_subset", profile.verify.subset);
  Keys keys(path, "");
  add_access_keys(keys, profile.access);
  add_source_keys(keys, profile.backup.source);
  keys.texts("tags", profile.backup.tags);
  keys.text("host", profile.backup.host);
  keys.seconds("retry_s", profile.retry);
  keys.path("receipt", profile.receipt);
  keys.path("metrics_textfile", profile.metrics_textfile);
  keys.table("hooks", hooks);
  keys.table("verify", verify);
  return keys.parse(table);
}

}  // namespace

std::string profile_path(const std::string& name) {
  if (name.find('/') != std::string::npos || name.ends_with(".toml")) return name;
  return "/etc/holdfast/" + name + ".toml";
}

std::string profile_name(const std::string& name) {
  return std::filesystem::path(profile_path(name)).stem().string();
}

Result<Profile> parse_profile(std::string_view text, const std::string& path) {
  Profile profile;
  profile.access.lock_wait = std::chrono::hours(1);  // nobody sits and waits
  profile.backup.source.absolute_only = true;
  try {
    HOLDFAST_TRY(parse_keys(toml::parse(text), path, profile));
  } catch (const toml::parse_error& error) {
    return Error(Code::kInvalidArgument,
                 fmt::format("{}, line {}: {}", path, error.source().begin.line,
                             printable(error.description())));
  }
  const SourceOptions& source = profile.backup.source;
  if (source.paths.empty() && source.files_from.empty() && source.files_from0.empty() &&
      !source.is_stream())
    return Error(Code::kInvalidArgument, fmt::format("{}: paths = [\"...\"] is missing", path));
  if (profile.verify.read_data && !profile.verify.subset.empty())
    return Error(Code::kInvalidArgument,
                 path + ": verify has read_data or read_data_subset, not both");
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
