// The ports of a node under a test's control: time passes, work runs and devices fail when the test
// says so.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/ports/clock.h"
#include "common/ports/executor.h"
#include "common/ports/file_system.h"
#include "common/ports/random.h"
#include "common/ports/transport.h"
#include "common/posix/posix_file_system.h"
#include "common/wire/message.h"
#include "repository/event_log.h"
#include "repository/invitations.h"
#include "tests/testing/observed_files.h"
#include "tests/testing/seed.h"
#include "tests/testing/seeded_random.h"
#include "tests/unit/common/posix/temporary_folder.h"

namespace holdfast::repository {

class ManualClock final : public Clock {
 public:
  Instant now() const override { return {(at_ += pace).count()}; }
  UnixTime wall() const override { return {kEpoch + at_.count()}; }
  void advance(Duration by) { at_ += by; }
  Duration pace{0};  // passes whenever somebody looks

 private:
  static constexpr std::int64_t kEpoch = 1'800'000'000'000'000'000;
  mutable Duration at_{0};
};

class ManualLoop final : public EventLoop {
 public:
  explicit ManualLoop(ManualClock& clock) : clock_(clock) {}
  void post(Task task) override { posted_.push_back(std::move(task)); }
  TimerId after(Duration delay, Task task) override {
    const TimerId id = ++last_timer_;
    timers_.emplace(id, Timer{clock_.now() + delay, std::move(task)});
    return id;
  }
  void cancel(TimerId timer) override { timers_.erase(timer); }

  // Runs what is posted; true if there was something.
  bool run_posted() {
    const bool any = !posted_.empty();
    while (!posted_.empty()) {
      Task task = std::move(posted_.front());
      posted_.pop_front();
      task();
    }
    return any;
  }
  // Lets time pass, and runs the timers that are due then.
  void advance(Duration by) {
    clock_.advance(by);
    std::vector<TimerId> due;
    for (const auto& [id, timer] : timers_)
      if (timer.due <= clock_.now()) due.push_back(id);
    for (const TimerId id : due)
      if (auto timer = timers_.extract(id)) timer.mapped().task();
    run_posted();
  }
  std::size_t timers() const { return timers_.size(); }
  void forget_everything() {
    posted_.clear();
    timers_.clear();
  }

 private:
  struct Timer {
    Instant due;
    Task task;
  };
  ManualClock& clock_;
  std::deque<Task> posted_;
  std::map<TimerId, Timer> timers_;
  TimerId last_timer_ = 0;
};

class ManualExecutor final : public Executor {
 public:
  void submit(Task work) override { work_.push_back(std::move(work)); }
  unsigned concurrency() const override { return 1; }
  bool run_one() {
    if (work_.empty()) return false;
    Task work = std::move(work_.front());
    work_.pop_front();
    work();
    return true;
  }
  std::size_t waiting() const { return work_.size(); }
  void forget_everything() { work_.clear(); }

 private:
  std::deque<Task> work_;
};

class RecordingResponder final : public Responder {
 public:
  struct Reply {
    wire::ReplyProto proto;
    SharedBytes body;
    Peer to;
  };
  void reply(const Peer& peer, Message message) override {
    auto proto = wire::decode_reply(message.head);
    check(proto.has_value(), "a node sent what is no reply");
    const std::uint64_t id = proto->id();
    const bool first = replies.emplace(id, Reply{*std::move(proto), message.body, peer}).second;
    check(first, "a request was answered twice");
  }
  void disconnect(const Peer& peer) override { disconnected.push_back(peer); }

  std::map<std::uint64_t, Reply> replies;
  std::vector<Peer> disconnected;
};

class TestInvitations final : public Invitations {
 public:
  Result<std::optional<Invitation>> find(const CurveKey& key) override {
    if (fail_to_find) return Error(Code::kIo, "the invitations cannot be read");
    const auto found = issued.find(key);
    return found == issued.end() ? std::nullopt : std::optional(found->second);
  }
  Status bind(const CurveKey& key, const RepositoryId& repository) override {
    if (fail_to_bind) return Error(Code::kIo, "the invitation cannot be written");
    Invitation& invitation = issued.at(key);
    if (invitation.used_for && invitation.used_for != repository)
      return Error(Code::kConflict, "the invitation was used for another repository");
    invitation.used_for = repository;
    return {};
  }
  std::map<CurveKey, Invitation> issued;
  bool fail_to_bind = false, fail_to_find = false;
};

class RecordingLog final : public EventLog {
 public:
  void note(const Event& event) override {
    events.push_back(event);
    if (event.severity == Severity::kError) errors.push_back(event.line);
  }
  std::vector<Event> events;
  std::vector<std::string> errors;
};

// Files in a folder of the test's own, on a device that fails on demand.
class TestFiles final : public testing::ObservedFiles {
 public:
  TestFiles()
      : ObservedFiles(files_, [this](std::string_view call, const std::string& path) {
          return before(call, path);
        }) {}
  std::string root() const { return folder_.path(); }
  bool syncs_fail = false;
  bool no_space = false;

  Result<std::uint64_t> free_bytes(const std::string&) override {
    return no_space ? 0 : std::uint64_t{1} << 40;
  }

 private:
  Status before(std::string_view call, const std::string& path) const {
    if (no_space && (call == "create" || call == "write_at"))
      return Error(Code::kNoSpace, path + ": No space left on device");
    if (syncs_fail && call == "sync_data")
      return Error(Code::kIo, path + ": fdatasync: Input/output error");
    return {};
  }

  TemporaryFolder folder_;
  PosixFileSystem files_;
};

}  // namespace holdfast::repository
