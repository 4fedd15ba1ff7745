// For each call n of the work, each point of it and each loss:
//
//   work, stop at n -> loss, harm -> [recover, stop at m -> loss -> recover -> check] for each m
//                                   -> recover -> check -> recover -> same -> go on
//                                      -> power cut, nothing kept -> recover -> check
//
// The disk behind the first loss is kept, so that the work is done once for all m. A
// disk that was met before is not gone into again: a crash in between two syncs often leaves one.
#include "tests/simulation/crash_points.h"

#include <gtest/gtest.h>

#include <array>
#include <unordered_set>

namespace holdfast::simulation {
namespace {

constexpr std::array kPoints{StopPoint::kBefore, StopPoint::kTorn, StopPoint::kAfter};
constexpr std::array kPointNames{"before", "within", "after"};

// What is left behind a stop. The process alone may have been killed: then all that it wrote is
// seen by the next one, on the device or not.
enum class Loss { kNothingKept, kEverythingKept, kProcessKilled, kSubsetKept };
constexpr std::array kLossNames{"all unsynced is lost", "nothing is lost", "the process was killed",
                                "some unsynced is lost"};
constexpr std::uint64_t kLosses = kLossNames.size();

class Exploration {
 public:
  Exploration(const std::function<std::unique_ptr<CrashSubject>()>& make, Random& random,
              CrashOptions options)
      : make_(make), random_(random), options_(options) {}

  CrashFigures run() {
    const unsigned losses = static_cast<unsigned>(Loss::kSubsetKept) + options_.subsets;
    for (std::uint64_t call = 1;; ++call) {
      for (std::size_t point = 0; point < kPoints.size(); ++point) {
        for (unsigned way = 0; way < losses * options_.sorts_of_harm; ++way) {
          const auto loss = static_cast<Loss>(std::min<std::uint64_t>(way % losses, kLosses - 1));
          if (!run_to(call, point, loss, way / losses)) {
            figures_.calls = call - 1;
            return figures_;
          }
          if (::testing::Test::HasFailure()) return figures_;
        }
      }
    }
  }

 private:
  // False if the work has no such call.
  bool run_to(std::uint64_t call, std::size_t point, Loss loss, unsigned harm) {
    SCOPED_TRACE(described("stopped", call, point, loss) + ", harm " + std::to_string(harm));
    std::unique_ptr<CrashSubject> subject = make_();
    subject->disk().stop_at(call, kPoints[point], random_);
    subject->work();
    if (!subject->disk().stopped()) {
      subject->end_process();
      return false;
    }
    lose(*subject, loss);
    subject->harm(harm, random_);
    subject->expect_gaps(loss == Loss::kSubsetKept);
    if (!is_new(*subject)) return true;
    const SimFileSystem::Moment crashed = subject->disk().moment();
    crash_within_recovery(*subject, crashed);
    if (!::testing::Test::HasFailure()) recover_twice(*subject, crashed);
    if (!::testing::Test::HasFailure()) go_on(*subject);
    subject->end_process();
    return true;
  }

  static std::string described(const std::string& what, std::uint64_t call, std::size_t point,
                               Loss loss) {
    return what + " " + kPointNames[point] + " call " + std::to_string(call) + ", " +
           kLossNames[static_cast<std::size_t>(loss)];
  }

  bool is_new(CrashSubject& subject) {
    constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15;
    if (!states_.insert(subject.disk().fingerprint() ^ (subject.promised() * kOdd)).second)
      return false;
    ++figures_.states;
    return true;
  }

  void lose(CrashSubject& subject, Loss loss) {
    ++figures_.crashes;
    SimFileSystem& disk = subject.disk();
    switch (loss) {
      case Loss::kNothingKept:
        disk.crash(CrashKeeps::kNothing, random_);
        break;
      case Loss::kEverythingKept:
        disk.crash(CrashKeeps::kEverything, random_);
        break;
      case Loss::kProcessKilled:
        disk.kill();
        break;
      case Loss::kSubsetKept:
        disk.crash(CrashKeeps::kSome, random_);
        break;
    }
    subject.end_process();
  }

  void crash_within_recovery(CrashSubject& subject, const SimFileSystem::Moment& crashed) {
    const bool gaps = subject.gaps_expected();
    for (std::uint64_t call = 1; !::testing::Test::HasFailure(); ++call) {
      for (std::size_t point = 0; point < kPoints.size(); ++point) {
        const auto loss = static_cast<Loss>(random_.below(kLosses));
        SCOPED_TRACE(described("recovery stopped", call, point, loss));
        subject.disk().return_to(crashed);
        subject.disk().stop_at(call, kPoints[point], random_);
        subject.recover();
        if (!subject.disk().stopped()) {
          subject.end_process();
          return;
        }
        lose(subject, loss);
        if (!is_new(subject)) continue;
        ++figures_.runs;
        subject.expect_gaps(gaps || loss == Loss::kSubsetKept);
        subject.recover();
        subject.check();
        subject.end_process();
        subject.expect_gaps(gaps);
      }
    }
  }

  void recover_twice(CrashSubject& subject, const SimFileSystem::Moment& crashed) {
    ++figures_.runs;
    subject.disk().return_to(crashed);
    subject.recover();
    if (::testing::Test::HasFailure()) return;
    subject.check();
    const std::uint64_t observed = subject.observed();
    subject.disk().kill();
    subject.end_process();
    subject.recover();
    EXPECT_EQ(subject.observed(), observed) << "recovering again changes what is there";
  }

  void go_on(CrashSubject& subject) {
    SCOPED_TRACE("gone on, and the power was cut");
    subject.go_on();
    if (::testing::Test::HasFailure()) return;
    ++figures_.crashes;
    subject.disk().crash(CrashKeeps::kNothing, random_);
    subject.end_process();
    subject.recover();
    if (!::testing::Test::HasFailure()) subject.check();
  }

  const std::function<std::unique_ptr<CrashSubject>()>& make_;
  Random& random_;
  const CrashOptions options_;
  CrashFigures figures_;
  std::unordered_set<std::uint64_t> states_;
};

}  // namespace

void CrashSubject::expect(const Status& status, const char* what) {
  if (status) return;
  EXPECT_TRUE(excused()) << what << ": " << status.error().message();
  if (!first_error_) first_error_ = status.error();
}

std::string describe(const CrashFigures& figures) {
  return std::to_string(figures.calls) + " calls, " + std::to_string(figures.crashes) +
         " crashes, " + std::to_string(figures.states) + " distinct states, " +
         std::to_string(figures.runs) + " recoveries checked";
}

namespace {

// False if the work makes no such call.
bool run_with_error(CrashSubject& subject, std::uint64_t call, Code code, bool for_good) {
  SimFileSystem& disk = subject.disk();
  const std::uint64_t before = disk.calls();
  disk.fail_call(call, code, for_good);
  subject.expect_errors(true);
  subject.work();
  const bool reached = disk.calls() - before >= call;
  disk.clear_faults();
  subject.expect_errors(false);
  // Some calls may fail without harm; else the reason is told with the first thing that did not do.
  if (const auto& error = subject.first_error()) {
    EXPECT_NE(error->message().find("injected fault"), std::string::npos) << error->message();
    // A store that the error made read-only says so, and why.
    EXPECT_TRUE(error->code() == code || error->code() == Code::kReadOnly) << error->message();
  }
  return reached;
}

}  // namespace

std::uint64_t explore_errors(const std::function<std::unique_ptr<CrashSubject>()>& make,
                             Random& random) {
  std::uint64_t failed = 0;
  for (const Code code : {Code::kIo, Code::kNoSpace}) {
    for (const bool for_good : {false, true}) {
      for (std::uint64_t call = 1;; ++call) {
        SCOPED_TRACE("call " + std::to_string(call) + " failed with " + std::string(name(code)) +
                     (for_good ? " for good" : " once"));
        std::unique_ptr<CrashSubject> live = make();
        if (!run_with_error(*live, call, code, for_good)) break;
        ++failed;
        live->settle();
        if (!::testing::Test::HasFailure()) live->check();
        if (!::testing::Test::HasFailure()) live->go_on();
        live->disk().crash(CrashKeeps::kNothing, random);
        live->end_process();
        live->recover();
        if (!::testing::Test::HasFailure()) live->check();
        live->end_process();
        if (::testing::Test::HasFailure()) return failed;

        const std::unique_ptr<CrashSubject> cut = make();
        run_with_error(*cut, call, code, for_good);
        cut->disk().crash(CrashKeeps::kNothing, random);
        cut->end_process();
        cut->recover();
        if (!::testing::Test::HasFailure()) cut->check();
        if (!::testing::Test::HasFailure()) cut->go_on();
        cut->end_process();
        if (::testing::Test::HasFailure()) return failed;
      }
    }
  }
  return failed;
}

CrashFigures explore_crashes(const std::function<std::unique_ptr<CrashSubject>()>& make,
                             Random& random, CrashOptions options) {
  return Exploration(make, random, options).run();
}

}  // namespace holdfast::simulation
