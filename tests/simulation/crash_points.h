// Every way in which a piece of work can be cut off: before, within and after each call that
// changes the disk, with each kind of loss behind it; and for each of these, every way in which
// what starts over that disk can be cut off again.
//
// What must hold is said by the subject. This explorer runs it and counts the disks that were met.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "tests/simulation/sim_file_system.h"

namespace holdfast::simulation {

// A piece of work over a disk of its own. Made anew for every run; what it does until the disk
// stops must be the same in each.
class CrashSubject {
 public:
  virtual ~CrashSubject() = default;

  SimFileSystem& disk() { return disk_; }

  // Does the work and writes down what was acknowledged. Ends early, and without complaint, once
  // the disk has stopped.
  virtual void work() = 0;
  // The process is gone, and all that it had in memory; the disk stays as it is.
  virtual void end_process() = 0;
  // One of CrashOptions::sorts_of_harm, done to the disk before recover(), when no process runs.
  // Sort 0 is none.
  virtual void harm(unsigned /*sort*/, Random&) {}
  // What a process does that starts over this disk. Expects that it succeeds, unless the disk
  // stops.
  virtual void recover() = 0;
  // Expects all that must hold behind recover().
  virtual void check() = 0;
  // What can be observed now, as one number: recovering twice must not change it.
  virtual std::uint64_t observed() = 0;
  // How much was acknowledged so far: one disk is another state with more promises about it.
  virtual std::uint64_t promised() const = 0;
  // Does and acknowledges more, as is possible behind any recovery. Expects that it succeeds.
  virtual void go_on() = 0;
  // The disk works again, and the process was not ended: brings it to where it takes work.
  virtual void settle() = 0;

  // While errors are expected, none is a failure of the test.
  void expect_errors(bool expected) { errors_expected_ = expected; }
  // Behind a crash that kept some of what was not synced, a record may lie behind one that is gone:
  // that is reported as damage is, though nothing acknowledged is missing.
  void expect_gaps(bool expected) { gaps_expected_ = expected; }
  bool gaps_expected() const { return gaps_expected_; }
  bool excused() const { return errors_expected_ || disk_.stopped(); }
  // The first error that the work met, whoever it was told to.
  const std::optional<Error>& first_error() const { return first_error_; }

 protected:
  // Fails the test for an error that nothing excuses.
  void expect(const Status& status, const char* what);

 private:
  SimFileSystem disk_;
  bool errors_expected_ = false, gaps_expected_ = false;
  std::optional<Error> first_error_;
};

struct CrashFigures {
  std::uint64_t calls = 0;    // that change the disk, in the whole work
  std::uint64_t runs = 0;     // ended by a crash and recovered from
  std::uint64_t crashes = 0;  // those, and the ones within recoveries
  std::uint64_t states = 0;   // distinct disks, with what was promised, that a recovery began with
};

// In one line, for the log of a test.
std::string describe(const CrashFigures& figures);

struct CrashOptions {
  unsigned subsets = 3;  // drawn for each call: what a crash keeps of what was not synced
  unsigned sorts_of_harm = 1;
};

// Stops at the first run that fails a test's expectation, having said how to come there.
CrashFigures explore_crashes(const std::function<std::unique_ptr<CrashSubject>()>& make,
                             Random& random, CrashOptions options = {});

// Every call made to fail with each of the codes that a device has, once and for good. What must
// hold is the same: at once, when the disk works again; and behind a power cut that keeps nothing.
// And the first error says that it was this one. How often a call failed.
std::uint64_t explore_errors(const std::function<std::unique_ptr<CrashSubject>()>& make,
                             Random& random);

}  // namespace holdfast::simulation
