// What a restore has done so far: counted by workers, read by the loop. Thread-safe.
#pragma once

#include <algorithm>
#include <mutex>

#include "agent/restore_options.h"

namespace holdfast::agent {

class RestoreLedger {
 public:
  enum class Outcome { kWritten, kLinked, kSkipped, kFailed };

  void found_file(std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    ++progress_.files_found;
    progress_.bytes_found += bytes;
  }
  void found_all() {
    const std::lock_guard lock(mutex_);
    progress_.all_found = true;
  }
  // A regular file has come to its end. `ordinal`: its place among those of the plan.
  void file(Outcome outcome, std::uint64_t ordinal, std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    ++progress_.files_done;
    progress_.bytes_done += bytes;
    if (outcome == Outcome::kSkipped) ++result_.skipped;
    if (outcome == Outcome::kFailed) ++result_.failed;
    if (outcome != Outcome::kWritten && outcome != Outcome::kLinked) return;
    ++result_.files;
    result_.bytes += bytes;
    if (outcome == Outcome::kLinked) ++result_.hard_links;
    if (written_.size() <= ordinal)
      written_.resize(std::max<std::size_t>(ordinal + 1, written_.size() * 2));
    written_[ordinal] = true;
  }
  void folder() { add(result_.folders); }
  void other() { add(result_.others); }
  void skipped_other() { add(result_.skipped); }
  void failed_other() { add(result_.failed); }
  void removed() { add(result_.removed); }
  void verified() {
    const std::lock_guard lock(mutex_);
    ++result_.verified;
    ++progress_.files_verified;
  }
  void problem(const std::string& path, Error error) {
    const std::lock_guard lock(mutex_);
    if (++result_.problem_count <= kMostProblems)
      result_.problems.push_back({path, std::move(error)});
  }

  bool was_written(std::uint64_t ordinal) const {
    const std::lock_guard lock(mutex_);
    return ordinal < written_.size() && written_[ordinal];
  }
  RestoreProgress progress() const {
    const std::lock_guard lock(mutex_);
    return progress_;
  }
  RestoreResult take_result() {
    const std::lock_guard lock(mutex_);
    return std::move(result_);
  }

 private:
  void add(std::uint64_t& figure) {
    const std::lock_guard lock(mutex_);
    ++figure;
  }
  mutable std::mutex mutex_;
  RestoreProgress progress_;
  RestoreResult result_;
  std::vector<bool> written_;
};

}  // namespace holdfast::agent
