// Windows of a plan, from catalog files that a test writes leaf by leaf.
#include "agent/restore_planner.h"

#include <gtest/gtest.h>

#include <set>

#include "agent/catalog_codec.h"
#include "agent/restore_ledger.h"
#include "tests/simulation/sim_file_system.h"

namespace holdfast::agent {
namespace {

class Planning : public ::testing::Test {
 protected:
  static CatalogEntry file(const std::string& path, std::size_t chunks) {
    CatalogEntry entry;
    entry.entry.path = path;
    entry.entry.mode = 0100644;
    entry.entry.size = 10 * chunks;
    entry.content.refs.resize(chunks);
    if (chunks > 1) entry.content.lengths.resize(chunks, 10);
    return entry;
  }
  // Each in a leaf of its own.
  void write(const std::vector<CatalogEntry>& entries) {
    auto writer = CatalogFileWriter::create(disk_, "/catalog");
    ASSERT_TRUE(writer);
    for (const CatalogEntry& entry : entries) {
      LeafEncoder encoder;
      encoder.add(entry);
      ListObject leaf;
      std::tie(leaf.refs, leaf.payload) = encoder.take();
      ASSERT_TRUE(writer->add(leaf));
    }
    ASSERT_TRUE(writer->finish({}, {}));
  }
  // The entries of each window.
  std::vector<std::size_t> windows(WindowLimits limits) {
    RestorePlanner planner(*CatalogFileReader::open(disk_, "/catalog"), options_, nullptr, limits);
    std::vector<std::size_t> sizes;
    for (bool last = false; !last;) {
      const auto window = planner.next();
      EXPECT_TRUE(window) << window.error().message();
      if (!window) break;
      sizes.push_back(window->entries.size());
      last = window->last;
    }
    return sizes;
  }

  simulation::SimFileSystem disk_;
  RestoreOptions options_;
};

using Sizes = std::vector<std::size_t>;

TEST_F(Planning, AWindowEndsAtWhicheverLimitComesFirst) {
  std::vector<CatalogEntry> entries;
  for (const char* const path : {"a", "b", "c", "d", "e", "f"}) entries.push_back(file(path, 2));
  write(entries);
  EXPECT_EQ(windows({}), (Sizes{6}));
  EXPECT_EQ(windows({.entries = 4}), (Sizes{4, 2}));
  EXPECT_EQ(windows({.chunks = 6}), (Sizes{3, 3, 0}));
  EXPECT_EQ(windows({.pieced_files = 2}), (Sizes{2, 2, 2, 0}));
}

TEST_F(Planning, AWindowEndsBeforeLargeAttributesFillTheMemory) {
  std::vector<CatalogEntry> entries;
  for (char name = 'a'; name < 'a' + 20; ++name) {
    entries.push_back(file(std::string(1, name), 1));
    entries.back().entry.xattrs = {{"user.large", std::string(1 << 20, 'x')}};
  }
  write(entries);
  EXPECT_EQ(windows({}), (Sizes{8, 8, 4}));
}

TEST_F(Planning, LeavesThatAreOutOfOrderAreDamage) {
  for (const std::string second : {"a", "b"}) {
    write({file("b", 1), file(second, 1)});
    RestorePlanner planner(*CatalogFileReader::open(disk_, "/catalog"), options_, nullptr);
    const auto window = planner.next();
    ASSERT_FALSE(window) << second;
    EXPECT_EQ(window.error().code(), Code::kCorrupt);
  }
}

TEST(RestoreLedger, KeepsSoManyProblemsAndCountsTheRest) {
  RestoreLedger ledger;
  for (std::size_t i = 0; i < kMostProblems + 5; ++i)
    ledger.problem("x", Error(Code::kIo, "damaged"));
  const RestoreResult result = ledger.take_result();
  EXPECT_EQ(result.problems.size(), kMostProblems);
  EXPECT_EQ(result.problem_count, kMostProblems + 5);
}

}  // namespace
}  // namespace holdfast::agent
