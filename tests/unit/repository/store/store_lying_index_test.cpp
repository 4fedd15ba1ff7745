// An index that answers, and not with the truth: what it misplaces is found, what it cannot know is
// rebuilt, and nothing wrong is ever read.
#include <gmock/gmock.h>

#include "common/base/endian.h"
#include "repository/store/signed_records.h"
#include "tests/unit/repository/store/failing_index.h"
#include "tests/unit/repository/store/store_fixture.h"

namespace holdfast::repository {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class StoreLyingIndex : public StoreTest {
 protected:
  StoreLyingIndex() {
    store({&chunks_, &low_, &others_});
    check(append(manifest_).has_value(), "a manifest cannot be appended");
    sync();
  }
  ObjectEntry entry(const ObjectId& id) { return **store_->locate(id); }
  void expect_heals(const TestFrame& frame) {
    store({&frame});
    for (const ObjectId& id : frame.ids()) {
      EXPECT_TRUE(present(id));
      EXPECT_TRUE(store_->read_frame(id));
    }
  }

  const TestFrame chunks_ = data(3), low_ = list(chunks_.ids()), others_ = data(2);
  const format::SignedManifest manifest_ = manifest(low_.id());
};

TEST_F(StoreLyingIndex, APlaceWithinItsFrameThatIsAnothersOrNoneIsFoundAndHeals) {
  const ObjectEntry truth = entry(chunks_.id());
  ObjectEntry another = truth, none = truth, other_kind = truth;
  another.position = 1;
  none.position = 3;
  other_kind.kind = format::ObjectKind::kList;
  for (const ObjectEntry& lie : {another, none, other_kind}) {
    index_says(chunks_.id(), lie);
    EXPECT_THAT(verify({}).problems, Contains(HasSubstr("the index misplaces 1 of its objects")));
    EXPECT_EQ(code_of(store_->read_frame(chunks_.id())),
              lie == other_kind ? Code::kInterrupted : Code::kCorrupt);
    if (lie == other_kind) continue;  // where it lies is true
    EXPECT_FALSE(present(chunks_.id()) || present(low_.id()));
    EXPECT_TRUE(present(chunks_.id(1)));
    expect_heals(again(chunks_));
    index_says(chunks_.id(), truth);
  }
}

TEST_F(StoreLyingIndex, APlaceWhereAnotherRecordOrNoneCanBeIsNeverRead) {
  const ObjectEntry truth = entry(chunks_.id());
  const Location others = location(others_.id());
  ObjectEntry of_manifest = truth, too_short = truth, too_long = truth, nowhere = truth;
  of_manifest.location = {
      1, others.offset + record_size(others.length),
      static_cast<std::uint32_t>(encode_manifest_record({}, manifest_.bytes).size())};
  too_short.location.length -= 8;
  too_long.location.length = ~std::uint32_t{0};
  nowhere.location.segment = 77;
  for (const ObjectEntry& lie : {of_manifest, too_short, too_long, nowhere}) {
    index_says(chunks_.id(), lie);
    EXPECT_EQ(code_of(store_->read_frame(chunks_.id())), Code::kCorrupt);
    EXPECT_FALSE(present(chunks_.id()) || present(low_.id()));
    EXPECT_TRUE(present(others_.id()));
    expect_heals(again(chunks_));
  }
  EXPECT_TRUE(store_->manifest(manifest_.id)->complete);
}

TEST_F(StoreLyingIndex, OneWhoseNotesFitNoSegmentIsRebuilt) {
  const auto note_of = [&](std::string_view name) {
    Bytes value;
    EXPECT_TRUE(index_.for_each_note(name, [&](std::string_view, ByteView found) {
      value = {found.begin(), found.end()};
      return false;
    }));
    return value;
  };
  const std::string length = "segment/00000001";
  const Bytes anchor = note_of("anchor"), indexed = note_of(length);
  const auto changed = [](Bytes value, std::size_t at) {
    value.at(at) ^= Byte{8};
    return value;
  };
  // The anchor: segment u32, offset u64, length u32, checksum u64.
  for (const ObjectIndex::Note& lie : {ObjectIndex::Note{length, std::nullopt},
                                       {length, changed(indexed, 0)},
                                       {"anchor", changed(anchor, 4)},
                                       {"anchor", changed(anchor, 12)},
                                       {"anchor", changed(anchor, 16)}}) {
    store_.reset();
    ASSERT_TRUE(index_.write({}, {}, {&lie, 1}, *index_.checkpoint()));
    open();
    EXPECT_TRUE(store_->recovery().index_rebuilt) << lie.name;
    EXPECT_TRUE(store_->manifest(manifest_.id)->complete);
  }
  open();
  EXPECT_FALSE(store_->recovery().index_rebuilt);
}

TEST_F(StoreLyingIndex, AManifestIsNotTakenWhileItCannotSayWhetherTheRootIsThere) {
  store_.reset();
  for (std::uint64_t nth = 1;; ++nth) {
    FailingIndex index(index_, nth, Code::kIo, false);
    auto opened = Store::open(files_, kPath, index, node_, limits_);
    if (!opened) continue;
    store_ = std::move(opened).value();
    const auto next = manifest(low_.id(), 2);
    const Status appended = append(next);
    const bool reached = index.calls() >= nth;
    EXPECT_EQ(store_->manifest(next.id).has_value(), appended.has_value());
    const bool failed = !appended;
    if (failed) {
      EXPECT_THAT(said(appended), HasSubstr("injected fault"));
      EXPECT_TRUE(append(next));
    }
    store_.reset();
    ASSERT_TRUE(reached) << "appended without asking the index";
    if (failed) return;
  }
}

}  // namespace
}  // namespace holdfast::repository
