#include "cli/output.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "cli/progress_display.h"
#include "tests/unit/cli/redirected.h"

namespace holdfast::cli {
namespace {

// Standard error is a terminal, which this process may have none of.
class OutputOnATerminal : public ::testing::Test {
 protected:
  OutputOnATerminal() { ::setenv("TERM", "xterm", 1); }
  Terminal terminal_{12};
  Output output_{"holdfast"};
};

TEST_F(OutputOnATerminal, DrawsOnlyWherePeopleWatch) {
  {
    const Descriptor file(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    const Redirected away(stderr, file.get());
    EXPECT_FALSE(output_.can_draw());
  }
  const Redirected here(stderr, terminal_.descriptor());
  EXPECT_TRUE(output_.can_draw());
  ::setenv("TERM", "dumb", 1);
  EXPECT_FALSE(output_.can_draw());
  ::unsetenv("TERM");
  EXPECT_FALSE(output_.can_draw());
  ::setenv("TERM", "xterm", 1);
  output_.verbosity = 0;
  EXPECT_FALSE(output_.can_draw());
  output_.verbosity = 1;
  output_.json = true;
  EXPECT_FALSE(output_.can_draw());
}

TEST_F(OutputOnATerminal, DrawsOverWhatWasDrawnBefore) {
  const Redirected here(stderr, terminal_.descriptor());
  output_.draw({"one", "two"});
  EXPECT_EQ(terminal_.shown(), "\r\033[Kone\n\r\033[Ktwo\n");
  output_.draw({"three"});
  EXPECT_EQ(terminal_.shown(), "\033[2A\r\033[Kthree\n\r\033[K\n") << "what is left of the second";
  output_.note("a note");
  EXPECT_EQ(terminal_.shown(), "\033[2A\r\033[Ja note\n");
  output_.draw({"four"});
  terminal_.shown();
  output_.erase();
  EXPECT_EQ(terminal_.shown(), "\033[1A\r\033[J");
  output_.erase();
  EXPECT_EQ(terminal_.shown(), "");
}

// A line that the terminal breaks would be two, and the next drawing one line too low.
TEST_F(OutputOnATerminal, CutsLinesToItsWidthBetweenCharacters) {
  const Redirected here(stderr, terminal_.descriptor());
  output_.draw({"0123456789abcdef",
                "\u00e4\u00f6\u00fc\u00e4\u00f6\u00fc\u00e4\u00f6\u00fc\u00e4\u00f6\u00fc"});
  EXPECT_EQ(terminal_.shown(),
            "\r\033[K0123456789a\n"
            "\r\033[K\u00e4\u00f6\u00fc\u00e4\u00f6\u00fc\u00e4\u00f6\u00fc\u00e4\u00f6\n");
}

TEST_F(OutputOnATerminal, ThatDoesNotSayHowWideItIsCountsAs80Columns) {
  Terminal silent(0);
  const Redirected here(stderr, silent.descriptor());
  output_.draw({std::string(100, 'x')});
  EXPECT_EQ(silent.shown(), "\r\033[K" + std::string(79, 'x') + "\n");
}

class ProgressOnATerminal : public OutputOnATerminal {
 protected:
  // Two pictures of what goes on, and the end.
  void show_progress() {
    Workplace work;
    std::function<void(bool)> done;
    int pictures = 0;
    const ProgressDisplay display(work, output_, [&]() -> ProgressDisplay::Picture {
      if (++pictures == 2) done(true);
      return {{fmt::format("part {}", pictures), "more"}, Json{{"part", pictures}}};
    });
    if (output_.verbosity == 0) return;
    work.await<bool>([&](const std::function<void(bool)>& finish) { done = finish; });
  }
};

TEST_F(ProgressOnATerminal, IsDrawnAndGoesWithoutATrace) {
  const Redirected here(stderr, terminal_.descriptor());
  show_progress();
  EXPECT_EQ(terminal_.shown(),
            "\r\033[Kpart 1\n\r\033[Kmore\n"
            "\033[2A\r\033[Kpart 2\n\r\033[Kmore\n"
            "\033[2A\r\033[J");
  output_.verbosity = 0;
  show_progress();
  EXPECT_EQ(terminal_.shown(), "");
}

TEST_F(ProgressOnATerminal, IsObjectsOnStandardOutputWithJson) {
  output_.json = true;
  const Redirected here(stderr, terminal_.descriptor());
  ::testing::internal::CaptureStdout();
  show_progress();
  std::fflush(stdout);
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "{\"part\":1}\n{\"part\":2}\n");
  EXPECT_EQ(terminal_.shown(), "");
}

TEST(ClockText, HasHoursWhereThereAreSome) {
  EXPECT_EQ(clock_text(std::chrono::seconds(123)), "2:03");
  EXPECT_EQ(clock_text(std::chrono::seconds(3723)), "1:02:03");
}

TEST(Bar, IsEmptyOfNothingAndNeverMoreThanFull) {
  EXPECT_EQ(bar(0, 0), "[                        ]   0%");
  EXPECT_EQ(bar(1, 2), "[############            ]  50%");
  EXPECT_EQ(bar(3, 2), "[########################] 100%") << "a file that grew";
}

class OutputToAFullDisk : public ::testing::Test {
 protected:
  // On a stream that buffers, as it does for programs.
  template <typename Print>
  void print_until_it_is_closed(const Print& print) {
    const Redirected here(stdout, full_.get());
    for (int line = 0; line < 1'000'000 && output_.is_open(); ++line) print();
    EXPECT_FALSE(output_.is_open());
    const Status flushed = output_.flush();
    ASSERT_FALSE(flushed);
    EXPECT_EQ(flushed.error().code(), Code::kIo);
  }
  const Descriptor full_{::open("/dev/full", O_WRONLY | O_CLOEXEC)};
  Output output_{"holdfast"};
};

TEST_F(OutputToAFullDisk, IsSeenWithinALine) {
  print_until_it_is_closed([&] { output_.line(std::string(100'000, 'x')); });
}

TEST_F(OutputToAFullDisk, IsSeenAtTheEndOfALine) {
  print_until_it_is_closed([&] { output_.line(""); });
}

TEST_F(OutputToAFullDisk, IsSeenAtTheEndAtTheLatest) {
  const Redirected here(stdout, full_.get());
  output_.line("a line");
  EXPECT_TRUE(output_.is_open()) << "it is still in this process";
  EXPECT_FALSE(output_.flush());
  EXPECT_FALSE(output_.is_open());
}

TEST_F(OutputToAFullDisk, OfStandardErrorLosesNoResult) {
  const Redirected here(stderr, full_.get());
  output_.warning(std::string(100'000, 'x'));
  EXPECT_TRUE(output_.is_open());
  EXPECT_TRUE(output_.flush());
}

TEST(OutputOfAText, IsThatTextWithOneLineEndAlsoWithJson) {
  Output output("holdfast");
  for (const bool json : {false, true}) {
    output.json = json;
    ::testing::internal::CaptureStdout();
    output.text("one\ntwo\n\n");
    EXPECT_TRUE(output.flush());
    EXPECT_EQ(::testing::internal::GetCapturedStdout(), "one\ntwo\n");
  }
}

TEST(BytesInJson, AreExactInBase64WhereTheyAreNoText) {
  Json object;
  put_bytes(object, "text", "a");
  put_bytes(object, "bytes", "\xff");
  put_all(object, "texts", {"a", "b"});
  put_all(object, "mixed", {"a", "\xff", "b"});
  EXPECT_EQ(object, (Json{{"text", "a"},
                          {"bytes", "\\xff"},
                          {"bytes_base64", "/w=="},
                          {"texts", {"a", "b"}},
                          {"mixed", {"a", "\\xff", "b"}},
                          {"mixed_base64", {"YQ==", "/w==", "Yg=="}}}));
}

}  // namespace
}  // namespace holdfast::cli
