// A store that much has happened to, on a disk or with an index of which one call after the other
// fails: once and for good, while the store is opened, read, verified, healed and rebuilt. What is
// damaged may be told or not; what is whole is never taken for damaged, and all of it heals.
#include <gmock/gmock.h>

#include "common/format/charter.pb.h"
#include "repository/store/signed_records.h"
#include "tests/unit/repository/store/failing_index.h"
#include "tests/unit/repository/store/store_fixture.h"

namespace holdfast::repository {
namespace {

using ::testing::IsSupersetOf;

class StoreTroubles : public StoreTest {
 protected:
  StoreTroubles() {
    grow_old();
    const MemoryIndex lagging = index_;
    stop_badly();
    index_ = begin_index_ = lagging;
    begin_ = files_.moment();
    for (const TestFrame* frame : all_) copies_.push_back(again(*frame));
  }

  // What is in the index: damage that was found, with the lists above it, copies that better ones
  // replaced, and not all that should be.
  void grow_old() {
    for (const TestFrame* frame : old_) put(*frame);
    sync();
    const Location before = location(kept_.id());
    manifest_at_ = {before.segment, before.offset + record_size(before.length),
                    static_cast<std::uint32_t>(encode_manifest_record({}, manifest_.bytes).size())};
    charter_at_ = {before.segment, manifest_at_.offset + record_size(manifest_at_.length),
                   static_cast<std::uint32_t>(charter_.size())};
    check(append(manifest_) && store_->append_charter(1, charter_), "nothing can be appended");
    sync();
    damage(location(spare_.id()));
    EXPECT_FALSE(store_->read_frame(spare_.id()));
    const Location beside_at = location(beside_.id());
    damage(beside_at);
    EXPECT_FALSE(store_->read_frame(beside_.id()));
    put(again(spare_));
    put(again(beside_));
    sync();
    damage(beside_at);  // the same bit: the worse copy is good again
    damage(location(others_.id()));
    EXPECT_FALSE(store_->read_frame(others_.id()));
    limits_.segment_bytes = 1;
    open();
    // More segments than are kept open.
    for (const TestFrame& frame : many_) put(frame);
    sync();
    const std::vector<ObjectId> forgotten = {forgotten_.id(), forgotten_list_.id()};
    check(index_.write({}, forgotten, {}, *index_.checkpoint()) && index_.flush(),
          "an index in memory");
    for (const TestFrame* frame : {&chunks_, &low_, &lost_, &many_[0]})
      places_[frame] = location(frame->id());
  }
  // What a crash left behind the checkpoint: damage, a torn tail, no padding, no segment header.
  void stop_badly() {
    store({&late_, &late_list_, &headless_, &unpadded_});
    damage(location(late_.id()));
    beside_at_ = location(beside_.id());
    damage(beside_at_);
    const Location list_at = location(late_list_.id()), last = location(unpadded_.id());
    files_.flip_bit(segment_path(location(headless_.id()).segment), 20, 1);
    store_.reset();
    write(list_at.segment, files_.size_of(segment_path(list_at.segment)), {Bytes(100, Byte{0x5a})});
    auto unpadded = files_.open(segment_path(last.segment), OpenMode::kReadWrite);
    const std::uint64_t end = last.offset + kRecordHeaderSize + last.length;
    check((*unpadded)->size().value() > end, "it has padding");
    check((*unpadded)->truncate(end) && (*unpadded)->sync_data(), "a segment cannot be cut");
  }

  void live(ObjectIndex& index) {
    found_.clear();
    auto opened = Store::open(files_, kPath, index, node_, limits_);
    if (!opened) return;
    store_ = std::move(opened).value();
    damage(beside_at_);  // good again: the device misread it at the start
    look_at_everything();
    for (const TestFrame* frame : {&chunks_, &low_}) damage(places_.at(frame));
    for (const Location& at : {manifest_at_, charter_at_}) damage(at);
    files_.flip_bit(segment_path(1), places_.at(&lost_).offset, 1);  // its record's magic
    take_segment_away(true);
    verify_all(VerifyDepth::kSignature);
    look_at_everything();
    verify_all(VerifyDepth::kStructure);
    for (const TestFrame& copy : copies_) static_cast<void>(store_->put_frame(copy.parsed));
    static_cast<void>(append(manifest_));
    static_cast<void>(store_->sync());
    static_cast<void>(store_->reindex());
    static_cast<void>(store_->try_recover_writes());
    static_cast<void>(store_->put_frame(new_.parsed));
    static_cast<void>(store_->sync());
  }
  // It is back when the store is opened again, so that its index is believed.
  void take_segment_away(bool away) {
    const std::string here = segment_path(places_.at(&many_[0]).segment), there = here + ".away";
    files_.suspend_faults(true);
    if (away || files_.exists(there).value()) {
      EXPECT_TRUE(files_.rename(away ? here : there, away ? there : here));
    }
    files_.suspend_faults(false);
  }
  void look_at_everything() {
    static_cast<void>(store_->statistics());
    static_cast<void>(store_->manifests());
    static_cast<void>(store_->manifest(manifest_.id));
    for (const TestFrame* frame : all_)
      if (frame != &many_[0]) static_cast<void>(store_->read_frame(frame->id()));
    for (const TestFrame* frame : {&kept_, &chunks_, &forged_})
      static_cast<void>(store_->report_damage(frame->id(), keys()));
  }
  void verify_all(VerifyDepth::Kind kind) {
    for (bool restart = true, done = false; !done; restart = false) {
      const auto step = store_->verify_step({kind}, keys(), restart);
      if (!step) return;
      found_.insert(found_.end(), step->damaged.begin(), step->damaged.end());
      done = step->done;
    }
  }
  void expect_that_it_heals() {
    store_.reset();
    files_.clear_faults();
    take_segment_away(false);
    auto opened = try_open();
    ASSERT_TRUE(opened) << said(opened);
    store_ = std::move(opened).value();
    for (const TestFrame* frame : {&kept_, &spare_, &headless_, &unpadded_}) {
      EXPECT_TRUE(present(frame->id())) << "whole, and taken for damaged";
      EXPECT_TRUE(store_->read_frame(frame->id()));
    }
    verify({VerifyDepth::kChecksum});  // what was damaged and never looked at
    for (const TestFrame& copy : copies_) put(copy);
    EXPECT_TRUE(append(manifest_));
    EXPECT_TRUE(store_->append_charter(1, charter_));
    sync();
    for (const TestFrame* frame : all_) {
      EXPECT_TRUE(present(frame->id()));
      EXPECT_TRUE(store_->read_frame(frame->id()));
    }
    EXPECT_TRUE(store_->manifest(manifest_.id)->complete);
    EXPECT_TRUE(verify({VerifyDepth::kChecksum}).damaged.empty());
    EXPECT_EQ(store_->statistics().damaged_objects, 0u);
    EXPECT_EQ(store_->statistics().incomplete_lists, 0u);
  }
  // Lives with every `step`th call failing, until there is no such call; then all that is damaged
  // must be found.
  template <typename Live>
  void every_call(std::uint64_t step, const Live& live_with) {
    for (std::uint64_t nth = 1;; nth += step) {
      SCOPED_TRACE("call " + std::to_string(nth));
      store_.reset();
      files_.return_to(begin_);
      index_ = begin_index_;
      const bool reached = live_with(nth);
      expect_that_it_heals();
      if (HasFailure()) return;
      if (reached) continue;
      EXPECT_GT(nth, 100u);
      EXPECT_THAT(found_, IsSupersetOf(std::vector{chunks_.id(), lost_.id(), many_[0].id()}));
      return;
    }
  }

  const TestFrame chunks_ = data(3), others_ = data(2), lost_ = data(), spare_ = data(),
                  kept_ = data(), late_ = data(), headless_ = data(), unpadded_ = data(1, 501),
                  forgotten_ = data(), new_ = data();
  const TestFrame low_ = list(chunks_.ids()), high_ = list({low_.id(), others_.id(0)}),
                  root_ = list({high_.id()}), beside_ = list({others_.id(0), lost_.id(0)}),
                  late_list_ = list(late_.ids()), above_forgotten_ = list(forgotten_.ids()),
                  forgotten_list_ = list(chunks_.ids());
  const std::vector<TestFrame> many_ = [this] {
    std::vector<TestFrame> frames;
    for (int i = 0; i < 20; ++i) frames.push_back(data(1, 50));
    return frames;
  }();
  const TestFrame forged_ = [this] {
    TestFrame frame = data();
    frame.bytes.back() ^= Byte{1};  // the signature's last byte
    frame.parsed = format::parse_frame(frame.bytes).value();
    return frame;
  }();
  // In an order in which each has what it refers to.
  const std::vector<const TestFrame*> old_ = {
      &chunks_,         &others_, &low_,   &high_,      &root_,
      &lost_,           &beside_, &spare_, &forgotten_, &above_forgotten_,
      &forgotten_list_, &forged_, &kept_};
  const std::vector<const TestFrame*> all_ = [this] {
    std::vector<const TestFrame*> all = old_;
    all.insert(all.end(), {&late_, &late_list_, &headless_, &unpadded_, &many_[0]});
    return all;
  }();
  const format::SignedManifest manifest_ = manifest(root_.id());
  const Bytes charter_ = [] {
    format::CharterProto charter;
    charter.set_version(1);
    format::CharterRecordProto record;
    record.set_body(charter.SerializeAsString());
    return to_bytes(record.SerializeAsString());
  }();
  Location manifest_at_, charter_at_, beside_at_;
  std::map<const TestFrame*, Location> places_;
  std::vector<TestFrame> copies_;
  simulation::SimFileSystem::Moment begin_;
  MemoryIndex begin_index_;
  std::vector<ObjectId> found_;
};

TEST_F(StoreTroubles, HealWhicheverCallOfTheIndexFailsAndNothingWholeIsTakenForDamaged) {
  for (const auto& [code, for_good] :
       {std::pair(Code::kIo, false), {Code::kIo, true}, {Code::kCorrupt, false}}) {
    SCOPED_TRACE(std::string(name(code)) + (for_good ? " for good" : " once"));
    every_call(for_good ? 7 : 1, [&, code = code, for_good = for_good](std::uint64_t nth) {
      FailingIndex index(index_, nth, code, for_good);
      live(index);
      store_.reset();  // which flushes the index
      return index.calls() >= nth;
    });
  }
}

TEST_F(StoreTroubles, HealWhicheverCallOfTheDiskFailsAndNothingWholeIsTakenForDamaged) {
  for (const auto& [code, for_good] : {std::pair(Code::kIo, false), {Code::kIo, true}}) {
    SCOPED_TRACE(std::string(name(code)) + (for_good ? " for good" : " once"));
    every_call(for_good ? 7 : 1, [&, code = code, for_good = for_good](std::uint64_t nth) {
      const std::uint64_t before = files_.calls();
      files_.fail_call(nth, code, for_good);
      live(index_);
      return files_.calls() - before >= nth;
    });
  }
}

}  // namespace
}  // namespace holdfast::repository
