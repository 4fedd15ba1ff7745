// A store under a random life of frames, syncs, damage, full disks, failed syncs and crashes at any
// mutating call, against a reference model that knows only what was put, acknowledged and damaged.
//
// What must hold after every event:
//   - what was acknowledged and not damaged since is present, its frame readable and right;
//   - nothing is present that was never put, nor anything of which something below is not present;
//   - a manifest is complete exactly if its root is present.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "common/format/manifest.h"
#include "repository/store/memory_index.h"
#include "repository/store/store.h"
#include "tests/simulation/sim_file_system.h"
#include "tests/simulation/sim_random.h"
#include "tests/testing/seed.h"
#include "tests/testing/test_repository.h"

namespace holdfast::repository {
namespace {

using simulation::CrashKeeps;
using simulation::once_in;
using simulation::SimFileSystem;
using simulation::SimRandom;
using simulation::StopPoint;
using testing::PlainObject;

constexpr const char* kPath = "/store";

// Every object that ever was, with the frames that hold it.
struct World {
  struct Object {
    PlainObject plain;
    format::FrameRole role;
  };
  std::map<ObjectId, Object> objects;
  std::vector<ObjectId> in_order;
};

class Life {
 public:
  explicit Life(std::uint64_t seed) : random_(seed), repository_(seed) {
    node_.bytes[0] = Byte{1};
    limits_.segment_bytes = 2000 + random_.below(6000);
    limits_.reserve_bytes = 20000;
    check(Store::create(files_, kPath, node_).has_value(), "create");
    open();
  }

  void run(int events) {
    for (int i = 0; i < events && !::testing::Test::HasFailure(); ++i) {
      step();
      if (files_.stopped()) restart();
      if (once_in(random_, 8)) check_all();
    }
    restart();
    check_all();
    heal_everything();
  }
  int crashes() const { return crashes_; }

 private:
  void step() {
    switch (random_.below(20)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
      case 5:
        return put(data_frame());
      case 6:
      case 7:
      case 8:
      case 9:
        return put(list_frame());
      case 10:
      case 11:
        return sync();
      case 12:
        return put_again();
      case 13:
        return damage();
      case 14:
        return commit();
      case 15:
        return read();
      case 16:
        return verify();
      case 17:
        return trouble();
      case 18:
        return reopen();
      default:
        return plan_crash();
    }
  }

  // ------------------------------------------------------------------ events
  void put(std::vector<PlainObject> objects, format::FrameRole role) {
    const Bytes bytes = repository_.seal(role, objects);
    const auto frame = format::parse_frame(bytes);
    ASSERT_TRUE(frame);
    const auto missing = store_->missing_refs(*frame);
    std::map<ObjectId, std::optional<ObjectEntry>> before;
    for (const auto& object : frame->header.objects)
      before[object.id] = store_->locate(object.id).value();
    const auto outcome = store_->put_frame(*frame);
    if (!outcome) {
      const bool lacks = outcome.error().code() == Code::kMissingObjects;
      EXPECT_TRUE(lacks || store_->read_only() || files_.stopped()) << outcome.error().message();
      EXPECT_TRUE(!lacks || !missing->empty());
      return;
    }
    for (const PlainObject& object : objects) {
      const ObjectId id = repository_.identify(role, object);
      if (world_.objects.try_emplace(id, World::Object{object, role}).second)
        world_.in_order.push_back(id);
      if (!acknowledged_.contains(id)) unsynced_.insert(id);
      // Where a copy was taken for good the store does not write another.
      if (store_->locate(id).value() != before[id]) rewritten_.insert(id);
    }
  }
  void put(std::pair<std::vector<PlainObject>, format::FrameRole> frame) {
    put(std::move(frame.first), frame.second);
  }
  std::pair<std::vector<PlainObject>, format::FrameRole> data_frame() {
    std::vector<PlainObject> objects(1 + random_.below(3));
    for (auto& object : objects) object.payload = repository_.random_bytes(random_.below(900));
    return {objects, format::FrameRole::kData};
  }
  std::pair<std::vector<PlainObject>, format::FrameRole> list_frame() {
    std::vector<PlainObject> objects(1 + random_.below(2));
    for (auto& object : objects) {
      object.payload = repository_.random_bytes(8);
      for (std::uint64_t refs = random_.below(4); refs > 0 && !world_.in_order.empty(); --refs)
        object.refs.push_back(any_object());
    }
    if (objects.size() > 1 && once_in(random_, 2))
      objects[1].refs.push_back(repository_.identify(format::FrameRole::kMetadata, objects[0]));
    return {objects, format::FrameRole::kMetadata};
  }
  void put_again() {
    if (world_.in_order.empty()) return;
    const auto& object = world_.objects.at(any_object());
    put({object.plain}, object.role);
  }
  const ObjectId& any_object() { return world_.in_order[random_.below(world_.in_order.size())]; }

  void sync() {
    auto work = store_->begin_sync();
    const Status outcome = work.run();
    const Status synced = store_->finish_sync(std::move(work), outcome);
    EXPECT_EQ(synced.has_value(), outcome.has_value());
    if (!synced) {
      EXPECT_TRUE(store_->read_only());
      EXPECT_EQ(store_->unsynced_bytes(), 0u);
      forget_unsynced();
      return;
    }
    acknowledged_.insert(unsynced_.begin(), unsynced_.end());
    unsynced_.clear();
    // What was damaged and came again is good again.
    for (const ObjectId& id : rewritten_) damaged_.erase(id);
    rewritten_.clear();
    committed_.insert(appended_.begin(), appended_.end());
    appended_.clear();
  }

  // A bit of a frame's record flips. All that its frame holds may be lost.
  void damage() {
    if (acknowledged_.empty() || !once_in(random_, 2)) return;
    const ObjectId id = any_object();
    const auto entry = store_->locate(id);
    if (!entry || !*entry) return;
    const Location at = (*entry)->location;
    char name[16];
    std::snprintf(name, sizeof name, "%08x.seg", at.segment);
    const std::string path = std::string(kPath) + "/segments/" + name;
    if (files_.size_of(path) < at.offset + kRecordHeaderSize + at.length) return;
    files_.flip_bit(path, at.offset + random_.below(kRecordHeaderSize + at.length),
                    static_cast<unsigned>(random_.below(8)));
    for (const ObjectId& other : world_.in_order) {
      const auto located = store_->locate(other);
      if (located && *located && (*located)->location == at) {
        damaged_.insert(other);
        rewritten_.erase(other);
      }
    }
  }

  void commit() {
    if (world_.in_order.empty()) return;
    format::Manifest manifest;
    manifest.repository = repository_.id;
    manifest.agent = format::agent_id(repository_.agent.verify_key());
    manifest.sequence = ++sequence_;
    if (sequence_ > 1) manifest.previous = ManifestId{};
    manifest.charter_version = 1;
    manifest.root = any_object();
    const auto made =
        format::sign_manifest(std::move(manifest), {}, repository_.run, repository_.agent);
    const auto present = store_->present({&made.manifest.root, 1});
    const Status status =
        store_->append_manifest(made.id, made.manifest.root, UnixTime{1}, made.bytes);
    if (status) {
      EXPECT_TRUE(present && present->at(0));
      appended_.emplace(made.id, made.manifest.root);
    }
  }

  void read() {
    if (world_.in_order.empty()) return;
    const ObjectId id = any_object();
    const auto bytes = store_->read_frame(id);
    if (bytes) check_frame(id, *bytes);
  }
  void check_frame(const ObjectId& id, ByteView bytes) {
    const auto frame = format::parse_frame(bytes);
    ASSERT_TRUE(frame);
    const auto opened = opener_.open(*frame);
    ASSERT_TRUE(opened) << opened.error().message();
    EXPECT_NE(opened->find(id), nullptr);
  }

  void verify() {
    const auto key = repository_.agent.verify_key();
    const auto keys = [&](const AgentId&) { return std::optional(key); };
    const auto kind = static_cast<VerifyDepth::Kind>(random_.below(3));
    for (bool restart = true, done = false; !done; restart = false) {
      const auto step = store_->verify_step({kind}, keys, restart);
      if (!step) return;
      for (const ObjectId& id : step->damaged) EXPECT_TRUE(damaged_.contains(id)) << id.hex();
      done = step->done;
    }
  }

  // A full disk, a failed sync, a failing call; sometimes it is over again.
  void trouble() {
    switch (random_.below(6)) {
      case 0:
        files_.set_capacity(files_.used_bytes() + random_.below(40000));
        break;
      case 1:
        files_.fail_sync(1 + random_.below(3));
        break;
      case 2:
        files_.fail_call(1 + random_.below(30), Code::kIo, false);
        break;
      default:
        if (files_.stopped()) return;
        files_.clear_faults();
        files_.set_capacity(std::nullopt);
        static_cast<void>(store_->try_recover_writes());
    }
  }
  void forget_unsynced() {
    unsynced_.clear();
    appended_.clear();
    rewritten_.clear();
  }
  void plan_crash() {
    files_.stop_at(1 + random_.below(12), static_cast<StopPoint>(random_.below(3)), random_);
  }

  // ------------------------------------------------------- crashing and opening
  void open() {
    auto opened = Store::open(files_, kPath, index_, node_, limits_);
    ASSERT_TRUE(opened) << opened.error().message();
    store_ = std::move(opened).value();
  }
  // Of the process alone: what was written is seen, the index may lose its end.
  void reopen() {
    if (files_.stopped()) return;
    files_.clear_faults();
    index_.crash(random_.below(index_.unflushed_batches() + 1));
    store_.reset();
    if (once_in(random_, 5)) index_ = MemoryIndex();
    if (once_in(random_, 8)) index_.damage();
    open();
    forget_unsynced();
  }
  // Of the machine, and perhaps again while it recovers.
  void restart() {
    for (;;) {
      ++crashes_;
      files_.crash(static_cast<CrashKeeps>(random_.below(3)), random_);
      files_.set_capacity(std::nullopt);
      index_.crash(random_.below(index_.unflushed_batches() + 1));
      store_.reset();
      if (once_in(random_, 10)) index_ = MemoryIndex();
      if (once_in(random_, 3))
        files_.stop_at(1 + random_.below(8), static_cast<StopPoint>(random_.below(3)), random_);
      auto opened = Store::open(files_, kPath, index_, node_, limits_);
      if (files_.stopped()) continue;
      files_.clear_faults();
      ASSERT_TRUE(opened) << opened.error().message();
      store_ = std::move(opened).value();
      break;
    }
    forget_unsynced();
  }

  // ---------------------------------------------------------------- invariants
  bool reaches_damage(const ObjectId& id, std::map<ObjectId, bool>& known) {
    const auto [at, fresh] = known.try_emplace(id, damaged_.contains(id));
    if (!fresh) return at->second;
    bool reaches = at->second;
    for (const ObjectId& ref : world_.objects.at(id).plain.refs)
      reaches = reaches_damage(ref, known) || reaches;
    return known[id] = reaches;
  }
  void check_all() {
    if (files_.stopped() || !store_) return;
    files_.clear_faults();
    const auto present = store_->present(world_.in_order);
    ASSERT_TRUE(present) << present.error().message();
    std::set<ObjectId> here;
    for (std::size_t i = 0; i < world_.in_order.size(); ++i)
      if (present->at(i)) here.insert(world_.in_order[i]);
    std::map<ObjectId, bool> known;
    for (const ObjectId& id : acknowledged_)
      EXPECT_TRUE(here.contains(id) || reaches_damage(id, known)) << "lost " << id.hex();
    for (const ObjectId& id : here)
      for (const ObjectId& ref : world_.objects.at(id).plain.refs)
        EXPECT_TRUE(here.contains(ref)) << id.hex() << " is present without " << ref.hex();
    for (const ObjectId& id : here) {
      const auto bytes = store_->read_frame(id);
      if (bytes)
        check_frame(id, *bytes);
      else
        EXPECT_TRUE(damaged_.contains(id)) << bytes.error().message();
    }
    for (const auto& [manifest, root] : committed_) {
      const auto held = store_->manifest(manifest);
      ASSERT_TRUE(held);
      EXPECT_EQ(held->complete, store_->present({&root, 1})->at(0));
    }
  }
  // With everything put again, children first, all is present.
  void heal_everything() {
    if (::testing::Test::HasFailure()) return;
    if (store_->read_only()) {
      const Status recovered = store_->try_recover_writes();
      ASSERT_TRUE(recovered) << recovered.error().message();
    }
    const auto key = repository_.agent.verify_key();
    for (bool restart = true, done = false; !done; restart = false) {
      const auto step = store_->verify_step(
          {VerifyDepth::kSignature}, [&](const AgentId&) { return std::optional(key); }, restart);
      ASSERT_TRUE(step) << step.error().message();
      done = step->done;
    }
    for (const ObjectId& id : world_.in_order) {
      const auto& object = world_.objects.at(id);
      const Bytes bytes = repository_.seal(object.role, {object.plain});
      const auto outcome = store_->put_frame(*format::parse_frame(bytes));
      ASSERT_TRUE(outcome) << outcome.error().message();
    }
    ASSERT_TRUE(store_->sync());
    EXPECT_EQ(store_->statistics().damaged_objects, 0u);
    for (int round = 0; round < 3; ++round) {
      const auto present = store_->present(world_.in_order);
      for (std::size_t i = 0; i < world_.in_order.size(); ++i)
        EXPECT_TRUE(present->at(i)) << round << " " << world_.in_order[i].hex();
      if (round == 0) restart();
      if (round == 1) {
        ASSERT_TRUE(store_->reindex());
      }
    }
  }

  SimRandom random_;
  testing::TestRepository repository_;
  format::FrameOpener opener_ = repository_.opener();
  SimFileSystem files_;
  MemoryIndex index_;
  NodeId node_;
  StoreLimits limits_;
  std::unique_ptr<Store> store_;
  World world_;
  std::set<ObjectId> unsynced_, acknowledged_, rewritten_;
  std::set<ObjectId> damaged_;  // bits of their frame flipped, no copy synced since
  std::map<ManifestId, ObjectId> appended_, committed_;
  std::uint64_t sequence_ = 0;
  int crashes_ = 0;
};

TEST(StoreModel, HoldsItsInvariantsThroughRandomLives) {
  const std::uint64_t seed = testing::seed();
  int crashes = 0;
  for (std::uint64_t life = 0; life < 60; ++life) {
    SCOPED_TRACE("life " + std::to_string(life));
    Life one(seed * 1000 + life);
    one.run(120);
    crashes += one.crashes();
    if (HasFailure()) return;
  }
  EXPECT_GT(crashes, 120);
}

}  // namespace
}  // namespace holdfast::repository
