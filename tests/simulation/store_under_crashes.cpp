#include "tests/simulation/store_under_crashes.h"

#include <gtest/gtest.h>

#include <utility>

namespace holdfast::testing {
namespace {

using repository::IndexOnDisk;
using repository::Store;

constexpr const char* kPath = "/node/store";
constexpr const char* kIndex = "/node/index";

void mix(std::uint64_t& hash, std::uint64_t word) { hash = (hash ^ word) * 1'099'511'628'211u; }
template <typename Id>
void mix(std::uint64_t& hash, const Id& id) {
  mix(hash, load_le<std::uint64_t>(id.bytes.data()));
}

}  // namespace

StoreUnderCrashes::StoreUnderCrashes(const SealedSnapshots& snapshots,
                                     repository::StoreLimits limits)
    : snapshots_(snapshots), limits_(limits) {
  node_.bytes[0] = Byte{7};
  holdfast::check(make_directories(disk(), "/node").has_value(), "a folder on an empty disk");
}

StoreUnderCrashes::~StoreUnderCrashes() {
  disk().kill();
  StoreUnderCrashes::end_process();
}

// ------------------------------------------------------------------ what the work is made of

void StoreUnderCrashes::create() {
  const Status created = Store::create(files(), kPath, node_);
  expect(created, "create");
  created_ = created_ || created.has_value();
}

void StoreUnderCrashes::open() {
  if (disk().stopped()) return;
  store_.reset();
  index_.reset();
  auto index = IndexOnDisk::open(files(), kIndex);
  expect(index ? Status() : Status(index.error()), "open the index");
  if (!index) return;
  index_ = std::move(*index);
  const repository::Checkpoint indexed = index_->checkpoint().value();
  auto opened = Store::open(files(), kPath, *index_, node_, limits_);
  expect(opened ? Status() : Status(opened.error()), "open");
  if (!opened) return;
  store_ = std::move(*opened);
  gaps_ = gaps_ || store_->recovery().index_rebuilt;
  EXPECT_TRUE(indexed == repository::Checkpoint{} || !store_->recovery().index_rebuilt)
      << "the index was ahead of the segments: " << indexed.segment << " " << indexed.offset;
}

void StoreUnderCrashes::Facts::add(const Facts& more) {
  objects.insert(more.objects.begin(), more.objects.end());
  manifests.insert(more.manifests.begin(), more.manifests.end());
  charter = std::max(charter, more.charter);
}

// Notes what it would add, and does it.
void StoreUnderCrashes::attempt(const Facts& facts, const char* what,
                                const std::function<Status()>& act) {
  if (!running()) return;
  tried_.add(facts);
  const Status done = act();
  expect(done, what);
  if (done) taken_.add(facts);
}

void StoreUnderCrashes::put(const SealedSnapshots::Frame& frame) {
  Facts facts;
  for (const auto& object : frame.parsed.header.objects) facts.objects.insert(object.id);
  attempt(facts, "put", [&]() -> Status {
    HOLDFAST_TRY(store_->put_frame(frame.parsed));
    return {};
  });
}

void StoreUnderCrashes::put_all(const Snapshot& snapshot) {
  for (const SealedSnapshots::Frame* frame : snapshot.frames()) put(*frame);
}

void StoreUnderCrashes::append_manifest(const Snapshot& snapshot) {
  attempt({{}, {snapshot.manifest.id}}, "append a manifest", [&] {
    return store_->append_manifest(snapshot.manifest.id, snapshot.root_id(), UnixTime{1},
                                   snapshot.manifest.bytes);
  });
}

void StoreUnderCrashes::append_charter(std::uint64_t version) {
  attempt({{}, {}, version}, "append a charter",
          [&] { return store_->append_charter(version, snapshots_.charters().at(version - 1)); });
}

std::optional<StoreUnderCrashes::Sync> StoreUnderCrashes::begin_sync() {
  if (!running()) return std::nullopt;
  return Sync{store_->begin_sync(), taken_};
}

void StoreUnderCrashes::finish_sync(std::optional<Sync> sync) {
  if (!sync || !running()) return;
  const Status outcome = sync->work.run();
  const Status finished = store_->finish_sync(std::move(sync->work), outcome);
  expect(finished, "sync");
  if (finished)
    promised_.add(sync->covered);
  else
    taken_ = promised_;
}

void StoreUnderCrashes::fail_sync() {
  if (!running()) return;
  gaps_ = true;
  disk().fail_sync(1);
  EXPECT_FALSE(store_->sync());
  taken_ = promised_;
  if (disk().stopped()) return;
  EXPECT_TRUE(store_->read_only());
  expect(store_->try_recover_writes(), "write again");
}

void StoreUnderCrashes::reindex() {
  if (!running()) return;
  const Status rebuilt = store_->reindex();
  expect(rebuilt, "reindex");
  if (rebuilt)
    promised_.add(taken_);  // it syncs what was not
  else
    taken_ = promised_;
}

// ------------------------------------------------------------------ crashes

void StoreUnderCrashes::end_process() {
  taken_ = promised_;
  store_.reset();
  index_.reset();
}

void StoreUnderCrashes::harm(unsigned sort, Random& random) {
  if (!disk().exists(kIndex).value_or(false)) return;
  switch (sort) {
    case kIndexLost:
      holdfast::check(disk().remove(kIndex).has_value(), "an index is removed");
      break;
    case kIndexLags: {
      // Any number of its last batches may be lost.
      auto file = disk().open(kIndex, OpenMode::kReadWrite);
      const std::uint64_t size = disk().size_of(kIndex);
      holdfast::check((*file)->truncate(random.below(size + 1)).has_value(), "an index is cut");
      break;
    }
    case kIndexAhead:
      // The index alone reaches the device, and then the power is cut.
      disk().persist(kIndex);
      disk().crash(simulation::CrashKeeps::kNothing, random);
      break;
    default:
      break;
  }
}

void StoreUnderCrashes::recover() {
  if (!created_ && !disk().exists(std::string(kPath) + "/store").value_or(false)) {
    expect(Store::create(files(), kPath, node_), "create");
    if (disk().stopped()) return;
  }
  open();
}

void StoreUnderCrashes::settle() {
  if (!store_) return recover();
  if (store_->read_only()) expect(store_->try_recover_writes(), "write again");
}

// ------------------------------------------------------------------ what must hold

std::set<ObjectId> StoreUnderCrashes::present() {
  std::vector<ObjectId> all;
  for (const auto& [id, refs] : snapshots_.refs()) all.push_back(id);
  const auto answers = store_->present(all);
  EXPECT_TRUE(answers);
  std::set<ObjectId> here;
  for (std::size_t i = 0; answers && i < all.size(); ++i)
    if (answers->at(i)) here.insert(all[i]);
  return here;
}

void StoreUnderCrashes::check() {
  ASSERT_NE(store_, nullptr);
  EXPECT_FALSE(store_->read_only()) << store_->statistics().read_only_reason;
  const std::set<ObjectId> here = present();
  for (const ObjectId& id : promised_.objects)
    EXPECT_TRUE(here.contains(id)) << "acknowledged and lost: " << id.hex();
  for (const ObjectId& id : here) {
    EXPECT_TRUE(tried_.objects.contains(id)) << "never put: " << id.hex();
    for (const ObjectId& ref : snapshots_.refs().at(id))
      EXPECT_TRUE(here.contains(ref)) << id.hex() << " is present without " << ref.hex();
    const auto frame = store_->read_frame(id);
    ASSERT_TRUE(frame) << frame.error().message();
    EXPECT_TRUE(snapshots_.holds(*frame, id)) << "other bytes than were put: " << id.hex();
  }
  check_manifests(here);
  check_charter();
  check_index();
}

void StoreUnderCrashes::check_manifests(const std::set<ObjectId>& present) {
  std::set<ManifestId> listed;
  for (const auto& record : store_->manifests()) {
    listed.insert(record.id);
    EXPECT_TRUE(tried_.manifests.contains(record.id)) << "a manifest that was never appended";
    for (const Snapshot& snapshot : snapshots_.all()) {
      if (snapshot.manifest.id != record.id) continue;
      EXPECT_EQ(record.complete, present.contains(snapshot.root_id()));
      EXPECT_EQ(record.signed_bytes, snapshot.manifest.bytes);
    }
    EXPECT_TRUE(record.complete || !promised_.manifests.contains(record.id));
  }
  for (const ManifestId& id : promised_.manifests)
    EXPECT_TRUE(listed.contains(id)) << "acknowledged and lost: manifest " << id.hex();
}

void StoreUnderCrashes::check_charter() {
  const auto newest = store_->charter();
  std::uint64_t version = 0;
  for (std::size_t i = 0; newest && i < snapshots_.charters().size(); ++i)
    if (snapshots_.charters()[i] == *newest) version = i + 1;
  EXPECT_EQ(version == 0, !newest) << "a charter that was never appended";
  EXPECT_GE(version, promised_.charter);
  EXPECT_LE(version, tried_.charter);
}

void StoreUnderCrashes::check_index() {
  EXPECT_TRUE(index_->for_each([&](const ObjectId& id, const repository::ObjectEntry&) {
    EXPECT_TRUE(tried_.objects.contains(id)) << "indexed and never put: " << id.hex();
    return true;
  }));
  for (bool restart = true, done = false; !done; restart = false) {
    const auto step = store_->verify_step(
        {repository::VerifyDepth::kChecksum}, [](const AgentId&) { return std::nullopt; }, restart);
    ASSERT_TRUE(step) << step.error().message();
    EXPECT_TRUE(step->damaged.empty());
    if (!gaps_expected() && !gaps_)
      for (const std::string& problem : step->problems) ADD_FAILURE() << "verify: " << problem;
    done = step->done;
  }
}

std::uint64_t StoreUnderCrashes::observed() {
  std::uint64_t hash = 0;
  for (const ObjectId& id : present()) mix(hash, id);
  for (const auto& record : store_->manifests()) {
    mix(hash, record.id);
    mix(hash, std::uint64_t{record.complete});
  }
  const auto charter = store_->charter();
  mix(hash, charter ? charter->size() : 0);
  return hash;
}

std::uint64_t StoreUnderCrashes::promised() const {
  return promised_.objects.size() + 1'000 * promised_.manifests.size() +
         1'000'000 * promised_.charter + 100'000'000 * std::uint64_t{created_};
}

// Whatever is present may be relied on by whoever asks, so that after a sync all of it is promised.
void StoreUnderCrashes::go_on() {
  created_ = true;
  const std::set<ObjectId> here = present();
  taken_.objects.insert(here.begin(), here.end());
  for (const auto& record : store_->manifests())
    if (record.complete) taken_.manifests.insert(record.id);
  put_all(snapshots_.all().back());
  append_manifest(snapshots_.all().back());
  append_charter(snapshots_.charters().size());
  sync();
  EXPECT_TRUE(promised_.manifests.contains(snapshots_.all().back().manifest.id));
}

}  // namespace holdfast::testing
