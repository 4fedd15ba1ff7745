// A backup of a source of which one call after the other fails, once or for good. What must hold:
// what cannot be read is named, the rest is backed up, and the next backup has it all.
#include <gmock/gmock.h>

#include "tests/simulation/error_at_every_call.h"

namespace holdfast::testing {
namespace {

using ::testing::HasSubstr;

class FailingSource : public ErrorAtEveryCall {
 protected:
  void begin_with_all_sorts(std::size_t largest) {
    begin(1, 1);
    Bytes large(largest);
    cluster_->random.fill(large);
    cluster_->source.put("srv/largest", std::move(large));
    cluster_->source.put("srv/folder/empty", {});
    cluster_->source.put_symlink("etc/link", "a");
  }
  // Whether one of the problems is this path's, or that of a folder above it.
  static bool is_told(const agent::BackupReport& report, const std::string& path) {
    return std::any_of(report.problems.begin(), report.problems.end(), [&](const auto& problem) {
      return problem.path == "/" + path || ("/" + path).starts_with(problem.path + "/");
    });
  }
  // What was told to be unreadable may be missing, and nothing else; nothing is made up.
  void expect_all_but_told(const agent::BackupReport& report) {
    const auto run = cluster_->begin_restore(*cluster_->agents.front(), *report.manifest, {0});
    ASSERT_TRUE(cluster_->finish(*run));
    for (const auto& [path, content] : cluster_->source.contents()) {
      const auto found = run->files().find(path);
      if (found != run->files().end())
        EXPECT_EQ(found->second, content) << "silently another: " << path;
      else
        EXPECT_TRUE(is_told(report, path)) << "silently missing: " << path;
    }
  }
  void explore(std::size_t largest, Code code, bool for_good) {
    for (std::uint64_t call = 1;; ++call) {
      SCOPED_TRACE("call " + std::to_string(call) + " failed with " + std::string(name(code)) +
                   (for_good ? " for good" : " once"));
      begin_with_all_sorts(largest);
      SourceFaults& faults = cluster_->source.faults();
      const std::uint64_t before = faults.calls();
      faults.fail_call(call, code, for_good);
      const auto report = cluster_->back_up();
      const bool reached = faults.calls() - before >= call;
      faults.clear();
      ASSERT_TRUE(report) << report.error().message();
      EXPECT_EQ(report->committed, 1U);
      EXPECT_EQ(report->problem_count > 0, reached);
      EXPECT_EQ(report->detail.unreadable, report->problem_count) << "as the snapshot records it";
      if (reached && !for_good) {
        EXPECT_EQ(report->problem_count, 1U);
      }
      for (const auto& problem : report->problems)
        EXPECT_THAT(problem.error.message(), HasSubstr("injected fault"));
      expect_all_but_told(*report);

      back_up_well(1);  // nobody takes the gap for what the source holds
      expect_kept(1);
      if (HasFailure()) return;
      if (!reached) {
        EXPECT_GT(call, 30U);
        return;
      }
    }
  }
};

constexpr std::size_t kInPieces = (std::size_t{1} << 20) + 5'000;  // of its own, not with others
constexpr std::size_t kWithOthers = 5'000;

TEST_F(FailingSource, FailureOnceCostsOneEntryWhichIsNamed) {
  explore(kInPieces, Code::kIo, false);
}

TEST_F(FailingSource, EntryThatVanishesOnceIsNamed) {
  explore(kWithOthers, Code::kNotFound, false);
}

TEST_F(FailingSource, FailureForGoodLeavesOutNothingThatIsNotNamed) {
  explore(kWithOthers, Code::kIo, true);
}

}  // namespace
}  // namespace holdfast::testing
