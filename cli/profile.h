// A backup that runs unattended, as one TOML file:
//
//   repository = "/etc/holdfast/laptop.credential"      required
//   paths = ["/home", "/etc"]                           required
//   exclude = ["*.tmp", "/home/*/.cache"]
//   exclude_files = ["/etc/holdfast/exclude"]
//   exclude_caches = true
//   one_file_system = true
//   tags = ["daily"]
//   host = "laptop"
//   passphrase_file = "/etc/holdfast/passphrase"        only for a directory as repository
//   passphrase_command = "systemd-creds cat passphrase"
//   lock_wait_s = 3600
#pragma once

#include <string>

#include "cli/commands.h"

namespace holdfast::cli {

struct Profile {
  AccessOptions access;
  BackupOptions backup;
};

// "home" is /etc/holdfast/home.toml; what has a '/' or ends with ".toml" is a file's path.
std::string profile_path(const std::string& name);

// kInvalidArgument naming the file and the line: for what is no TOML, for a key that there is not
// (with the nearest that there is), for a value of another type and for what is missing.
Result<Profile> parse_profile(std::string_view text, const std::string& path);

// Of `words` the one that takes the fewest changes of single characters to become; empty if none is
// near.
std::string nearest_word(std::string_view word, const std::vector<std::string>& words);

}  // namespace holdfast::cli
