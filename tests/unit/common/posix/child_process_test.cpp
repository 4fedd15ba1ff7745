#include "common/posix/child_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/testing/failing_system_call.h"

namespace holdfast {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

ChildCommand shell(const std::string& text) {
  ChildCommand command;
  command.arguments = shell_command(text);
  return command;
}

// A child whose standard output is read here.
class Printing {
 public:
  explicit Printing(ChildCommand command) {
    int ends[2];
    check(::pipe2(ends, O_CLOEXEC) == 0, "a pipe");
    reading_ = Descriptor(ends[0]);
    const Descriptor writing(ends[1]);
    command.output = writing.get();
    child = ChildProcess::start(command).value();
  }
  std::string line() const {
    std::string text;
    for (char one = 0; ::read(reading_.get(), &one, 1) == 1 && one != '\n';) text += one;
    return text;
  }
  std::unique_ptr<ChildProcess> child;

 private:
  Descriptor reading_;
};

ChildEnd end_of(const std::string& text) {
  return ChildProcess::start(shell(text)).value()->wait().value();
}

TEST(ChildProcess, TellsHowItEnded) {
  EXPECT_TRUE(end_of("exit 0").succeeded());
  EXPECT_EQ(end_of("exit 7").exit_code, 7);
  EXPECT_EQ(end_of("kill -9 $$").signal, SIGKILL);
  EXPECT_EQ(end_of("exit 7").describe(), "failed with exit code 7");
  EXPECT_EQ(end_of("exit 0").describe(), "succeeded");
}

TEST(ChildProcess, AProgramThatIsNotThereIsAnErrorAtOnce) {
  ChildCommand command;
  command.arguments = {"/nowhere/program"};
  const auto child = ChildProcess::start(command);
  ASSERT_FALSE(child);
  EXPECT_EQ(child.error().code(), Code::kNotFound);
  EXPECT_NE(child.error().message().find("/nowhere/program"), std::string::npos);
}

TEST(ChildProcess, HasItsVariablesAndOurs) {
  ASSERT_EQ(::setenv("HOLDFAST_TEST_OURS", "ours", 1), 0);
  ASSERT_EQ(::setenv("HOLDFAST_TEST_BOTH", "ours", 1), 0);
  ChildCommand command =
      shell("echo \"$HOLDFAST_TEST_OURS/$HOLDFAST_TEST_BOTH/$HOLDFAST_TEST_ITS\"");
  command.environment = {{"HOLDFAST_TEST_BOTH", "its"}, {"HOLDFAST_TEST_ITS", "a=b c"}};
  EXPECT_EQ(Printing(command).line(), "ours/its/a=b c");
}

TEST(ChildProcess, ReadsNothingWhereItMayNot) {
  ChildCommand command = shell("cat; echo end");
  command.reads_input = false;
  EXPECT_EQ(Printing(command).line(), "end");
}

TEST(ChildProcess, TakesSignalsThatWeBlockOrIgnore) {
  sigset_t signals, before;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, &signals, &before), 0);
  const ChildEnd ended = end_of("kill -TERM $$; exit 5");
  ASSERT_EQ(::pthread_sigmask(SIG_SETMASK, &before, nullptr), 0);
  EXPECT_EQ(ended.signal, SIGTERM);
}

TEST(ChildProcess, WaitingEndsAtTheLimitAndTheProcessDoesNot) {
  const auto child = ChildProcess::start(shell("exec sleep 1000")).value();
  EXPECT_EQ(child->wait(milliseconds(20)).error().code(), Code::kTimedOut);
  EXPECT_EQ(child->wait(Duration(0)).error().code(), Code::kTimedOut);
  child->end();
  EXPECT_EQ(child->wait()->signal, SIGTERM);
}

TEST(ChildProcess, WaitingEndsWhenAskedTo) {
  const auto child = ChildProcess::start(shell("exec sleep 1000")).value();
  const Descriptor stop(::eventfd(1, EFD_CLOEXEC));
  EXPECT_EQ(child->wait(std::nullopt, stop.get()).error().code(), Code::kInterrupted);
  EXPECT_EQ(child->wait(seconds(1000), stop.get()).error().code(), Code::kInterrupted);
}

TEST(ChildProcess, OneThatIgnoresTheRequestIsKilled) {
  ChildCommand command = shell("trap '' TERM; echo ready; while :; do sleep 1000; done");
  command.leads_group = true;
  const Printing printing(command);
  ASSERT_EQ(printing.line(), "ready");
  printing.child->end(milliseconds(20));
  EXPECT_EQ(printing.child->wait()->signal, SIGKILL);
}

TEST(ChildProcess, OneThatIgnoresTheRequestIsKilledWithoutAGroupAsWell) {
  const Printing printing(shell("trap '' TERM; echo ready; while :; do sleep 0.01; done"));
  ASSERT_EQ(printing.line(), "ready");
  printing.child->end(std::chrono::milliseconds(20));
  EXPECT_EQ(printing.child->wait().value().signal, SIGKILL);
}

TEST(ChildProcess, OneThatObeysTheRequestIsNotKilled) {
  const Printing printing(shell("trap 'exit 3' TERM; echo ready; while :; do sleep 0.01; done"));
  ASSERT_EQ(printing.line(), "ready");
  printing.child->end(seconds(60));
  EXPECT_EQ(printing.child->wait().value().exit_code, 3);
}

TEST(ChildProcess, ItsWholeGroupIsEnded) {
  ChildCommand command = shell("(trap '' TERM; echo ready; exec sleep 1000) & wait");
  command.leads_group = true;
  const Printing printing(command);
  ASSERT_EQ(printing.line(), "ready");
  printing.child->end(seconds(10));
  // The end of what it prints comes once the last one who could has ended.
  EXPECT_EQ(printing.line(), "");
}

// A process that cannot be waited for would run on without anybody knowing.
TEST(ChildProcess, OneThatCannotBeWatchedIsNotLeftRunning) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const Descriptor reading(ends[0]);
  Descriptor writing(ends[1]);
  ASSERT_TRUE(testing::with_failing_system_calls({SYS_pidfd_open}, ENOSYS, [&] {
    ChildCommand command = shell("exec sleep 1000");
    command.output = writing.get();
    const auto child = ChildProcess::start(command);
    ASSERT_FALSE(child);
    EXPECT_EQ(child.error().message(), "pidfd_open of /bin/sh: Function not implemented");
  }));
  writing = Descriptor();
  char none = 0;
  EXPECT_EQ(::read(reading.get(), &none, 1), 0) << "the end of its output is the process's end";
}

TEST(ChildProcess, AWaitThatTheKernelRefusesIsAnError) {
  const auto child = ChildProcess::start(shell("read forever")).value();
  ASSERT_TRUE(testing::with_failing_system_calls({SYS_poll, SYS_ppoll}, ENOMEM, [&] {
    const auto ended = child->wait();
    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().code(), Code::kResourceExhausted);
  }));
}

}  // namespace
}  // namespace holdfast
