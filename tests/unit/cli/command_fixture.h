// What tests of whole commands share: a repository in a folder, or on nodes in this process, a
// source to save, and what a program would show of a run.
#pragma once

#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "cli/command_line.h"
#include "tests/unit/cli/failing_workplace.h"

namespace holdfast::cli {

class CommandTest : public WorkplaceTest {
 protected:
  using Command = std::function<Result<int>(Session&)>;

  // What a program would show of a run.
  struct Outcome {
    int code = kFailed;
    std::string printed;  // to standard output
    std::string said;     // wherever
  };

  void make_repository_with_a_snapshot() {
    InitOptions options;
    options.kdf_cost = "low";
    options.nodes = nodes_;
    ASSERT_EQ(run([&](Session& session) { return init(session, options); }).code, kDone);
    write_source("a", "some content");
    write_source("b", std::string(200'000, 'b'));
    ASSERT_EQ(run(backup_it()).code, kDone);
  }
  void write_source(const std::string& name, const std::string& content) {
    PosixFileSystem files;
    ASSERT_TRUE(make_directories(files, source()));
    ASSERT_TRUE(write_file_atomically(files, source() + "/" + name, as_bytes(content)));
  }
  std::string source() const { return folder() + "/source"; }
  Command backup_it() const {
    BackupOptions options;
    options.source.paths = {source()};
    return [options](Session& session) { return backup(session, options); };
  }
  Command restore_to(const std::string& target) const {
    RestoreCommandOptions options;
    options.snapshot = "latest";
    options.target = target;
    options.verify = true;
    return [options](Session& session) { return restore(session, options); };
  }
  static Command verify_all() {
    VerifyCommandOptions options;
    options.read_data = true;
    return [options](Session& session) { return verify(session, options); };
  }

  Outcome run(const Command& command, Fault fault = {}) {
    return run_on(files_with(fault), command);
  }
  Outcome run_on(std::unique_ptr<FileSystem> files, const Command& command) {
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    Outcome outcome;
    {
      Workplace work(std::move(files));
      Session session{work, output_, access_};
      session.access.repository = repository_;
      outcome.code = run_command(session, command);
    }
    std::fflush(stdout);
    outcome.printed = ::testing::internal::GetCapturedStdout();
    outcome.said = outcome.printed + ::testing::internal::GetCapturedStderr();
    return outcome;
  }
  // With --json: the objects on standard output.
  std::vector<Json> objects_of(const Command& command) {
    output_.json = true;
    std::istringstream lines(run(command).printed);
    output_.json = false;
    std::vector<Json> objects;
    for (std::string line; std::getline(lines, line);) objects.push_back(Json::parse(line));
    return objects;
  }
  void expect_clean() {
    const Outcome verified = run(verify_all());
    EXPECT_EQ(verified.code, kDone) << verified.said;
  }
  std::vector<std::string> listed_nodes() {
    const Outcome listed = run([](Session& session) { return list_nodes(session); });
    EXPECT_EQ(listed.code, kDone) << listed.said;
    std::vector<std::string> nodes;
    std::istringstream lines(listed.printed);
    std::string line;
    std::getline(lines, line);  // the header
    while (std::getline(lines, line)) nodes.push_back(line);
    return nodes;
  }
  std::string id_of_last_node() {
    const std::string line = listed_nodes().back();
    return line.substr(0, line.find(' '));
  }

  std::string repository_ = folder() + "/repository";
  std::vector<std::string> nodes_;
  AccessOptions access_;  // but for the repository
};

}  // namespace holdfast::cli
