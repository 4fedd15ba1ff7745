#include "cli/agent_command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

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

// Where the options land while the line is parsed.
struct AgentLine {
  std::string profile;
  bool quiet = false, json = false, runs = false;
};

void describe(CLI::App& app, AgentLine& line) {
  app.name("holdfast-agent");
  app.description("Runs the backup that a profile describes.");
  app.require_subcommand(1);
  app.footer(kExitCodeHelp);
  const auto add = [&](const char* name, const char* what) {
    CLI::App* const command = app.add_subcommand(name, what);
    command->add_option("PROFILE", line.profile, "A file, or NAME for /etc/holdfast/NAME.toml")
        ->required();
    command->add_flag("--json", line.json, "One JSON object a line instead of text");
    command->add_flag("-q,--quiet", line.quiet, "Only results, warnings and errors");
    return command;
  };
  add("run", "Back up once")->callback([&line] { line.runs = true; });
  add("check", "Say whether the profile would work, and what it would read");
}

}  // namespace

int run_agent_command_line(int argc, char** argv, Output& output, const char* version) {
  AgentLine line;
  CLI::App app;
  app.set_version_flag("--version", version);
  describe(app, line);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kUsage;
  }
  output.json = line.json;
  if (line.quiet) output.verbosity = 0;
  Workplace work;
  Session session{work, output, {}};
  return run_command(session, [&](Session& its) {
    return line.runs ? run_profile(its, line.profile) : check_profile(its, line.profile);
  });
}

void describe_agent_command_line(const std::function<void(const CLI::App&)>& visit) {
  AgentLine line;
  CLI::App app;
  app.set_version_flag("--version", "");
  describe(app, line);
  visit(app);
}

}  // namespace holdfast::cli
