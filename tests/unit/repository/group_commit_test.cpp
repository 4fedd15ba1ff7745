#include "repository/group_commit.h"

#include "tests/unit/repository/node_ports.h"
#include "tests/unit/repository/store/store_fixture.h"

namespace holdfast::repository {
namespace {

// Who is told may want to wait again at once: the first begins a sync, the second joins the next.
TEST_F(StoreTest, WhoWaitsAgainWhenToldIsToldOnceMoreByTheNextSync) {
  ManualClock clock;
  ManualLoop loop{clock};
  ManualExecutor executor;
  GroupCommit commits(*store_, loop, executor, clock, {[] {}, [](const Status&) {}});
  int told = 0, told_again = 0;
  put(data());
  commits.sync_in_background();  // beside which both come
  for (std::uint64_t connection : {1, 2})
    ASSERT_TRUE(commits.wait(connection, [&, connection](const Status& result) {
      EXPECT_TRUE(result);
      ++told;
      put(data());
      EXPECT_TRUE(commits.wait(connection, [&](const Status& again) {
        EXPECT_TRUE(again);
        ++told_again;
      }));
    }));
  while (loop.run_posted() || executor.run_one()) continue;
  EXPECT_EQ(told, 2);
  EXPECT_EQ(told_again, 2);
  EXPECT_FALSE(commits.running());
  EXPECT_EQ(store_->unsynced_bytes(), 0u);
}

}  // namespace
}  // namespace holdfast::repository
