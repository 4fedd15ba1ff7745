// What every ObjectIndex must do, whatever it is made of. To run it for an implementation:
//
//   struct MyIndexFixture {                 // made anew for each test
//     ObjectIndex& index();
//     void reopen();                        // after a clean end: nothing flushed is lost
//   };
//   INSTANTIATE_TYPED_TEST_SUITE_P(My, ObjectIndexConformance, MyIndexFixture);
//
// What a crash leaves is not part of it.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "repository/store/object_index.h"
#include "tests/testing/seed.h"
#include "tests/testing/seeded_random.h"

namespace holdfast::repository {

template <typename Fixture>
class ObjectIndexConformance : public ::testing::Test {
 protected:
  using Put = ObjectIndex::Put;
  using Note = ObjectIndex::Note;

  ObjectIndex& index() { return fixture_.index(); }
  void reopen() { fixture_.reopen(); }

  ObjectId id() {
    ObjectId id;
    random_.fill(id.bytes);
    return id;
  }
  ObjectEntry entry() {
    ObjectEntry entry;
    entry.location = {static_cast<std::uint32_t>(random_.uint64()), random_.uint64(),
                      static_cast<std::uint32_t>(random_.uint64())};
    entry.kind = random_.below(2) == 0 ? format::ObjectKind::kData : format::ObjectKind::kList;
    entry.position = static_cast<std::uint16_t>(random_.uint64());
    entry.incomplete = random_.below(2) == 0;
    entry.damaged = random_.below(2) == 0;
    return entry;
  }
  void write(const std::vector<Put>& puts, const std::vector<ObjectId>& removals = {},
             const std::vector<Note>& notes = {}, Checkpoint checkpoint = {1, 64}) {
    const Status written = index().write(puts, removals, notes, checkpoint);
    ASSERT_TRUE(written) << written.error().message();
  }
  std::map<ObjectId, ObjectEntry> all() {
    std::map<ObjectId, ObjectEntry> found;
    std::optional<ObjectId> before;
    EXPECT_TRUE(index().for_each([&](const ObjectId& at, const ObjectEntry& entry) {
      EXPECT_TRUE(!before || *before < at) << "not in order of id";
      before = at;
      return found.emplace(at, entry).second;
    }));
    return found;
  }
  std::map<std::string, std::string> notes(std::string_view prefix) {
    std::map<std::string, std::string> found;
    EXPECT_TRUE(index().for_each_note(prefix, [&](std::string_view name, ByteView value) {
      EXPECT_TRUE(found.empty() || found.rbegin()->first < name) << "not in order of name";
      return found.emplace(name, to_string(value)).second;
    }));
    return found;
  }

  testing::SeededRandom random_{testing::seed()};

 private:
  Fixture fixture_;
};

TYPED_TEST_SUITE_P(ObjectIndexConformance);

TYPED_TEST_P(ObjectIndexConformance, ANewIndexIsEmpty) {
  EXPECT_EQ(this->index().checkpoint().value(), (Checkpoint{0, 0}));
  const ObjectId id = this->id();
  EXPECT_EQ(this->index().get({&id, 1}).value(), std::vector<std::optional<ObjectEntry>>(1));
  EXPECT_TRUE(this->index().get({}).value().empty());
  EXPECT_TRUE(this->all().empty());
  EXPECT_TRUE(this->notes("").empty());
}

TYPED_TEST_P(ObjectIndexConformance, EntriesComeBackInTheOrderOfTheQuestion) {
  std::vector<ObjectIndex::Put> puts;
  for (int i = 0; i < 3000; ++i) puts.push_back({this->id(), this->entry()});
  this->write(puts);
  std::vector<ObjectId> ids;
  std::vector<std::optional<ObjectEntry>> expected;
  for (int i = 0; i < 5000; ++i) {
    if (this->random_.below(3) == 0) {
      ids.push_back(this->id());
      expected.emplace_back();
    } else {
      const auto& put = puts[this->random_.below(puts.size())];
      ids.push_back(put.id);
      expected.emplace_back(put.entry);
    }
  }
  EXPECT_EQ(this->index().get(ids).value(), expected);
  ASSERT_TRUE(this->index().flush());
  EXPECT_EQ(this->index().get(ids).value(), expected);
}

TYPED_TEST_P(ObjectIndexConformance, TheLastPutOfAnIdHolds) {
  const ObjectId id = this->id();
  const ObjectEntry first = this->entry(), second = this->entry(), third = this->entry();
  this->write({{id, first}, {id, second}});
  EXPECT_EQ(this->index().get({&id, 1}).value()[0], second);
  this->write({{id, third}});
  EXPECT_EQ(this->index().get({&id, 1}).value()[0], third);
  EXPECT_EQ(this->all().size(), 1u);
}

TYPED_TEST_P(ObjectIndexConformance, RemovalsRemoveAndRemovingNothingIsNothing) {
  const ObjectId a = this->id(), b = this->id(), never = this->id();
  const ObjectEntry entry = this->entry();
  this->write({{a, entry}, {b, entry}});
  this->write({}, {a, never});
  EXPECT_EQ(this->all(), (std::map<ObjectId, ObjectEntry>{{b, entry}}));
}

TYPED_TEST_P(ObjectIndexConformance, ForEachVisitsInOrderAndStopsWhenTold) {
  std::map<ObjectId, ObjectEntry> expected;
  std::vector<ObjectIndex::Put> puts;
  for (int i = 0; i < 500; ++i) puts.push_back({this->id(), this->entry()});
  for (const auto& put : puts) expected[put.id] = put.entry;
  this->write(puts);
  EXPECT_EQ(this->all(), expected);
  int visits = 0;
  ASSERT_TRUE(
      this->index().for_each([&](const ObjectId&, const ObjectEntry&) { return ++visits < 7; }));
  EXPECT_EQ(visits, 7);
}

TYPED_TEST_P(ObjectIndexConformance, IdsOfAllKindsAreNoNotes) {
  // Ids that begin like anything an implementation may use for itself.
  std::vector<ObjectIndex::Put> puts;
  for (unsigned first = 0; first < 256; ++first) {
    ObjectId id = this->id();
    id.bytes[0] = static_cast<Byte>(first);
    puts.push_back({id, this->entry()});
  }
  this->write(puts, {}, {{"a", to_bytes("1")}}, {7, 8});
  EXPECT_EQ(this->all().size(), 256u);
  EXPECT_EQ(this->notes("").size(), 1u);
  EXPECT_EQ(this->index().checkpoint().value(), (Checkpoint{7, 8}));
}

TYPED_TEST_P(ObjectIndexConformance, NotesAreFoundByPrefixInOrder) {
  this->write({}, {},
              {{"b/2", to_bytes("two")},
               {"a", {Bytes()}},
               {"b/1", to_bytes("one")},
               {"b", to_bytes("b")},
               {"c", to_bytes("c")}});
  using Notes = std::map<std::string, std::string>;
  EXPECT_EQ(this->notes("b/"), (Notes{{"b/1", "one"}, {"b/2", "two"}}));
  EXPECT_EQ(this->notes("a"), (Notes{{"a", ""}}));
  EXPECT_EQ(this->notes("d"), Notes{});
  EXPECT_EQ(this->notes("").size(), 5u);
}

TYPED_TEST_P(ObjectIndexConformance, NotesAreReplacedAndRemoved) {
  using Notes = std::map<std::string, std::string>;
  this->write({}, {}, {{"a", to_bytes("1")}, {"b", to_bytes("2")}});
  this->write({}, {}, {{"a", to_bytes("3")}, {"b", std::nullopt}, {"never", std::nullopt}});
  EXPECT_EQ(this->notes(""), (Notes{{"a", "3"}}));
}

TYPED_TEST_P(ObjectIndexConformance, EachBatchMovesTheCheckpoint) {
  this->write({}, {}, {}, {3, 1ull << 40});
  EXPECT_EQ(this->index().checkpoint().value(), (Checkpoint{3, 1ull << 40}));
  this->write({}, {}, {}, {4, 64});
  EXPECT_EQ(this->index().checkpoint().value(), (Checkpoint{4, 64}));
}

TYPED_TEST_P(ObjectIndexConformance, WhatWasFlushedIsThereAfterReopening) {
  const ObjectId id = this->id();
  const ObjectEntry entry = this->entry();
  this->write({{id, entry}}, {}, {{"note", to_bytes("text")}}, {5, 80});
  ASSERT_TRUE(this->index().flush());
  this->reopen();
  EXPECT_EQ(this->index().get({&id, 1}).value()[0], entry);
  EXPECT_EQ(this->notes("note").size(), 1u);
  EXPECT_EQ(this->index().checkpoint().value(), (Checkpoint{5, 80}));
}

TYPED_TEST_P(ObjectIndexConformance, ClearForgetsEverythingForGood) {
  this->write({{this->id(), this->entry()}}, {}, {{"note", to_bytes("text")}}, {5, 80});
  ASSERT_TRUE(this->index().flush());
  ASSERT_TRUE(this->index().clear());
  EXPECT_TRUE(this->all().empty());
  EXPECT_TRUE(this->notes("").empty());
  EXPECT_EQ(this->index().checkpoint().value(), (Checkpoint{0, 0}));
  this->reopen();
  EXPECT_TRUE(this->all().empty());
  const ObjectId id = this->id();
  this->write({{id, this->entry()}});
  EXPECT_EQ(this->all().size(), 1u);
}

TYPED_TEST_P(ObjectIndexConformance, TheCountIsAboutRight) {
  std::vector<ObjectIndex::Put> puts;
  for (int i = 0; i < 1000; ++i) puts.push_back({this->id(), this->entry()});
  this->write(puts);
  EXPECT_NEAR(static_cast<double>(this->index().approximate_count().value()), 1000, 100);
  ASSERT_TRUE(this->index().flush());
  EXPECT_NEAR(static_cast<double>(this->index().approximate_count().value()), 1000, 100);
}

REGISTER_TYPED_TEST_SUITE_P(ObjectIndexConformance, ANewIndexIsEmpty,
                            EntriesComeBackInTheOrderOfTheQuestion, TheLastPutOfAnIdHolds,
                            RemovalsRemoveAndRemovingNothingIsNothing,
                            ForEachVisitsInOrderAndStopsWhenTold, IdsOfAllKindsAreNoNotes,
                            NotesAreFoundByPrefixInOrder, NotesAreReplacedAndRemoved,
                            EachBatchMovesTheCheckpoint, WhatWasFlushedIsThereAfterReopening,
                            ClearForgetsEverythingForGood, TheCountIsAboutRight);

}  // namespace holdfast::repository
