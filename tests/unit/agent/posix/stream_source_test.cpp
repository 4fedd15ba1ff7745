#include "agent/posix/stream_source.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <future>
#include <thread>

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

TEST(StreamSourceName, IsThatOfAFile) {
  for (const std::string name : {"", "/", "a/", "..", "../a", "a/../b", "."})
    EXPECT_EQ(StreamSource::create(name, std::make_unique<Piped>(), {}).error().code(),
              Code::kInvalidArgument)
        << name;
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
