// An index that fails: one call of it after the other, once and for good, through a life in which
// everything is done that a store does. It is a cache, so that nothing may be lost by it; and what
// it did not say must not be taken for an answer.
#include <gmock/gmock.h>

#include "tests/unit/repository/store/failing_index.h"
#include "tests/unit/repository/store/store_fixture.h"

namespace holdfast::repository {
namespace {

using ::testing::HasSubstr;

class StoreIndexErrors : public StoreTest {
 protected:
  StoreIndexErrors() {
    store_.reset();
    begin_ = files_.moment();
  }
  // Of what was not said to fail by an error, all must be so.
  void live(ObjectIndex& index) {
    acknowledged_ = false;
    first_error_.reset();
    auto opened = Store::open(files_, kPath, index, node_, limits_);
    if (!note(opened)) return;
    store_ = std::move(opened).value();
    note(store_->put_frame(chunks_.parsed));
    // A list that waits for what comes later.
    const auto early = store_->put_frame(root_.parsed);
    if (!early && early.error().code() != Code::kMissingObjects) note(early);
    note(store_->put_frame(others_.parsed));
    note(store_->missing_refs(root_.parsed));
    const bool whole =
        note(store_->put_frame(list_.parsed)) && note(store_->put_frame(root_.parsed));
    const bool committed = whole && note(append(manifest_));
    acknowledged_ = note(store_->sync()) && committed;
    expect_present();
    damage_and_heal();
    verify_all();
    // One that failed knows of a part only, until it is made up for.
    if (note(store_->reindex()) || note(store_->try_recover_writes())) expect_present();
    note(store_->sync());
  }
  void damage_and_heal() {
    const auto entry = store_->locate(chunks_.id());
    if (!note(entry) || !*entry) return;
    const Location at = (*entry)->location;
    damage(at);
    const auto read = store_->read_frame(chunks_.id());
    EXPECT_FALSE(read);
    if (!read && read.error().code() != Code::kCorrupt) note(read);
    note(store_->report_damage(others_.id(), keys()));
    note(store_->put_frame(again(chunks_).parsed));
    note(store_->sync());
    damage(at);  // the same bit again
  }
  void verify_all() {
    for (bool restart = true, done = false; !done; restart = false) {
      const auto step = store_->verify_step({VerifyDepth::kSignature}, keys(), restart);
      if (!note(step)) return;
      done = step->done;
    }
  }
  void expect_present() {
    if (!acknowledged_) return;
    for (const TestFrame* frame : {&chunks_, &others_, &list_, &root_}) {
      const auto present = store_->present(frame->ids());
      if (note(present)) {
        EXPECT_TRUE(present->at(0)) << "acknowledged, and said not to be there";
      }
    }
  }
  // With an index that works again, over what the process left.
  void expect_nothing_lost() {
    store_.reset();
    open();
    if (!acknowledged_) return;
    ASSERT_TRUE(store_->manifest(manifest_.id)) << "acknowledged and lost";
    // What the store took for damaged heals.
    store({&chunks_, &others_, &list_, &root_});
    EXPECT_TRUE(store_->manifest(manifest_.id)->complete);
    for (const TestFrame* frame : {&chunks_, &others_, &list_, &root_}) {
      EXPECT_TRUE(present(frame->id()));
      EXPECT_TRUE(store_->read_frame(frame->id()));
    }
  }
  template <typename T>
  bool note(const Result<T>& result) {
    if (!result && !first_error_) first_error_ = result.error();
    return result.has_value();
  }

  simulation::SimFileSystem::Moment begin_;
  const TestFrame chunks_ = data(3), others_ = data(2);
  const TestFrame list_ = list(chunks_.ids()), root_ = list({list_.id(), others_.id()});
  const format::SignedManifest manifest_ = manifest(root_.id());
  bool acknowledged_ = false;
  std::optional<Error> first_error_;
};

TEST_F(StoreIndexErrors, NothingIsLostOrWronglySaidWhicheverCallFails) {
  for (const Code code : {Code::kIo, Code::kNoSpace, Code::kCorrupt}) {
    for (const bool for_good : {false, true}) {
      for (std::uint64_t nth = 1;; ++nth) {
        SCOPED_TRACE("call " + std::to_string(nth) + " fails with " + std::string(name(code)) +
                     (for_good ? " for good" : " once"));
        store_.reset();
        files_.return_to(begin_);
        index_ = MemoryIndex();
        FailingIndex index(index_, nth, code, for_good);
        live(index);
        const bool reached = index.calls() >= nth;
        if (first_error_ && reached) {
          EXPECT_THAT(first_error_->message(), HasSubstr("injected fault"));
        }
        expect_nothing_lost();
        if (HasFailure()) return;
        if (reached) continue;
        EXPECT_TRUE(acknowledged_);
        EXPECT_GT(nth, 40U);
        break;
      }
    }
  }
}

}  // namespace
}  // namespace holdfast::repository
