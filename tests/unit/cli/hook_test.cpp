#include "cli/hook.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include <fstream>

#include "common/posix/child_process.h"
#include "tests/unit/common/posix/temporary_folder.h"

namespace holdfast::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;

std::string content(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

TEST(Hook, FindsItsContextInTheEnvironment) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/seen";
  const auto command =
      shell_command("echo \"$HOLDFAST_PROFILE/$HOLDFAST_EXIT_CODE/$HOLDFAST_SNAPSHOT\" > " + path);
  ASSERT_TRUE(run_hook("after", command, {"home", 4, "abc"}, minutes(1)));
  EXPECT_EQ(content(path), "home/4/abc\n");
  ASSERT_TRUE(run_hook("before", command, {"home", std::nullopt, ""}, minutes(1)));
  EXPECT_EQ(content(path), "home//\n");
}

TEST(Hook, SaysWhichOneFailedAndHow) {
  EXPECT_EQ(run_hook("before", shell_command("exit 3"), {}, minutes(1)).error().message(),
            "hook before: it failed with exit code 3");
  EXPECT_NE(run_hook("after", {"/nowhere/program"}, {}, minutes(1))
                .error()
                .message()
                .find("hook after: /nowhere/program"),
            std::string::npos);
}

TEST(Hook, IsEndedAtItsTimeLimitAndWhenAskedTo) {
  const auto late = run_hook("before", {"sleep", "1000"}, {}, milliseconds(20));
  EXPECT_EQ(late.error().code(), Code::kTimedOut);
  const Descriptor stop(::eventfd(1, EFD_CLOEXEC));
  const auto stopped = run_hook("before", {"sleep", "1000"}, {}, minutes(10), stop.get());
  EXPECT_EQ(stopped.error().code(), Code::kInterrupted);
}

}  // namespace
}  // namespace holdfast::cli
