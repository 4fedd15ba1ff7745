#include "cli/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <functional>

namespace holdfast::cli {
namespace {

using Command = std::function<Result<int>(Session&)>;

// Where each command's options land while the line is parsed.
struct Line {
  AccessOptions access;
  double lock_wait_s = 60;
  bool quiet = false, json = false, stdin_from_command = false;
  int verbose = 0;
  Command command;

  InitOptions init;
  BackupOptions backup;
  FilterOptions filter;
  ListOptions ls;
  RestoreCommandOptions restore;
  VerifyCommandOptions verify;
  RepairCommandOptions repair;
  NodeAddOptions node_add;
  NodeRemoveOptions node_remove;
  AgentAddOptions agent_add;
  std::string key_file;
};

void add_common(CLI::App& app, Line& line) {
  app.add_option("-r,--repo", line.access.repository,
                 "The repository: a directory or a credential file")
      ->envname("HOLDFAST_REPOSITORY")
      ->type_name("REPO");
  app.add_option("--passphrase-file", line.access.passphrase.file,
                 "A file whose first line is the passphrase")
      ->type_name("FILE");
  app.add_option("--passphrase-command", line.access.passphrase.command,
                 "A command whose first line of output is the passphrase")
      ->type_name("COMMAND");
  app.add_option("--lock-wait", line.lock_wait_s,
                 "How long to wait for another process that uses the directory")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str();
  app.add_flag("--json", line.json, "One JSON object a line instead of text");
  app.add_flag("-q,--quiet", line.quiet, "Only results, warnings and errors");
  app.add_flag("-v,--verbose", line.verbose, "More detail");
}

void add_filter(CLI::App& command, FilterOptions& filter) {
  command.add_option("--host", filter.hosts, "Only snapshots of this host")->type_name("HOST");
  command
      .add_option("--tag", filter.tags,
                  "Only snapshots with all of these tags (T,T); may be given "
                  "again for an alternative")
      ->type_name("TAGS");
  command.add_option("--path", filter.paths, "Only snapshots of this path")->type_name("PATH");
}

void add_upload_limit(CLI::App& command, AccessOptions& access) {
  command
      .add_option("--limit-upload", access.upload_kib_s,
                  "At most so many KiB a second to all nodes together (0: no limit)")
      ->type_name("RATE")
      ->check(CLI::Range(std::uint64_t{0}, kMostKibPerSecond));
}

void add_download_limit(CLI::App& command, AccessOptions& access) {
  command
      .add_option("--limit-download", access.download_kib_s,
                  "At most so many KiB a second from all nodes together (0: no limit)")
      ->type_name("RATE")
      ->check(CLI::Range(std::uint64_t{0}, kMostKibPerSecond));
}

void add_init(CLI::App& app, Line& line) {
  CLI::App* const init = app.add_subcommand(
      "init",
      "Create a repository: in a directory, or with --node on nodes, REPO then being the "
      "credential file to write");
  init->add_option("--node", line.init.nodes,
                   "A node's invitation (holdfast-node invite) or a folder; may be repeated")
      ->type_name("INVITE_OR_DIR");
  init->add_option(
          "--write-quorum", line.init.write_quorum,
          "How many nodes must hold a snapshot before a backup succeeds (default: 1 of one "
          "or two nodes, else a majority)")
      ->type_name("W")
      ->check(CLI::Range(1, 64));
  init->add_option("--kdf-cost", line.init.kdf_cost,
                   "What one guess of the passphrase costs: normal is 64 MiB and about 0.3 s; high "
                   "is 512 MiB and about 2.4 s; low is for passphrases that are random keys, and "
                   "for tests")
      ->check(CLI::IsMember({"low", "normal", "high"}))
      ->capture_default_str();
  init->callback([&line] {
    line.command = [&line](Session& session) { return cli::init(session, line.init); };
  });
}

void add_selection(CLI::App& backup, SourceOptions& source) {
  backup.add_option("PATH", source.paths, "What to save");
  backup
      .add_option("--files-from", source.files_from,
                  "A file with more paths, one a line, taken as they are written; - is standard "
                  "input")
      ->type_name("FILE");
  backup
      .add_option("--files-from0", source.files_from0,
                  "The same with a NUL behind each path, as find -print0 writes it")
      ->type_name("FILE");
  backup.add_option("-e,--exclude", source.excludes, "Leave out what matches the pattern")
      ->type_name("PATTERN");
  backup
      .add_option("--iexclude", source.excludes_in_any_case,
                  "Leave out what matches the pattern in upper or lower case")
      ->type_name("PATTERN");
  backup.add_option("--exclude-file", source.exclude_files, "A file with a pattern a line")
      ->type_name("FILE");
  backup
      .add_option("--exclude-if-present", source.exclude_if_present,
                  "Leave out what lies in folders that hold a file NAME, which begins with HEADER "
                  "if one is given")
      ->type_name("NAME[:HEADER]");
  backup.add_flag("--exclude-caches", source.exclude_caches,
                  "Leave out what lies in folders marked by CACHEDIR.TAG");
  backup
      .add_option("--exclude-larger-than", source.exclude_larger_than,
                  "Leave out files with more bytes; k, M, G and T are powers of 1024")
      ->type_name("SIZE");
  backup.add_flag("-x,--one-file-system", source.one_file_system,
                  "Do not cross into other file systems");
}

// What behind --stdin-from-command is not ours is its command.
void add_stream(CLI::App& backup, SourceOptions& source, bool& from_command) {
  backup.add_flag("--stdin", source.from_stdin, "Save standard input as one file");
  backup
      .add_option("--stdin-filename", source.stdin_filename,
                  "The name of that file in the snapshot (default: stdin)")
      ->type_name("NAME");
  backup.add_flag("--stdin-from-command", from_command,
                  "Save what a command prints, and nothing if it fails: -- COMMAND ARGS...");
}

void add_backup(CLI::App& app, Line& line) {
  BackupOptions& options = line.backup;
  CLI::App* const backup = app.add_subcommand("backup", "Save paths as a new snapshot");
  add_selection(*backup, options.source);
  add_stream(*backup, options.source, line.stdin_from_command);
  add_upload_limit(*backup, line.access);
  add_download_limit(*backup, line.access);
  backup->add_option("--tag", options.tags, "Tags of the snapshot, separated by commas")
      ->type_name("TAG");
  backup->add_option("--host", options.host, "The host's name in the snapshot")->type_name("HOST");
  backup->add_flag("-n,--dry-run", options.dry_run, "Only say what would be read");
  backup->footer(kExitCodeHelp);
  backup->callback([&line] {
    SourceOptions& source = line.backup.source;
    if (line.stdin_from_command) std::swap(source.stdin_command, source.paths);
    const bool names_any = !source.paths.empty() || !source.files_from.empty() ||
                           !source.files_from0.empty() || source.is_stream();
    if (!names_any)
      throw CLI::ValidationError("backup", line.stdin_from_command
                                               ? "no command follows --stdin-from-command --"
                                               : "PATH is required");
    line.command = [&line](Session& session) { return cli::backup(session, line.backup); };
  });
}

void add_snapshots(CLI::App& app, Line& line) {
  CLI::App* const snapshots = app.add_subcommand("snapshots", "List the snapshots");
  add_filter(*snapshots, line.filter);
  snapshots->callback([&line] {
    line.command = [&line](Session& session) { return list_snapshots(session, line.filter); };
  });
}

void add_ls(CLI::App& app, Line& line) {
  CLI::App* const ls = app.add_subcommand("ls", "List what is in a snapshot");
  ls->add_option("SNAPSHOT", line.ls.snapshot,
                 "An id's beginning, latest or latest~N; with :PATH only what is there")
      ->required();
  ls->add_flag("-l,--long", line.ls.long_form, "With mode, owner, size and time");
  add_filter(*ls, line.ls.filter);
  ls->callback([&line] {
    line.command = [&line](Session& session) { return list_entries(session, line.ls); };
  });
}

void add_restore(CLI::App& app, Line& line) {
  RestoreCommandOptions& options = line.restore;
  CLI::App* const restore = app.add_subcommand("restore", "Write a snapshot's files to a folder");
  auto* const snapshot = restore->add_option("SNAPSHOT", options.snapshot,
                                             "An id's beginning, latest or latest~N; with :PATH "
                                             "only what is there, put directly into DIR");
  auto* const at =
      restore->add_option("--at", options.at, "The newest snapshot at or before this time")
          ->type_name("TIME");
  restore->add_option("-t,--target", options.target, "Where to write to")
      ->required()
      ->type_name("DIR");
  restore->add_option("-i,--include", options.includes, "Only what matches the pattern")
      ->type_name("PATTERN");
  restore->add_option("-e,--exclude", options.excludes, "Not what matches the pattern")
      ->type_name("PATTERN");
  restore->add_option("--overwrite", options.overwrite, "What happens to files that are there")
      ->check(CLI::IsMember({"always", "if-changed", "if-newer", "never"}))
      ->capture_default_str();
  restore->add_flag("--delete", options.remove_others,
                    "Remove what the snapshot does not have from the folders that are restored");
  restore->add_flag("-n,--dry-run", options.dry_run, "Write nothing, only say what would be");
  restore->add_flag("--verify", options.verify, "Read what was written and compare");
  add_filter(*restore, options.filter);
  add_download_limit(*restore, line.access);
  restore->callback([&line, snapshot, at] {
    const bool named = !snapshot->empty() && !line.restore.snapshot.starts_with(':');
    if (named == !at->empty())
      throw CLI::ValidationError("restore", "name a SNAPSHOT or a time with --at, one of them");
    line.command = [&line](Session& session) { return cli::restore(session, line.restore); };
  });
}

void add_verify(CLI::App& app, Line& line) {
  CLI::App* const verify =
      app.add_subcommand("verify", "See whether each node alone can restore every snapshot");
  auto* const all = verify->add_flag("--read-data", line.verify.read_data,
                                     "Each node reads all it stores and checks it");
  verify
      ->add_option("--read-data-subset", line.verify.subset,
                   "Only a part of it: 5%, 500M, or 2/7 (the second of seven parts)")
      ->type_name("PART")
      ->excludes(all);
  verify->footer(kExitCodeHelp);
  verify->callback([&line] {
    line.command = [&line](Session& session) { return cli::verify(session, line.verify); };
  });
}

void add_status(CLI::App& app, Line& line) {
  app.add_subcommand("status", "The nodes: reachable, behind, damaged, full")->callback([&line] {
    line.command = [](Session& session) { return cli::status(session); };
  });
}

void add_repair(CLI::App& app, Line& line) {
  CLI::App* const repair =
      app.add_subcommand("repair", "Copy to each node the snapshots that it lacks and another has");
  repair->add_flag("-n,--dry-run", line.repair.dry_run, "Only say what each node lacks");
  add_upload_limit(*repair, line.access);
  add_download_limit(*repair, line.access);
  repair->footer(kExitCodeHelp);
  repair->callback([&line] {
    line.command = [&line](Session& session) { return cli::repair(session, line.repair); };
  });
}

void add_membership(CLI::App& command, std::uint32_t& write_quorum, bool& force) {
  command
      .add_option("--write-quorum", write_quorum,
                  "How many nodes must hold a snapshot before a backup succeeds (default: as "
                  "before, or a majority if it was one)")
      ->type_name("W")
      ->check(CLI::Range(1, 64));
  command.add_flag("--force", force,
                   "Though snapshots may be lost that only the node that leaves has");
}

void add_node_commands(CLI::App& app, Line& line) {
  CLI::App* const node = app.add_subcommand("node", "The nodes that hold the repository");
  node->require_subcommand(1);
  CLI::App* const add = node->add_subcommand(
      "add", "Bring the repository to another node, or back to one that has lost it");
  add->add_option("INVITE", line.node_add.invite,
                  "The node's invitation (holdfast-node invite), or a folder")
      ->required();
  add->add_option("--replaces", line.node_add.replaces,
                  "The node, by name or id, that leaves the repository for it")
      ->type_name("NODE");
  add_membership(*add, line.node_add.write_quorum, line.node_add.force);
  add->callback([&line] {
    line.command = [&line](Session& session) { return add_node(session, line.node_add); };
  });
  CLI::App* const remove = node->add_subcommand("remove", "Go on without a node");
  remove->add_option("NODE", line.node_remove.node, "Its name, or the beginning of its id")
      ->required();
  add_membership(*remove, line.node_remove.write_quorum, line.node_remove.force);
  remove->callback([&line] {
    line.command = [&line](Session& session) { return remove_node(session, line.node_remove); };
  });
  node->add_subcommand("list", "List the nodes")->callback([&line] {
    line.command = [](Session& session) { return list_nodes(session); };
  });
}

void add_agent_and_key(CLI::App& app, Line& line) {
  CLI::App* const agent = app.add_subcommand("agent", "Who may add snapshots");
  agent->require_subcommand(1);
  CLI::App* const add =
      agent->add_subcommand("add", "Make a credential that can add snapshots and read nothing");
  add->add_option("NAME", line.agent_add.name, "What people call the agent")->required();
  add->add_option("-o,--output", line.agent_add.file,
                  "Where to write it (default: NAME.credential)")
      ->type_name("FILE");
  add->callback([&line] {
    line.command = [&line](Session& session) { return cli::add_agent(session, line.agent_add); };
  });
  agent->add_subcommand("list", "List the agents")->callback([&line] {
    line.command = [](Session& session) { return cli::list_agents(session); };
  });
  CLI::App* const key = app.add_subcommand("key", "The repository's keys");
  key->require_subcommand(1);
  CLI::App* const output = key->add_subcommand(
      "export", "Write what a bare machine needs beside the passphrase to restore");
  output->add_option("-o,--output", line.key_file, "The file (default: standard output)")
      ->type_name("FILE");
  output->callback([&line] {
    line.command = [&line](Session& session) { return cli::export_key(session, line.key_file); };
  });
}

void describe(CLI::App& app, Line& line) {
  app.name("holdfast");
  app.description("Replicated backup and restore.");
  app.require_subcommand(1);
  app.fallthrough();
  app.footer(kExitCodeHelp);
  add_common(app, line);
  add_init(app, line);
  add_backup(app, line);
  add_snapshots(app, line);
  add_ls(app, line);
  add_restore(app, line);
  add_verify(app, line);
  add_status(app, line);
  add_repair(app, line);
  add_node_commands(app, line);
  add_agent_and_key(app, line);
}

}  // namespace

int run_command(Session& session, const std::function<Result<int>(Session&)>& command) {
  auto outcome = command(session);
  if (!outcome) session.output.error(outcome.error());
  int code = outcome ? *outcome : exit_code_of(outcome.error());
  if (auto flushed = session.output.flush(); !flushed && code == kDone) code = kFailed;
  return code;
}

int run_command_line(int argc, char** argv, Output& output, const char* version) {
  Line line;
  CLI::App app;
  app.set_version_flag("--version", version);
  describe(app, line);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kUsage;
  }
  output.json = line.json;
  output.verbosity = line.quiet ? 0 : 1 + line.verbose;
  line.access.lock_wait =
      std::chrono::duration_cast<Duration>(std::chrono::duration<double>(line.lock_wait_s));
  Workplace work;
  Session session{work, output, line.access};
  return run_command(session, line.command);
}

void describe_command_line(const std::function<void(const CLI::App&)>& visit) {
  Line line;
  CLI::App app;
  app.set_version_flag("--version", "");
  describe(app, line);
  visit(app);
}

}  // namespace holdfast::cli
