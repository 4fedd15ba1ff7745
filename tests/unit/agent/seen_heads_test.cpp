// The file of heads: what is damaged, what cannot be read or written, and what then becomes of it.
// What it is compared with is in snapshot_list_test.cpp.
#include "agent/seen_heads.h"

#include <gmock/gmock.h>

#include "tests/simulation/sim_file_system.h"
#include "tests/testing/observed_files.h"

namespace holdfast::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class HeadsFile : public ::testing::Test {
 protected:
  void put(const std::string& text) {
    ASSERT_TRUE(write_file_atomically(disk_, kPath, as_bytes(text)));
  }
  std::string text() {
    const auto content = read_file(disk_, kPath, 1 << 20);
    return content ? std::string(as_text(*content)) : "";
  }
  // One snapshot with this number, of one agent, on the only node.
  static SnapshotList list(std::uint64_t sequence) {
    SnapshotList list;
    list.nodes = {"a"};
    Snapshot snapshot;
    snapshot.manifest.manifest.agent = AgentId{{1}};
    snapshot.manifest.manifest.sequence = sequence;
    snapshot.manifest.id = ManifestId{{static_cast<Byte>(sequence)}};
    snapshot.copies = {{0, {0}, true}};
    list.snapshots.push_back(snapshot);
    return list;
  }
  static std::string with(const std::string& agent, const std::string& number,
                          const std::string& id, const std::string& first = " ",
                          const std::string& second = " ") {
    return "holdfast heads 1\n" + agent + first + number + second + id + "\n";
  }

  static constexpr const char* kPath = "/heads";
  simulation::SimFileSystem disk_;
  const std::string agent_ = std::string(64, 'a'), id_ = std::string(64, 'b');
};

TEST_F(HeadsFile, IsDamagedWhereAnyPartOfALineIsWrong) {
  put(with(agent_, "12", id_));
  ASSERT_TRUE(SeenHeads::load(disk_, kPath));
  const std::string wrong_hex = std::string(63, 'a') + "g";
  for (const std::string& text :
       {with("", "", ""), with(agent_, "", id_), with(wrong_hex, "12", id_),
        with(agent_, "12", wrong_hex), with(agent_, "x", id_), with(agent_, "12x", id_),
        with(agent_, "-1", id_), with(agent_, "99999999999999999999", id_),
        with(agent_, "12", id_, "_"), with(agent_, "12", id_, " ", "_"),
        with(agent_, "12", id_) + "x"}) {
    put(text);
    const auto loaded = SeenHeads::load(disk_, kPath);
    ASSERT_FALSE(loaded) << text;
    EXPECT_EQ(loaded.error().code(), Code::kCorrupt);
  }
}

TEST_F(HeadsFile, ThatIsDamagedIsSaidAndBegunAnew) {
  put("garbage");
  const auto warnings = compare_with_seen(disk_, kPath, list(5));
  ASSERT_THAT(warnings, ElementsAre(HasSubstr("go unnoticed")));
  EXPECT_THAT(compare_with_seen(disk_, kPath, list(5)), IsEmpty());
  EXPECT_THAT(compare_with_seen(disk_, kPath, list(3)), ElementsAre(HasSubstr("rolled back")));
}

// It may be good: heads that were written over it would hide a rollback for good.
TEST_F(HeadsFile, ThatCannotBeReadIsNotWrittenOver) {
  ASSERT_THAT(compare_with_seen(disk_, kPath, list(5)), IsEmpty());
  const std::string before = text();
  for (const std::string failing : {"exists", "open", "size", "read_at"}) {
    testing::ObservedFiles files(disk_, [&](std::string_view call, const std::string&) {
      return call == failing ? Status(Error(Code::kIo, "no reading here")) : Status();
    });
    EXPECT_THAT(compare_with_seen(files, kPath, list(7)), ElementsAre(HasSubstr("no reading here")))
        << failing;
    EXPECT_EQ(text(), before);
  }
}

TEST_F(HeadsFile, ThatCannotBeWrittenIsSaidBesideWhatWasFound) {
  ASSERT_THAT(compare_with_seen(disk_, kPath, list(5)), IsEmpty());
  const std::string before = text();
  testing::ObservedFiles files(disk_, [&](std::string_view call, const std::string&) {
    return call == "rename" ? Status(Error(Code::kNoSpace, "no room")) : Status();
  });
  EXPECT_THAT(compare_with_seen(files, kPath, list(6)), ElementsAre(HasSubstr("no room")));
  EXPECT_EQ(text(), before);
}

}  // namespace
}  // namespace holdfast::agent
