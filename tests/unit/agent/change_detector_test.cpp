#include "agent/change_detector.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <map>

#include "agent/catalog_builder.h"
#include "common/base/endian.h"
#include "tests/simulation/sim_file_system.h"

namespace holdfast::agent {
namespace {

// A scan that gives these entries in one batch.
class GivenEntries final : public EntryStream {
 public:
  explicit GivenEntries(std::vector<Entry> entries) : entries_(std::move(entries)) {}
  Result<std::vector<Entry>> next() override { return std::exchange(entries_, {}); }
  std::vector<ScanProblem> take_problems() override { return {}; }

 private:
  std::vector<Entry> entries_;
};

class DetectingChanges : public ::testing::Test {
 protected:
  static Entry file(const std::string& path) {
    Entry entry;
    entry.path = path;
    entry.mode = 0100644;
    entry.uid = entry.gid = 1000;
    entry.mtime = {1000, 5};
    entry.ctime = {1001, 6};
    entry.size = 3;
    entry.inode = 42;
    entry.device = 7;
    return entry;
  }
  static CatalogEntry with_content(Entry entry) {
    return {std::move(entry), {{ObjectId{{1}}}, {}, false}};
  }
  // The catalog of the snapshot before.
  void write(const std::vector<CatalogEntry>& entries) {
    auto writer = CatalogFileWriter::create(files_, kPath).value();
    format::ObjectIdentifier identifier{crypto::SecretKey()};
    CatalogBuilder builder(
        identifier, [&](ListObject&& object) { EXPECT_TRUE(writer.add(std::move(object))); });
    for (const CatalogEntry& entry : entries) builder.add(entry);
    EXPECT_TRUE(writer.finish(builder.finish().id, {}));
  }
  std::map<std::string, PlannedEntry> detect(std::vector<Entry> now, UnixTime began = kBegan) {
    auto catalog = CatalogFileReader::open(files_, kPath).value();
    GivenEntries scan(std::move(now));
    ChangeDetector detector(scan, &catalog, began);
    std::map<std::string, PlannedEntry> planned;
    auto entries = detector.next();
    EXPECT_TRUE(entries);
    for (PlannedEntry& plan : *entries) planned.emplace(plan.entry.entry.path, plan);
    return planned;
  }
  bool is_unchanged(const Entry& now, const CatalogEntry& then, UnixTime began = kBegan) {
    write({then});
    return detect({now}, began).at(now.path).kind == PlannedEntry::Kind::kUnchanged;
  }

  static constexpr const char* kPath = "/catalog";
  static constexpr UnixTime kBegan{2'000'000'000'000};  // second 2000
  simulation::SimFileSystem files_;
};

TEST_F(DetectingChanges, WhatIsAsItWasKeepsItsContentAndTheRestIsNewOrChanged) {
  write({with_content(file("a")), with_content(file("gone")), with_content(file("x"))});
  Entry longer = file("x");
  longer.size = 4;
  const auto planned = detect({file("a"), file("b"), longer});
  EXPECT_EQ(planned.at("a").kind, PlannedEntry::Kind::kUnchanged);
  EXPECT_EQ(planned.at("a").entry, with_content(file("a")));
  EXPECT_EQ(planned.at("b").kind, PlannedEntry::Kind::kNew);
  EXPECT_EQ(planned.at("b").earlier_refs, std::vector<ObjectId>());
  EXPECT_EQ(planned.at("x").kind, PlannedEntry::Kind::kChanged);
  EXPECT_EQ(planned.at("x").entry.entry, longer);
  EXPECT_EQ(planned.at("x").earlier_refs, std::vector<ObjectId>{ObjectId{{1}}});
}

TEST_F(DetectingChanges, OneAttributeAloneMakesAFileAChangedOne) {
  const std::map<std::string, std::function<void(Entry&)>> changes = {
      {"mode", [](Entry& e) { e.mode = 0100600; }},
      {"uid", [](Entry& e) { ++e.uid; }},
      {"gid", [](Entry& e) { ++e.gid; }},
      {"mtime", [](Entry& e) { ++e.mtime.nanoseconds; }},
      {"ctime", [](Entry& e) { --e.ctime.seconds; }},
      {"size", [](Entry& e) { ++e.size; }},
      {"inode", [](Entry& e) { ++e.inode; }},
      {"device", [](Entry& e) { ++e.device; }},
      {"links", [](Entry& e) { ++e.links; }},
  };
  ASSERT_TRUE(is_unchanged(file("a"), with_content(file("a"))));
  for (const auto& [name, change] : changes) {
    Entry now = file("a");
    change(now);
    EXPECT_FALSE(is_unchanged(now, with_content(file("a")))) << name;
  }
}

TEST_F(DetectingChanges, AFileThatWasNotWholeIsReadAgain) {
  for (const auto condition : {EntryCondition::kChangedWhileRead, EntryCondition::kUnreadable}) {
    CatalogEntry then = with_content(file("a"));
    then.entry.condition = condition;
    EXPECT_FALSE(is_unchanged(file("a"), then));
  }
}

// The clock of a file system may tick more slowly than a file changes twice.
TEST_F(DetectingChanges, AFileModifiedWhenTheBackupBeganOrLaterIsReadAgain) {
  for (Timestamp Entry::*const time : {&Entry::mtime, &Entry::ctime}) {
    for (const auto& [modified, unchanged] : {std::pair(Timestamp{1999, 999'999'999}, true),
                                              {{2000, 0}, false},
                                              {{2000, 1}, false},
                                              {{-5, 7}, true}}) {
      Entry now = file("a");
      now.*time = modified;
      EXPECT_EQ(is_unchanged(now, with_content(now)), unchanged) << modified.seconds;
    }
  }
  Entry old = file("a");
  old.mtime = old.ctime = {-3, 0};
  EXPECT_TRUE(is_unchanged(old, with_content(old), {-2'500'000'000}));
  EXPECT_FALSE(is_unchanged(old, with_content(old), {-3'000'000'000}));
}

// Any number of seconds was brought to nanoseconds, and came out as another time.
TEST_F(DetectingChanges, ATimeFarInTheFutureWasTakenForOneInThePast) {
  for (const std::int64_t seconds :
       {std::int64_t{32'503'680'000}, std::numeric_limits<std::int64_t>::max()}) {
    Entry now = file("a");
    now.mtime = {seconds, 0};
    EXPECT_FALSE(is_unchanged(now, with_content(now)));
  }
}

TEST_F(DetectingChanges, OfAHugeFileNoChunksAreKnown) {
  CatalogEntry then = with_content(file("a"));
  then.content.lists = true;
  write({then});
  Entry now = file("a");
  now.size = 4;
  const auto planned = detect({now});
  EXPECT_EQ(planned.at("a").kind, PlannedEntry::Kind::kChanged);
  EXPECT_EQ(planned.at("a").earlier_refs, std::vector<ObjectId>());
}

TEST_F(DetectingChanges, BehindDamageInTheCatalogEverythingIsNew) {
  // Each fills a leaf alone.
  std::vector<CatalogEntry> then;
  for (const char* const path : {"a", "b", "c"}) {
    then.push_back(with_content(file(path)));
    then.back().entry.xattrs.push_back({"user.large", std::string(1 << 20, 'x')});
  }
  write(then);
  Bytes content = to_bytes(as_text(read_file(files_, kPath, 1 << 24).value()));
  content[content.size() / 2] ^= 1;
  ASSERT_TRUE(write_file_atomically(files_, kPath, content));
  const auto planned = detect({file("a"), file("b"), file("c")});
  EXPECT_EQ(planned.at("a").kind, PlannedEntry::Kind::kUnchanged);
  EXPECT_EQ(planned.at("b").kind, PlannedEntry::Kind::kNew);
  EXPECT_EQ(planned.at("c").kind, PlannedEntry::Kind::kNew);
}

}  // namespace
}  // namespace holdfast::agent
