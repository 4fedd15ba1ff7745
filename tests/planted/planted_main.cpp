// Checks the checkers: brings one bug into the production code and runs what must notice it, seeds
// of the swarm or tests. A bug may end the process, so --prove starts another one for each.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "common/base/check.h"
#include "tests/planted/planted_bugs.h"
#include "tests/simulation/swarm_command.h"

namespace holdfast::testing {
namespace {

constexpr std::string_view kUsage = R"(usage: planted_bugs OPTION...

  --list              the names of all bugs
  --plant NAME        with this bug: runs what must notice it; ends with 1 if that does
    --tests FILTER    these tests instead of what must notice it
    OPTION...         the simulator with these options (--help lists them) instead
  --prove I/N         of all bugs every Nth, from the Ith on: each must be noticed
  --sound I/N         without any bug: of the seeds every Nth, and the tests, must notice nothing
)";

// The budget of a bug. It stops at the first violation, which mostly is in one of the first few.
constexpr std::uint64_t kMostSeeds = 40;
constexpr const char* kSeedOfTests = "1";

struct Options {
  bool list = false;
  std::string plant;
  std::vector<std::string> of_the_simulator;
  std::optional<std::string> tests;
  std::optional<std::pair<std::uint64_t, std::uint64_t>> prove, sound;
};

[[noreturn]] void fail_usage(const std::string& why) {
  fmt::print(stderr, "planted_bugs: {}\n{}", why, kUsage);
  std::exit(2);
}

std::uint64_t to_number(const std::string& text) {
  char* end = nullptr;
  const auto value = std::strtoull(text.c_str(), &end, 10);
  if (text.empty() || *end != '\0') fail_usage(text + ": not a number");
  return value;
}

std::pair<std::uint64_t, std::uint64_t> to_part(const std::string& text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string::npos) fail_usage(text + ": not a part of something");
  const std::pair part{to_number(text.substr(0, slash)), to_number(text.substr(slash + 1))};
  if (part.first < 1 || part.first > part.second) fail_usage(text + ": no such part");
  return part;
}

Options parse(const std::vector<std::string>& words) {
  Options options;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "--list") {
      options.list = true;
      continue;
    }
    const bool known =
        word == "--plant" || word == "--tests" || word == "--prove" || word == "--sound";
    if (!known) {
      options.of_the_simulator.push_back(word);
      continue;
    }
    if (i + 1 == words.size()) fail_usage(word + ": its value is missing");
    const std::string& value = words[++i];
    if (word == "--plant")
      options.plant = value;
    else if (word == "--tests")
      options.tests = value;
    else if (word == "--prove")
      options.prove = to_part(value);
    else
      options.sound = to_part(value);
  }
  return options;
}

// ---- one bug, in this process

// What is said when a broken check() ends the process; made before each test.
std::array<char, 400> last_words{};

void on_abort(int) {
  static_cast<void>(!write(STDOUT_FILENO, last_words.data(), std::strlen(last_words.data())));
}

std::string command_with(std::string_view bug) {
  return fmt::format("./dev sim --plant \"{}\"", bug);
}

// Tells of the first failure alone; the rest is on stdout.
class FirstFailure final : public ::testing::EmptyTestEventListener {
 public:
  void OnTestStart(const ::testing::TestInfo& info) override {
    test_ = fmt::format("{}.{}", info.test_suite_name(), info.name());
    std::snprintf(last_words.data(), last_words.size(), "caught by a check() in %s\n",
                  test_.c_str());
  }
  void OnTestPartResult(const ::testing::TestPartResult& result) override {
    if (!result.failed() || !said_.empty()) return;
    std::string summary = result.summary();
    for (char& c : summary)
      if (c == '\n') c = ' ';
    said_ = fmt::format("caught by {}: {}", test_, summary.substr(0, 300));
  }
  const std::string& said() const { return said_; }

 private:
  std::string test_, said_;
};

bool run_tests(std::string_view bug, const std::string& filter) {
  setenv("HOLDFAST_SEED", kSeedOfTests, 1);
  ::testing::InitGoogleTest();  // without the words of this program
  ::testing::GTEST_FLAG(filter) = filter;
  ::testing::GTEST_FLAG(fail_fast) = true;
  auto* first = new FirstFailure;  // GoogleTest deletes it
  ::testing::UnitTest::GetInstance()->listeners().Append(first);
  const bool caught = RUN_ALL_TESTS() != 0;
  if (::testing::UnitTest::GetInstance()->test_to_run_count() == 0)
    fail_usage(filter + ": there is no such test");
  if (caught) fmt::print("{}\nreplay: {}\n", first->said(), command_with(bug));
  return caught;
}

int run_bug(const PlantedBug& bug, const Options& options) {
  plant(bug);
  const std::string tests = options.tests.value_or(std::string(bug.tests));
  std::vector<std::string> words = options.of_the_simulator;
  if (words.empty() && tests.empty())
    words = {"--first", "1", "--seeds", std::to_string(kMostSeeds), "--jobs", "1"};
  if (!words.empty()) return swarm_command(command_with(bug.name), words);
  std::signal(SIGABRT, on_abort);
  if (run_tests(bug.name, tests)) return 1;
  fmt::print("\"{}\" is not noticed\n", bug.name);
  return 0;
}

// ---- all of them, in processes of their own

struct Ended {
  int status = 0;
  std::string said;
};

Ended run_apart(const PlantedBug& bug) {
  std::array<int, 2> ends{};
  check(pipe(ends.data()) == 0, "a pipe");
  std::fflush(stdout);
  const pid_t child = fork();
  check(child >= 0, "a process");
  if (child == 0) {
    dup2(ends[1], STDOUT_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    const std::string name(bug.name);
    execl("/proc/self/exe", "planted_bugs", "--plant", name.c_str(), nullptr);
    _exit(127);
  }
  close(ends[1]);
  Ended ended;
  std::array<char, 4096> piece{};
  for (ssize_t got; (got = read(ends[0], piece.data(), piece.size())) > 0;)
    ended.said.append(piece.data(), static_cast<std::size_t>(got));
  close(ends[0]);
  waitpid(child, &ended.status, 0);
  return ended;
}

// The lines that begin with `word`.
std::string lines_of(const std::string& text, std::string_view word) {
  std::string lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    if (const std::string line = text.substr(at, end - at); line.starts_with(word))
      lines += "  " + line + "\n";
    at = end + 1;
  }
  return lines;
}

// Found wanting by a violation, a failed test or a broken check(); any other end is no proof.
int prove(std::pair<std::uint64_t, std::uint64_t> part) {
  std::size_t missed = 0, proved = 0;
  const auto bugs = planted_bugs();
  for (std::size_t i = part.first - 1; i < bugs.size(); i += part.second) {
    const auto began = std::chrono::steady_clock::now();
    const Ended ended = run_apart(bugs[i]);
    const std::string caught =
        lines_of(ended.said, "caught by ") + lines_of(ended.said, "FAILED: ");
    const bool noticed = WIFEXITED(ended.status) && WEXITSTATUS(ended.status) == 1;
    const bool aborted = WIFSIGNALED(ended.status) && WTERMSIG(ended.status) == SIGABRT;
    const bool good = (noticed || aborted) && !caught.empty();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    fmt::print("{}: {} ({:.1f} s)\n{}{}{}", bugs[i].name, good ? "noticed" : "NOT NOTICED",
               took.count(), caught, lines_of(ended.said, "holdfast: broken invariant"),
               lines_of(ended.said, "replay: "));
    if (!good) fmt::print("it said:\n{}\n", ended.said);
    ++(good ? proved : missed);
  }
  fmt::print("{} bugs noticed, {} not\n", proved, missed);
  return missed == 0 && proved != 0 ? 0 : 1;
}

int check_soundness(std::pair<std::uint64_t, std::uint64_t> part) {
  const int failed =
      swarm_command("./dev sim", {"--first", "1", "--seeds", std::to_string(kMostSeeds), "--jobs",
                                  "1", "--part", fmt::format("{}/{}", part.first, part.second)});
  if (failed != 0) return failed;
  std::string filter;
  for (const PlantedBug& bug : planted_bugs())
    if (!bug.tests.empty()) filter += std::string(bug.tests) + ":";
  return part.first == 1 && run_tests("", filter) ? 1 : 0;
}

int run(int argc, char** argv) {
  const Options options = parse({argv + 1, argv + argc});
  if (options.list) {
    for (const PlantedBug& bug : planted_bugs()) fmt::print("{}\n", bug.name);
    return 0;
  }
  if (options.prove) return prove(*options.prove);
  if (options.sound) return check_soundness(*options.sound);
  const PlantedBug* bug = find_planted_bug(options.plant);
  if (bug == nullptr) fail_usage(options.plant + ": there is no such bug; see --list");
  return run_bug(*bug, options);
}

}  // namespace
}  // namespace holdfast::testing

int main(int argc, char** argv) { return holdfast::testing::run(argc, argv); }
