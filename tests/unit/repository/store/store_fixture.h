// A store on a simulated disk, and frames to put into it.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/format/charter.h"
#include "common/format/manifest.h"
#include "repository/store/memory_index.h"
#include "repository/store/store.h"
#include "tests/simulation/sim_file_system.h"
#include "tests/simulation/sim_random.h"
#include "tests/testing/seed.h"
#include "tests/testing/test_repository.h"

namespace holdfast::repository {

using simulation::CrashKeeps;
using simulation::SimFileSystem;
using simulation::SimRandom;
using testing::PlainObject;

template <typename T>
std::string said(const Result<T>& result) {
  return result ? "success" : result.error().message();
}
template <typename T>
Code code_of(const Result<T>& result) {
  return result ? Code::kInterrupted : result.error().code();
}

// Owns the bytes that `parsed` points into.
struct TestFrame {
  Bytes bytes;
  format::ParsedFrame parsed;
  std::vector<ObjectId> ids() const {
    std::vector<ObjectId> all;
    for (const auto& object : parsed.header.objects) all.push_back(object.id);
    return all;
  }
  const ObjectId& id(std::size_t at = 0) const { return parsed.header.objects.at(at).id; }
};

class StoreTest : public ::testing::Test {
 protected:
  StoreTest() {
    limits_.segment_bytes = 16 << 10;
    limits_.reserve_bytes = 64 << 10;
    node_.bytes[0] = Byte{7};
    check(Store::create(files_, kPath, node_).has_value(), "a store cannot be created");
    open();
  }

  Result<std::unique_ptr<Store>> try_open() {
    return Store::open(files_, kPath, index_, node_, limits_);
  }
  void open() {
    store_.reset();
    auto opened = try_open();
    check(opened.has_value(), "the store cannot be opened");
    store_ = std::move(opened).value();
  }
  // The machine stops and starts; the index keeps what it flushed.
  void crash(CrashKeeps keeps = CrashKeeps::kNothing) {
    files_.crash(keeps, random_);
    index_.crash(0);
    open();
  }

  TestFrame frame(format::FrameRole role, const std::vector<PlainObject>& objects) {
    Bytes bytes = repository_.seal(role, objects);
    auto parsed = format::parse_frame(bytes);
    check(parsed.has_value(), "a frame that was just sealed");
    // Moving the bytes leaves them where they are.
    return {std::move(bytes), std::move(parsed).value()};
  }
  // `count` new chunks of noise.
  TestFrame data(std::size_t count = 2, std::size_t size = 500) {
    std::vector<PlainObject> objects;
    for (std::size_t i = 0; i < count; ++i) objects.push_back({{}, repository_.random_bytes(size)});
    return frame(format::FrameRole::kData, objects);
  }
  TestFrame list(const std::vector<ObjectId>& refs) {
    return frame(format::FrameRole::kMetadata, {{refs, repository_.random_bytes(20)}});
  }
  // A copy with the same objects, as another agent or a later run would seal them.
  TestFrame again(const TestFrame& original) {
    auto opener = repository_.opener();
    const auto opened = opener.open(original.parsed);
    check(opened.has_value(), "a frame that cannot be opened");
    std::vector<PlainObject> objects;
    for (const auto& object : opened->objects)
      objects.push_back({object.refs, {object.payload.begin(), object.payload.end()}});
    return frame(original.parsed.header.role, objects);
  }

  void put(const TestFrame& frame) {
    const auto outcome = store_->put_frame(frame.parsed);
    ASSERT_TRUE(outcome) << said(outcome);
  }
  void sync() {
    const Status synced = store_->sync();
    ASSERT_TRUE(synced) << said(synced);
  }
  // Puts all and syncs.
  void store(const std::vector<const TestFrame*>& frames) {
    for (const TestFrame* frame : frames) put(*frame);
    sync();
  }
  bool present(const ObjectId& id) {
    const auto answers = store_->present({&id, 1});
    EXPECT_TRUE(answers) << said(answers);
    return answers && answers->at(0);
  }
  std::string segment_path(std::uint32_t number) {
    char name[16];
    std::snprintf(name, sizeof name, "%08x.seg", number);
    return std::string(kPath) + "/segments/" + name;
  }
  Location location(const ObjectId& id) {
    const auto entry = store_->locate(id);
    check(entry.has_value() && entry->has_value(), "an object that is not there");
    return (*entry)->location;
  }
  // Flips a bit within the body of the frame at `at`.
  void damage(const Location& at) {
    files_.flip_bit(segment_path(at.segment), at.offset + kRecordHeaderSize + at.length / 2, 3);
  }
  void write(std::uint32_t segment, std::uint64_t offset, const std::vector<ByteView>& parts) {
    auto file = files_.open(segment_path(segment), OpenMode::kReadWrite);
    check(file && (*file)->write_at(offset, parts) && (*file)->sync_data(),
          "a segment cannot be written");
  }
  // Both checksums of the record fit, whatever its payload is.
  void write_record(std::uint32_t segment, std::uint64_t offset, RecordType type,
                    ByteView payload) {
    const auto header = encode_record_header(type, payload);
    const Bytes padding(record_size(static_cast<std::uint32_t>(payload.size())) -
                        kRecordHeaderSize - payload.size());
    write(segment, offset, {header, payload, padding});
  }
  // What the index says of this object from now on, whatever is true.
  void index_says(const ObjectId& id, const ObjectEntry& entry) {
    const ObjectIndex::Put put{id, entry};
    check(index_.write({&put, 1}, {}, {}, *index_.checkpoint()).has_value(), "an index in memory");
  }
  format::SignedManifest manifest(const ObjectId& root, std::uint64_t sequence = 1) {
    format::Manifest manifest;
    manifest.repository = repository_.id;
    manifest.agent = format::agent_id(repository_.agent.verify_key());
    manifest.sequence = sequence;
    if (sequence > 1) manifest.previous = ManifestId{};
    manifest.charter_version = 1;
    manifest.root = root;
    return format::sign_manifest(std::move(manifest), {}, repository_.run, repository_.agent);
  }
  Status append(const format::SignedManifest& manifest, std::int64_t received = 1) {
    return store_->append_manifest(manifest.id, manifest.manifest.root, UnixTime{received},
                                   manifest.bytes);
  }
  Store::AgentKeys keys() {
    return [this](const AgentId& agent) -> std::optional<crypto::VerifyKey> {
      if (agent != format::agent_id(repository_.agent.verify_key())) return std::nullopt;
      return repository_.agent.verify_key();
    };
  }
  // All steps of a verification together.
  VerifyProgress verify(VerifyDepth depth) {
    VerifyProgress all;
    for (bool restart = true; !all.done; restart = false) {
      auto step = store_->verify_step(depth, keys(), restart);
      EXPECT_TRUE(step) << said(step);
      if (!step) return all;
      all.frames += step->frames;
      all.bytes += step->bytes;
      all.records += step->records;
      all.total_bytes = step->total_bytes;
      all.damaged.insert(all.damaged.end(), step->damaged.begin(), step->damaged.end());
      all.problems.insert(all.problems.end(), step->problems.begin(), step->problems.end());
      all.done = step->done;
    }
    return all;
  }

  static constexpr const char* kPath = "/node/store";
  SimRandom random_{testing::seed()};
  testing::TestRepository repository_{testing::seed()};
  SimFileSystem files_;
  MemoryIndex index_;
  NodeId node_;
  StoreLimits limits_;
  std::unique_ptr<Store> store_;
};

}  // namespace holdfast::repository
