#include "cli/run_record.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "cli/exit_code.h"
#include "cli/output.h"
#include "common/posix/posix_file_system.h"
#include "tests/testing/failing_system_call.h"
#include "tests/testing/observed_files.h"
#include "tests/unit/common/posix/temporary_folder.h"

namespace holdfast::cli {
namespace {

RunRecord good_run() {
  RunRecord run;
  run.profile = "home";
  run.repository = "/srv/repo";
  run.started = {1'700'000'000ll * 1'000'000'000};
  run.ended = {1'700'000'060ll * 1'000'000'000};
  run.took = std::chrono::seconds(60);
  run.exit_code = 4;
  run.attempts = 2;
  agent::BackupReport report;
  report.manifest.emplace();
  report.detail.files = 12;
  report.detail.files_new = 3;
  report.bytes = {10, 20, 30, 40};
  report.problem_count = 5;
  report.committed = 1;
  report.nodes.push_back({"north", true, false, std::nullopt, 100});
  report.nodes.push_back({"south", false, false, Error(Code::kUnavailable, "away"), 11});
  run.report = std::move(report);
  return run;
}

RunRecord failed_run() {
  RunRecord run;
  run.profile = "home";
  run.ended = {1'700'100'000ll * 1'000'000'000};
  run.exit_code = 1;
  run.error = "no node can be reached";
  return run;
}

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

TEST(RunReceipt, SaysWhatBecameOfARun) {
  const Json receipt = Json::parse(receipt_of(good_run()));
  EXPECT_EQ(receipt["started"], "2023-11-14T22:13:20Z");
  EXPECT_EQ(receipt["ended"], "2023-11-14T22:14:20Z");
  EXPECT_EQ(receipt["seconds"], 60);
  EXPECT_EQ(receipt["exit_code"], 4);
  EXPECT_EQ(receipt["outcome"], "not_on_every_node");
  EXPECT_EQ(receipt["snapshot_id"].get<std::string>().size(), 64U);
  EXPECT_EQ(receipt["files"]["new"], 3);
  EXPECT_EQ(receipt["bytes"]["changed"], 20);
  EXPECT_EQ(receipt["bytes"]["sent"], 111);
  EXPECT_EQ(receipt["unread_files"], 5);
  EXPECT_EQ(receipt["nodes"][0]["committed"], true);
  EXPECT_EQ(receipt["nodes"][1]["error"], "away");
  EXPECT_FALSE(receipt.contains("error"));
}

TEST(RunReceipt, OfAFailureSaysWhyAndNamesNoSnapshot) {
  RunRecord run = failed_run();
  run.error = "a path that is no text: \xff";
  const Json receipt = Json::parse(receipt_of(run));
  EXPECT_EQ(receipt["outcome"], "failed");
  EXPECT_EQ(receipt["error"], "a path that is no text: \\xff");
  EXPECT_FALSE(receipt.contains("snapshot_id"));
  EXPECT_FALSE(receipt.contains("nodes"));
}

TEST(RunReceipt, NamesEachOutcomeThatAScriptTellsApart) {
  RunRecord run = good_run();
  for (const auto& [code, outcome] :
       std::vector<std::pair<int, std::string>>{{kDone, "done"},
                                                {kSomeUnread, "some_unread"},
                                                {kBehind, "not_on_every_node"},
                                                {kInterruptedByUser, "interrupted"},
                                                {kFailed, "failed"},
                                                {kWrongPassphraseGiven, "failed"}}) {
    run.exit_code = code;
    EXPECT_EQ(Json::parse(receipt_of(run))["outcome"], outcome);
  }
}

TEST(RunReceipt, OfADryRunOrOneThatCommittedNothingNamesNoSnapshot) {
  RunRecord run = good_run();
  run.report->manifest.reset();
  EXPECT_FALSE(Json::parse(receipt_of(run)).contains("snapshot_id"));
  EXPECT_EQ(metrics_of(run, "").find("last_success"), std::string::npos);
}

TEST(RunMetrics, AreThoseOfTheRun) {
  const std::string text = metrics_of(good_run(), "");
  for (const char* line :
       {"holdfast_backup_exit_code{profile=\"home\"} 4",
        "holdfast_backup_last_run_timestamp_seconds{profile=\"home\"} 1700000060",
        ("holdfast_backup_last_success_timestamp_seconds{profile=\"home\"} "
         "1700000060"),
        "holdfast_backup_duration_seconds{profile=\"home\"} 60",
        "holdfast_backup_files{profile=\"home\"} 12",
        "holdfast_backup_bytes_read{profile=\"home\"} 40",
        "holdfast_backup_bytes_sent{profile=\"home\"} 111",
        "holdfast_backup_nodes_complete{profile=\"home\"} 1",
        "holdfast_backup_nodes_total{profile=\"home\"} 2",
        "holdfast_backup_unread_files{profile=\"home\"} 5",
        "# TYPE holdfast_backup_exit_code gauge"})
    EXPECT_TRUE(has_line(text, line)) << line << " is not in\n" << text;
}

TEST(RunMetrics, AFailureKeepsTheTimeOfTheLastSuccess) {
  const std::string line =
      "holdfast_backup_last_success_timestamp_seconds{profile=\"home\"} 1700000060";
  const std::string once = metrics_of(failed_run(), metrics_of(good_run(), ""));
  EXPECT_TRUE(has_line(once, line)) << once;
  EXPECT_TRUE(has_line(once, "holdfast_backup_exit_code{profile=\"home\"} 1"));
  EXPECT_TRUE(has_line(metrics_of(failed_run(), once), line));
}

TEST(RunMetrics, WithoutASuccessOrAfterAFileThatIsNoneOfOursNoneIsClaimed) {
  for (const char* earlier :
       {"", "holdfast_backup_last_success_timestamp_seconds", "\xff\xfe\n",
        "holdfast_backup_last_success_timestamp_seconds{profile=\"home\"} NaN\n",
        "holdfast_backup_last_success_timestamp_seconds{profile=\"home\"} 17e999\n",
        "holdfast_backup_last_success_timestamp_seconds{profile=\"home\"} 17 or so\n",
        "holdfast_backup_last_success_timestamp_seconds{profile=\"home\"} 17s\n",
        "holdfast_backup_last_success_timestamp_seconds{profile=\"home\"} -1\n"})
    EXPECT_EQ(metrics_of(failed_run(), earlier).find("last_success"), std::string::npos) << earlier;
}

TEST(RunMetrics, AnOddProfileNameIsEscaped) {
  RunRecord run = failed_run();
  run.profile = "a\"b\\c\nd";
  EXPECT_TRUE(
      has_line(metrics_of(run, ""), "holdfast_backup_exit_code{profile=\"a\\\"b\\\\c\\nd\"} 1"))
      << metrics_of(run, "");
}

TEST(RunMetrics, AreReadableForAllAndReceiptsAreNot) {
  const TemporaryFolder folder;
  PosixFileSystem files;
  const std::string metrics = folder.path() + "/home.prom", receipt = folder.path() + "/receipt";
  for (int run = 0; run < 2; ++run) {
    ASSERT_TRUE(write_metrics(files, metrics, good_run()));
    ASSERT_TRUE(write_receipt(files, receipt, good_run()));
  }
  struct stat stat {};
  ASSERT_EQ(::stat(metrics.c_str(), &stat), 0);
  EXPECT_EQ(stat.st_mode & 0777, 0644U);
  ASSERT_EQ(::stat(receipt.c_str(), &stat), 0);
  EXPECT_EQ(stat.st_mode & 0777, 0600U);
  EXPECT_EQ(files.list(folder.path())->size(), 2U) << "something else was left there";
  EXPECT_FALSE(write_metrics(files, folder.path() + "/absent/x", good_run()));
}

TEST(RunMetrics, WhoseOldFileCannotBeReadAreWrittenWithoutTheLastSuccess) {
  const TemporaryFolder folder;
  PosixFileSystem machine;
  const std::string path = folder.path() + "/home.prom";
  ASSERT_TRUE(write_metrics(machine, path, good_run()));
  std::string failing;
  testing::ObservedFiles files(machine,
                               [&](std::string_view call, const std::string& at) -> Status {
                                 if (call == failing && at == path)
                                   return Error(Code::kIo, "injected fault");
                                 return {};
                               });
  failing = "exists";
  EXPECT_FALSE(write_metrics(files, path, failed_run()));
  failing = "read_at";
  EXPECT_TRUE(write_metrics(files, path, failed_run()));
  const std::string text(as_text(*read_file(machine, path, 1 << 20)));
  EXPECT_EQ(text.find("last_success"), std::string::npos);
  EXPECT_TRUE(has_line(text, "holdfast_backup_exit_code{profile=\"home\"} 1"));
}

TEST(RunMetrics, ThatNobodyElseCouldReadLeaveTheOldOnes) {
  const TemporaryFolder folder;
  PosixFileSystem files;
  const std::string path = folder.path() + "/home.prom";
  ASSERT_TRUE(write_metrics(files, path, good_run()));
  Status written;
  if (!testing::with_failing_system_calls({SYS_chmod, SYS_fchmodat}, EPERM, [&] {
        written = write_metrics(files, path, failed_run());
      }))
    GTEST_SKIP() << "this kernel takes no filter";
  ASSERT_FALSE(written);
  EXPECT_EQ(as_text(*read_file(files, path, 1 << 20)), metrics_of(good_run(), ""));
  EXPECT_EQ(files.list(folder.path())->size(), 1U) << "something else was left there";
}

// The environment is the process's: each test runs in one of its own.
TEST(StateFolder, IsOneThatIsThere) {
  const TemporaryFolder folder;
  ::setenv("HOLDFAST_STATE_DIR", folder.path().c_str(), 1);
  EXPECT_EQ(state_folder(), folder.path());
  ::setenv("HOLDFAST_STATE_DIR", (folder.path() + "/absent").c_str(), 1);
  EXPECT_EQ(state_folder(), "");
  ::setenv("HOLDFAST_STATE_DIR", "/dev/null", 1);
  EXPECT_EQ(state_folder(), "");
  for (const bool empty : {true, false}) {
    if (empty)
      ::setenv("HOLDFAST_STATE_DIR", "", 1);
    else
      ::unsetenv("HOLDFAST_STATE_DIR");
    EXPECT_TRUE(state_folder().empty() || state_folder() == "/var/lib/holdfast-agent");
  }
}

}  // namespace
}  // namespace holdfast::cli
