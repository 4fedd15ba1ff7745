#include "cli/agent_command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "cli/command_line.h"
#include "cli/profile.h"
#include "cli/profile_run.h"
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

// Where the options land while the line is parsed.
struct AgentLine {
  using Command = Result<int> (*)(Session&, const AgentLine&);

  std::string profile;
  bool quiet = false, json = false;
  ProfileOverrides overrides;
  Command command = nullptr;
};

Result<int> run_it(Session& session, const AgentLine& line) {
  const std::string path = profile_path(line.profile);
  HOLDFAST_ASSIGN(Profile profile, read_profile(session.work.files, line.profile));
  HOLDFAST_TRY(apply(line.overrides, path, profile));
  session.access = profile.access;
  if (profile.backup.dry_run) return backup(session, profile.backup);
  HOLDFAST_ASSIGN(const auto lock, lock_profile(session.work.files, path));
  return run_profile(session, path, profile);
}

void print(Output& output, const std::string& path, const Profile& profile) {
  const SourceOptions& source = profile.backup.source;
  const auto list = [&](std::string_view what, const std::vector<std::string>& texts) {
    for (const std::string& text : texts)
      output.line(fmt::format("{:<22}{}", what, printable(text)));
  };
  output.line(fmt::format("{:<22}{}", "profile", printable(path)));
  output.line(fmt::format("{:<22}{}", "repository", printable(profile.access.repository)));
  list("path", source.paths);
  list("paths from", source.files_from);
  list("paths from (NUL)", source.files_from0);
  if (!source.stdin_command.empty())
    output.line(fmt::format("{:<22}{}", "output of",
                            printable(fmt::format("{}", fmt::join(source.stdin_command, " ")))));
  list("exclude", source.excludes);
  list("exclude, any case", source.excludes_in_any_case);
  list("exclude by file", source.exclude_files);
  list("exclude if present", source.exclude_if_present);
  if (source.exclude_caches) output.line("exclude               caches (CACHEDIR.TAG)");
  if (!source.exclude_larger_than.empty())
    output.line(fmt::format("{:<22}{}", "exclude larger than", source.exclude_larger_than));
  if (source.one_file_system) output.line("one file system only");
}

// Everything that can be known without changing anything: the profile, the sources and patterns,
// and that the repository can be reached and written to.
Result<int> check_it(Session& session, const AgentLine& line) {
  const std::string path = profile_path(line.profile);
  HOLDFAST_ASSIGN(Profile profile, read_profile(session.work.files, line.profile));
  HOLDFAST_TRY(apply(line.overrides, path, profile));
  profile.backup.dry_run = true;
  session.access = profile.access;
  print(session.output, path, profile);
  return backup(session, profile.backup);
}

void add_overrides(CLI::App& command, ProfileOverrides& overrides) {
  command.add_option("-r,--repo", overrides.repository, "Instead of the profile's repository")
      ->envname("HOLDFAST_REPOSITORY")
      ->type_name("REPO");
  command
      .add_option("--passphrase-file", overrides.passphrase.file,
                  "A file whose first line is the passphrase")
      ->type_name("FILE");
  command
      .add_option("--passphrase-command", overrides.passphrase.command,
                  "A command whose first line of output is the passphrase")
      ->type_name("COMMAND");
  command.add_option("--tag", overrides.tags, "Instead of the profile's tags")->type_name("TAG");
  command.add_option("--host", overrides.host, "The host's name in the snapshot")
      ->type_name("HOST");
  const CLI::Range range(std::uint64_t{0}, kMostKibPerSecond);
  command.add_option("--limit-upload", overrides.upload_kib_s, "KiB a second (0: no limit)")
      ->type_name("RATE")
      ->check(range);
  command.add_option("--limit-download", overrides.download_kib_s, "KiB a second (0: no limit)")
      ->type_name("RATE")
      ->check(range);
}

// Each node's own examination of the profile's repository, as deep as the profile says.
Result<int> verify_it(Session& session, const AgentLine& line) {
  const std::string path = profile_path(line.profile);
  HOLDFAST_ASSIGN(Profile profile, read_profile(session.work.files, line.profile));
  HOLDFAST_TRY(apply(line.overrides, path, profile));
  session.access = profile.access;
  return verify(session, profile.verify);
}

void describe(CLI::App& app, AgentLine& line) {
  app.name("holdfast-agent");
  app.description("Runs the backup that a profile describes.");
  app.require_subcommand(1);
  app.fallthrough();
  app.footer(kExitCodeHelp);
  app.add_flag("--json", line.json, "One JSON object a line instead of text");
  app.add_flag("-q,--quiet", line.quiet, "Only results, warnings and errors");
  // Of the program, not of each command: the environment would be read for the other one, too.
  add_overrides(app, line.overrides);
  const auto add = [&](const char* name, const char* what, AgentLine::Command run) {
    CLI::App* const command = app.add_subcommand(name, what);
    command->add_option("PROFILE", line.profile, "A file, or NAME for /etc/holdfast/NAME.toml")
        ->required();
    command->callback([&line, run] { line.command = run; });
    return command;
  };
  add("run", "Back up once", &run_it)
      ->add_flag("-n,--dry-run", line.overrides.dry_run, "Only say what would be read; no hooks");
  add("check", "Say whether the profile would work, and what it would read", &check_it);
  add("verify", "See whether each node of the profile's repository is whole", &verify_it)
      ->callback([&line] {
        const ProfileOverrides& given = line.overrides;
        if (!given.tags.empty() || !given.host.empty() || given.upload_kib_s ||
            given.download_kib_s)
          throw CLI::ValidationError(
              "verify", "--tag, --host, --limit-upload and --limit-download are for backups");
        line.command = &verify_it;
      });
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
  return run_command(session, [&](Session& its) { return line.command(its, line); });
}

void describe_agent_command_line(const std::function<void(const CLI::App&)>& visit) {
  AgentLine line;
  CLI::App app;
  app.set_version_flag("--version", "");
  describe(app, line);
  visit(app);
}

}  // namespace holdfast::cli
