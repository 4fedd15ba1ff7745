#include "agent/posix/stream_source.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <future>
#include <thread>

#include "tests/testing/failing_system_call.h"
#include "tests/testing/seed.h"
#include "tests/testing/seeded_random.h"
#include "tests/unit/agent/posix/tree_fixture.h"

namespace holdfast::agent {
namespace {

// One end is the stream's, the other the test's.
class Piped final : public StreamOrigin {
 public:
  Piped() {
    int ends[2];
    check(::pipe2(ends, O_CLOEXEC) == 0, "a pipe");
    reading_ = Descriptor(ends[0]);
    writing = Descriptor(ends[1]);
  }
  Result<int> begin() override { return reading_.get(); }
  Status finish(int) override {
    ++finished;
    return outcome;
  }
  Descriptor writing;
  Status outcome;
  int finished = 0;

 private:
  Descriptor reading_;
};

class OneStream : public ::testing::Test {
 protected:
  void say(std::string_view text) const {
    ASSERT_EQ(::write(origin_->writing.get(), text.data(), text.size()),
              static_cast<ssize_t>(text.size()));
  }
  Piped* const origin_ = new Piped;  // the source's
  const std::unique_ptr<StreamSource> source_ =
      StreamSource::create("dumps/all.sql", std::unique_ptr<StreamOrigin>(origin_),
                           UnixTime{1'500'000'000'000'000'007})
          .value();
};

TEST_F(OneStream, IsOneFileWithTheFoldersAbove) {
  const auto entries = source_->next().value();
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_EQ(entries[0].path, "");
  EXPECT_EQ(entries[1].path, "dumps");
  EXPECT_TRUE(entries[1].is_directory());
  EXPECT_EQ(entries[2].path, "dumps/all.sql");
  EXPECT_TRUE(entries[2].is_regular());
  EXPECT_EQ(entries[2].size, kUnknownSize);
  EXPECT_EQ(entries[2].mtime, (Timestamp{1'500'000'000, 7}));
  EXPECT_EQ(source_->path(), "/dumps/all.sql");
}

TEST_F(OneStream, TheScanEndsWhenTheStreamHas) {
  const Entry file = source_->next().value().back();
  auto end = std::async(std::launch::async, [&] { return source_->next(); });
  auto reader = source_->open(file).value();
  say("some");
  Bytes four(4);
  EXPECT_EQ(reader->read(four).value(), 4U);
  EXPECT_EQ(origin_->finished, 0);
  say("mo");
  origin_->writing.reset();
  EXPECT_EQ(reader->read(four).value(), 2U);
  EXPECT_EQ(reader->changed_since(file).value(), std::nullopt);
  EXPECT_TRUE(end.get().value().empty());
  EXPECT_EQ(origin_->finished, 1);
}

TEST_F(OneStream, AStreamThatWasNotAllFailsTheScan) {
  const Entry file = source_->next().value().back();
  origin_->outcome = Error(Code::kIo, "not all of it");
  origin_->writing.reset();
  EXPECT_EQ(read_all(*source_, file).value(), "");
  EXPECT_EQ(source_->next().error().message(), "not all of it");
}

TEST_F(OneStream, IsReadOnce) {
  const Entry file = source_->next().value().back();
  say("x");
  origin_->writing.reset();
  EXPECT_EQ(read_all(*source_, file).value(), "x");
  EXPECT_EQ(source_->open(file).error().code(), Code::kChanged);
}

TEST_F(OneStream, CancellingWakesReaderAndScan) {
  const Entry file = source_->next().value().back();
  auto reader = source_->open(file).value();
  Bytes out(10);
  auto read = std::async(std::launch::async, [&] { return reader->read(out); });
  auto end = std::async(std::launch::async, [&] { return source_->next(); });
  source_->cancel();
  EXPECT_EQ(read.get().error().code(), Code::kInterrupted);
  EXPECT_EQ(end.get().error().code(), Code::kInterrupted);
  EXPECT_EQ(source_->next().error().code(), Code::kInterrupted);
}

TEST_F(OneStream, IsScannedWithTheFoldersAboveIt) {
  EXPECT_EQ(scan(*source_).paths(), (std::vector<std::string>{"", "dumps", "dumps/all.sql"}));
  int visited = 0;
  EXPECT_TRUE(source_->scan([&](Entry&&) { return ++visited < 2; }, [](ScanProblem&&) {}));
  EXPECT_EQ(visited, 2);
  Entry folder;
  folder.path = "dumps";
  EXPECT_EQ(source_->open(folder).error().code(), Code::kChanged);
}

TEST_F(OneStream, ThatTheKernelDoesNotWaitForFailsTheScan) {
  const Entry file = source_->next().value().back();
  say("x");
  EXPECT_TRUE(testing::with_failing_system_calls({SYS_poll, SYS_ppoll}, ENOMEM, [&] {
    EXPECT_EQ(read_all(*source_, file).error().code(), Code::kResourceExhausted);
  }));
  EXPECT_EQ(source_->next().error().code(), Code::kResourceExhausted);
  EXPECT_TRUE(testing::with_failing_system_calls({SYS_eventfd2}, EMFILE, [&] {
    EXPECT_EQ(StreamSource::create("x", std::make_unique<Piped>(), {}).error().code(),
              Code::kResourceExhausted);
  }));
}

// What is open already.
class Opened final : public StreamOrigin {
 public:
  explicit Opened(Descriptor fd) : fd_(std::move(fd)) {}
  Result<int> begin() override { return fd_.get(); }
  Status finish(int) override { return {}; }

 private:
  const Descriptor fd_;
};

TEST(StreamSourceRead, ThatFailsFailsTheScanWithItsFirstError) {
  auto source =
      StreamSource::create(
          "x", std::make_unique<Opened>(Descriptor(::open("/", O_RDONLY | O_CLOEXEC))), {})
          .value();
  const Entry file = source->next().value().back();
  const auto reader = source->open(file).value();
  Bytes out(10);
  EXPECT_NE(reader->read(out).error().message().find("Is a directory"), std::string::npos);
  EXPECT_TRUE(testing::with_failing_system_calls(
      {SYS_read}, EIO, [&] { EXPECT_EQ(reader->read(out).error().code(), Code::kIo); }));
  EXPECT_NE(source->next().error().message().find("Is a directory"), std::string::npos);
}

// As when somebody else has taken what poll(2) saw: a clock that has not run out yet, and a poll(2)
// that says it had.
TEST(StreamSourceRead, IsRepeatedWhenThereIsNothingYet) {
  Descriptor clock(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  const itimerspec soon{{0, 0}, {0, 5'000'000}};
  ASSERT_EQ(::timerfd_settime(clock.get(), 0, &soon, nullptr), 0);
  auto source = StreamSource::create("x", std::make_unique<Opened>(std::move(clock)), {}).value();
  const Entry file = source->next().value().back();
  const auto reader = source->open(file).value();
  Bytes expirations(8);
  EXPECT_TRUE(testing::with_failing_system_calls(
      {SYS_poll, SYS_ppoll}, 0, [&] { EXPECT_EQ(reader->read(expirations).value(), 8U); }));
  EXPECT_EQ(expirations[0], Byte{1});
}

TEST(StreamSourceName, IsThatOfAFile) {
  for (const std::string name : {"", "/", "a/", "..", "../a", "a/../b", "."})
    EXPECT_EQ(StreamSource::create(name, std::make_unique<Piped>(), {}).error().code(),
              Code::kInvalidArgument)
        << name;
  EXPECT_EQ(
      StreamSource::create(std::string("a\0b", 3), std::make_unique<Piped>(), {}).error().code(),
      Code::kInvalidArgument);
  EXPECT_EQ(StreamSource::create("/a//b", std::make_unique<Piped>(), {}).value()->path(), "/a/b");
}

TEST(CommandOutput, IsWhatItPrintsIfItSucceeds) {
  auto source =
      StreamSource::create(
          "x", std::make_unique<CommandOutput>(std::vector<std::string>{"printf", "%s", "a  b\nc"}),
          {})
          .value();
  const Entry file = source->next().value().back();
  EXPECT_EQ(read_all(*source, file).value(), "a  b\nc");
  EXPECT_TRUE(source->next().value().empty());
}

TEST(CommandOutput, ACommandThatFailsOrIsNotThereIsAnError) {
  const auto ends = [](std::vector<std::string> command) {
    auto source =
        StreamSource::create("x", std::make_unique<CommandOutput>(std::move(command)), {}).value();
    const Entry file = source->next().value().back();
    static_cast<void>(read_all(*source, file));
    return source->next();
  };
  EXPECT_NE(ends({"sh", "-c", "echo some; exit 3"}).error().message().find("exit code 3"),
            std::string::npos);
  EXPECT_NE(ends({"sh", "-c", "kill -9 $$"}).error().message().find("signal 9"), std::string::npos);
  EXPECT_EQ(ends({"/nowhere/at-all"}).error().code(), Code::kNotFound);
}

TEST(CommandOutput, ThatCannotBeHadIsAnError) {
  const auto begun = [](std::unique_ptr<StreamOrigin> origin) {
    auto source = StreamSource::create("x", std::move(origin), {}).value();
    const Entry file = source->next().value().back();
    const Status status = source->open(file).error();
    EXPECT_EQ(source->next().error().message(), status.error().message());
    return status.error().code();
  };
  EXPECT_TRUE(testing::with_failing_system_calls({SYS_pipe2}, EMFILE, [&] {
    EXPECT_EQ(begun(std::make_unique<CommandOutput>(std::vector<std::string>{"true"})),
              Code::kResourceExhausted);
  }));
  EXPECT_TRUE(testing::with_failing_system_calls({SYS_fcntl}, EBADF, [&] {
    EXPECT_EQ(begun(std::make_unique<StandardInput>()), Code::kIo) << "it is closed";
  }));
}

TEST(CommandOutput, ACommandThatClosesItAndGoesOnIsNotWaitedForWhenStopped) {
  CommandOutput command({"sh", "-c", "exec >&-; exec sleep 1000"});
  const int reading = command.begin().value();
  Byte byte;
  ASSERT_EQ(::read(reading, &byte, 1), 0);
  const Descriptor stop(::eventfd(1, EFD_CLOEXEC));
  EXPECT_EQ(command.finish(stop.get()).error().code(), Code::kInterrupted);
}

TEST(CommandOutput, ACommandThatGoesOnIsEndedWithItsReader) {
  pid_t child = 0;
  {
    auto source = StreamSource::create("x",
                                       std::make_unique<CommandOutput>(std::vector<std::string>{
                                           "sh", "-c", "echo $$; exec sleep 1000"}),
                                       {})
                      .value();
    const Entry file = source->next().value().back();
    auto reader = source->open(file).value();
    std::string line;
    for (Bytes one(1); reader->read(one).value() == 1 && one[0] != Byte{'\n'};)
      line += static_cast<char>(one[0]);
    child = static_cast<pid_t>(std::stol(line));
    ASSERT_EQ(::kill(child, 0), 0);
  }
  EXPECT_EQ(::kill(child, 0), -1) << "it goes on, or was not reaped";
}

}  // namespace
}  // namespace holdfast::agent
