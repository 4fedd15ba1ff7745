// holdfast-agent: runs a profile's backup unattended, as its systemd units do.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "cli/command_line.h"
#include "cli/profile.h"
#include "common/base/text.h"

namespace holdfast::cli {
namespace {

constexpr std::size_t kMaxProfile = 1 << 20;

Result<Profile> read_profile(FileSystem& files, const std::string& name) {
  const std::string path = profile_path(name);
  auto text = read_file(files, path, kMaxProfile);
  if (!text) return std::move(text).error().with_context("profile");
  return parse_profile(as_text(*text), path);
}

Result<int> run_profile(Session& session, const std::string& name) {
  HOLDFAST_ASSIGN(Profile profile, read_profile(session.work.files, name));
  session.access = profile.access;
  return backup(session, profile.backup);
}

// Everything that can be known without changing anything: the profile, the sources and patterns,
// and that the repository can be reached and written to.
Result<int> check_profile(Session& session, const std::string& name) {
  HOLDFAST_ASSIGN(Profile profile, read_profile(session.work.files, name));
  profile.backup.dry_run = true;
  session.access = profile.access;
  HOLDFAST_ASSIGN(const int code, backup(session, profile.backup));
  session.output.line(fmt::format("{}: {} paths to {}", profile_path(name),
                                  profile.backup.paths.size(),
                                  printable(profile.access.repository)));
  return code;
}

int run(int argc, char** argv) {
  Output output("holdfast-agent");
  CLI::App app("Runs the backup that a profile describes.", "holdfast-agent");
  app.set_version_flag("--version", "holdfast-agent " HOLDFAST_VERSION);
  app.require_subcommand(1);
  app.footer(kExitCodeHelp);
  std::string profile;
  bool quiet = false;
  const auto add = [&](const char* name, const char* what) {
    CLI::App* const command = app.add_subcommand(name, what);
    command->add_option("PROFILE", profile, "A file, or NAME for /etc/holdfast/NAME.toml")
        ->required();
    command->add_flag("--json", output.json, "One JSON object a line instead of text");
    command->add_flag("-q,--quiet", quiet, "Only results, warnings and errors");
    return command;
  };
  const CLI::App* const run_it = add("run", "Back up once");
  add("check", "Say whether the profile would work, and what it would read");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kUsage;
  }
  if (quiet) output.verbosity = 0;
  Workplace work;
  Session session{work, output, {}};
  const bool running = run_it->parsed();
  return run_command(session, [&](Session& its) {
    return running ? run_profile(its, profile) : check_profile(its, profile);
  });
}

}  // namespace
}  // namespace holdfast::cli

int main(int argc, char** argv) {
  try {
    return holdfast::cli::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "holdfast-agent: %s\n", error.what());
    return holdfast::cli::kFailed;
  }
}
