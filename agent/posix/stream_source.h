// A stream of unknown length as a source tree of one file, for a backup of what a program prints.
//
// The scan ends when the stream has, with the stream's own outcome: a stream that fails fails the
// backup, and nothing of it becomes visible. It is read once. A node that was away cannot be
// brought up to date from it and gets the content with a later backup, or from another node.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "agent/entry_stream.h"
#include "agent/posix/stream_origin.h"
#include "common/ports/clock.h"

namespace holdfast::agent {

class StreamSource final : public SourceTree, public EntryStream {
 public:
  // `name`: where the file stands in the snapshot, "/" before it or not; folders above it are made
  // up. `now` is its time. kInvalidArgument for a name that cannot be one.
  static Result<std::unique_ptr<StreamSource>> create(const std::string& name,
                                                      std::unique_ptr<StreamOrigin> origin,
                                                      UnixTime now);
  // The path as in a snapshot's record.
  std::string path() const { return "/" + entries_.back().path; }

  // Visits the entries; says nothing of the stream.
  Status scan(const std::function<bool(Entry&&)>& visit,
              const std::function<void(ScanProblem&&)>& problem) override;
  Status describe(Entry&) override { return {}; }
  // Begins the stream. kChanged if it was begun before.
  Result<std::unique_ptr<ContentReader>> open(const Entry& entry) override;

  // The entries at the first call; the second waits for the end of the stream.
  Result<std::vector<Entry>> next() override;
  std::vector<ScanProblem> take_problems() override { return {}; }
  // Ends both, what waits too; they fail with kInterrupted from now on. From any thread.
  void cancel();

 private:
  class Reader;
  enum class State { kUnopened, kReading, kAtEnd, kFailed };

  StreamSource(std::vector<Entry> entries, std::unique_ptr<StreamOrigin> origin,
               Descriptor cancelled)
      : entries_(std::move(entries)),
        origin_(std::move(origin)),
        cancelled_(std::move(cancelled)) {}
  void become(State state, std::optional<Error> failure = std::nullopt);

  const std::vector<Entry> entries_;
  const std::unique_ptr<StreamOrigin> origin_;
  const Descriptor cancelled_;  // an eventfd: readable once cancelled

  std::mutex mutex_;
  std::condition_variable changed_;
  State state_ = State::kUnopened;  // guarded by mutex_, as all below
  std::optional<Error> failure_;
  bool scanned_ = false, stopped_ = false;
};

}  // namespace holdfast::agent
