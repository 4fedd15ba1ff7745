#include "repository/store/unsynced_entries.h"

#include <gtest/gtest.h>

namespace holdfast::repository {
namespace {

ObjectId id(unsigned char n) {
  ObjectId id{};
  id.bytes[0] = Byte{n};
  return id;
}

ObjectEntry at(std::uint64_t offset) {
  ObjectEntry entry;
  entry.location.offset = offset;
  return entry;
}

TEST(UnsyncedEntries, TheLastEntryOfAnIdIsFoundAndBothReachTheIndex) {
  UnsyncedEntries entries;
  entries.put(id(1), at(10));
  const auto mark = entries.mark();
  entries.put(id(1), at(20));
  EXPECT_EQ(*entries.find(id(1)), at(20));
  ASSERT_EQ(entries.entries_before(mark).size(), 1u);
  EXPECT_EQ(entries.entries_before(mark)[0].entry, at(10));
  entries.forget_before(mark);
  EXPECT_EQ(*entries.find(id(1)), at(20));
  entries.forget_before(entries.mark());
  EXPECT_EQ(entries.find(id(1)), nullptr);
  EXPECT_EQ(entries.size(), 0u);
}

TEST(UnsyncedEntries, DroppingTheEndUncoversWhatWasBefore) {
  UnsyncedEntries entries;
  entries.put(id(1), at(10));
  entries.put_note("a", Bytes());
  const auto mark = entries.mark();
  entries.put(id(1), at(20));
  entries.put(id(2), at(30));
  entries.put_note("b", Bytes());
  entries.drop_from(mark);
  EXPECT_EQ(*entries.find(id(1)), at(10));
  EXPECT_EQ(entries.find(id(2)), nullptr);
  ASSERT_EQ(entries.notes().size(), 1u);
  EXPECT_EQ(entries.notes()[0].name, "a");
}

TEST(UnsyncedEntries, MarksStayValidWhenTheFrontGoes) {
  UnsyncedEntries entries;
  for (unsigned char n = 0; n < 10; ++n) entries.put(id(n), at(n));
  const auto middle = entries.mark();
  for (unsigned char n = 10; n < 20; ++n) entries.put(id(n), at(n));
  const auto end = entries.mark();
  entries.forget_before(middle);
  EXPECT_EQ(entries.entries_before(end).size(), 10u);
  entries.drop_from(middle);
  EXPECT_EQ(entries.size(), 0u);
}

TEST(UnsyncedEntries, AReplacedFlagReachesTheIndex) {
  UnsyncedEntries entries;
  entries.put(id(1), at(10));
  ObjectEntry damaged = at(10);
  damaged.damaged = true;
  entries.replace(id(1), damaged);
  EXPECT_TRUE(entries.entries_before(entries.mark())[0].entry.damaged);
}

}  // namespace
}  // namespace holdfast::repository
