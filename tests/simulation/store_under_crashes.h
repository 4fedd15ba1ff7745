// A store whose machine stops at any moment, against what was promised about it: the subject of
// crash points. What the work does is left to those who derive from it.
//
// What must hold behind every recovery:
//   - what was acknowledged is present, and its frame reads back as it was put;
//   - nothing is present, listed or indexed that was never put;
//   - what is present has everything below it present;
//   - a manifest is complete exactly if its root is present, and an acknowledged one is complete;
//   - the newest charter is at least as new as the newest acknowledged one;
//   - an index that nobody harmed was never ahead of the segments: recovery trusts it;
//   - verifying every checksum finds nothing to complain of, unless a later unsynced record
//     outlived an earlier one.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>

#include "repository/store/store.h"
#include "tests/simulation/crash_points.h"
#include "tests/simulation/index_on_disk.h"
#include "tests/simulation/sealed_snapshots.h"

namespace holdfast::testing {

class StoreUnderCrashes : public simulation::CrashSubject {
 public:
  // What is done to the index while no process runs.
  enum Harm : unsigned { kNone, kIndexLost, kIndexLags, kIndexAhead, kSortsOfHarm };

  // The last of `snapshots` is for go_on() alone.
  StoreUnderCrashes(const SealedSnapshots& snapshots, repository::StoreLimits limits);
  ~StoreUnderCrashes() override;

  void end_process() override;
  void harm(unsigned sort, Random& random) override;
  void recover() override;
  void check() override;
  std::uint64_t observed() override;
  std::uint64_t promised() const override;
  void go_on() override;
  void settle() override;

 protected:
  using Snapshot = SealedSnapshots::Snapshot;
  repository::Store& store() { return *store_; }
  const SealedSnapshots& snapshots() const { return snapshots_; }

  // The disk as the store and its index see it.
  virtual FileSystem& files() { return disk(); }
  // Each of them does nothing once the disk has stopped, and expects success if nothing excuses it.
  void create();
  void open();
  void put(const SealedSnapshots::Frame& frame);
  void put_all(const Snapshot& snapshot);
  void append_manifest(const Snapshot& snapshot);
  void append_charter(std::uint64_t version);
  void sync() { finish_sync(begin_sync()); }
  // What was put so far is promised once the sync is finished.
  struct Facts {
    std::set<ObjectId> objects;
    std::set<ManifestId> manifests;
    std::uint64_t charter = 0;  // the newest version
    void add(const Facts& more);
  };
  struct Sync {
    repository::SyncWork work;
    Facts covered;
  };
  std::optional<Sync> begin_sync();
  void finish_sync(std::optional<Sync> sync);
  // The same for a sync that must fail.
  void fail_sync();
  void reindex();
  bool running() { return store_ != nullptr && !disk().stopped(); }

 private:
  void attempt(const Facts& facts, const char* what, const std::function<Status()>& act);
  void check_manifests(const std::set<ObjectId>& present);
  void check_charter();
  void check_index();
  std::set<ObjectId> present();

  const SealedSnapshots& snapshots_;
  repository::StoreLimits limits_;
  NodeId node_;
  std::unique_ptr<repository::IndexOnDisk> index_;
  std::unique_ptr<repository::Store> store_;
  bool created_ = false;  // acknowledged
  // The index was lost, and with it what tells the end of an unsynced segment from a damaged one;
  // or a sync failed, and the crash came when only some of what it gave up was cut off.
  bool gaps_ = false;
  Facts tried_;     // whatever came of it
  Facts taken_;     // and not given up since
  Facts promised_;  // to be durable
};

}  // namespace holdfast::testing
