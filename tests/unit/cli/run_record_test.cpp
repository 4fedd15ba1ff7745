#include "cli/run_record.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "cli/output.h"
#include "common/posix/posix_file_system.h"
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

}  // namespace
}  // namespace holdfast::cli
