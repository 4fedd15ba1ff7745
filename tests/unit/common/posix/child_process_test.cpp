#include "common/posix/child_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>

namespace holdfast {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

ChildCommand shell(const std::string& text) {
  ChildCommand command;
  command.arguments = shell_command(text);
  return command;
}

// What a command prints, and how it ends.
struct Output {
  std::string text;
  ChildEnd end;
};

Output run(ChildCommand command) {
  int ends[2];
  check(::pipe2(ends, O_CLOEXEC) == 0, "a pipe");
  const Descriptor reading(ends[0]);
  Descriptor writing(ends[1]);
  command.output = writing.get();
  const auto child = ChildProcess::start(command).value();
  writing.reset();
  Output output;
  std::array<char, 4096> piece{};
  for (ssize_t count = 0; (count = ::read(reading.get(), piece.data(), piece.size())) > 0;)
    output.text.append(piece.data(), static_cast<std::size_t>(count));
  output.end = child->wait().value();
  return output;
}

TEST(ChildProcess, TellsHowItEnded) {
  EXPECT_TRUE(run(shell("exit 0")).end.succeeded());
  EXPECT_EQ(run(shell("exit 7")).end.exit_code, 7);
  EXPECT_EQ(run(shell("kill -9 $$")).end.signal, SIGKILL);
  EXPECT_EQ(run(shell("exit 7")).end.describe(), "failed with exit code 7");
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
  EXPECT_EQ(run(command).text, "ours/its/a=b c\n");
}

TEST(ChildProcess, ReadsNothingWhereItMayNot) {
  ChildCommand command = shell("cat; echo end");
  command.reads_input = false;
  EXPECT_EQ(run(command).text, "end\n");
}

TEST(ChildProcess, TakesSignalsThatWeBlockOrIgnore) {
  sigset_t signals, before;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, &signals, &before), 0);
  const auto ended = run(shell("kill -TERM $$; echo still here"));
  ASSERT_EQ(::pthread_sigmask(SIG_SETMASK, &before, nullptr), 0);
  EXPECT_EQ(ended.end.signal, SIGTERM);
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
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const Descriptor reading(ends[0]);
  Descriptor writing(ends[1]);
  ChildCommand command = shell("trap '' TERM; echo ready; while :; do sleep 1000; done");
  command.output = writing.get();
  command.leads_group = true;
  const auto child = ChildProcess::start(command).value();
  writing.reset();
  std::array<char, 6> line{};
  ASSERT_EQ(::read(reading.get(), line.data(), line.size()), 6);
  child->end(milliseconds(20));
  EXPECT_EQ(child->wait()->signal, SIGKILL);
}

TEST(ChildProcess, ItsWholeGroupIsEnded) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const Descriptor reading(ends[0]);
  Descriptor writing(ends[1]);
  ChildCommand command = shell("(trap '' TERM; exec sleep 1000) & echo $!; wait");
  command.output = writing.get();
  command.leads_group = true;
  const auto child = ChildProcess::start(command).value();
  writing.reset();
  std::string line;
  for (char one = 0; ::read(reading.get(), &one, 1) == 1 && one != '\n';) line += one;
  EXPECT_GT(std::stol(line), 1);
  child->end(seconds(10));
  // It holds the pipe as long as it is alive.
  char one = 0;
  EXPECT_EQ(::read(reading.get(), &one, 1), 0);
}

}  // namespace
}  // namespace holdfast
