// A backup that runs unattended, as one TOML file. docs/operating/profiles.md describes every key.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/commands.h"

namespace holdfast::cli {

// What is run beside the backup: a program and its arguments each, empty if none is.
struct Hooks {
  std::vector<std::string> before;   // the backup runs only if it succeeds
  std::vector<std::string> after;    // once a snapshot was made
  std::vector<std::string> failure;  // else
  Duration timeout = std::chrono::seconds(600);
};

struct Profile {
  AccessOptions access;
  BackupOptions backup;
  VerifyCommandOptions verify;
  Hooks hooks;
  Duration retry = std::chrono::seconds(300);  // for a repository that cannot be reached yet
  std::string receipt;                         // empty: see receipt_path()
  std::string metrics_textfile;                // empty: none
};

// "home" is /etc/holdfast/home.toml; what has a '/' or ends with ".toml" is a file's path.
std::string profile_path(const std::string& name);
// What it is called in messages, metrics and hooks: the file's name without ".toml".
std::string profile_name(const std::string& name);

// kInvalidArgument naming the file and the line: for what is no TOML, for a key that there is not
// (with the nearest that there is), for a value of another type; and naming the file where nothing
// says what to save. The repository may come from elsewhere.
Result<Profile> parse_profile(std::string_view text, const std::string& path);

// Of `words` the one that takes the fewest changes of single characters to become; empty if none is
// near.
std::string nearest_word(std::string_view word, const std::vector<std::string>& words);

}  // namespace holdfast::cli
