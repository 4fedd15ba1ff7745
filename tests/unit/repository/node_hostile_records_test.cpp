// Records that nobody wrote as such: an agent chooses the bytes of its frames, and where damage
// makes recovery search for the next record, it may find one in there.
#include "repository/store/segment_format.h"
#include "repository/store/signed_records.h"
#include "tests/unit/repository/node_fixture.h"

namespace holdfast::repository {
namespace {

class HostileRecords : public NodeTest {
 protected:
  HostileRecords() { create_repository(); }
  // A record at the end of the only segment, as recovery would find it within a frame.
  void plant(RecordType type, ByteView payload) {
    const std::string path =
        files.root() + "/repositories/" + repository.id().hex() + "/segments/00000001.seg";
    const auto file = files.open(path, OpenMode::kReadWrite);
    ASSERT_TRUE(file);
    const auto header = encode_record_header(type, payload);
    const Bytes zeros(record_size(static_cast<std::uint32_t>(payload.size())) - payload.size() -
                      header.size());
    ASSERT_TRUE((*file)->write_at(*(*file)->size(), {header, payload, zeros}));
    restart();
  }
};

TEST_F(HostileRecords, AManifestThatItsAgentDidNotSignWasListedAndTookItsPlace) {
  const TestObject root = put_tree(repository.writer, "content");
  auto forged = repository.manifest(repository.reader, root.id);
  // The writer's name over the reader's signature.
  format::Manifest body = forged.manifest;
  body.agent = repository.writer.id();
  forged = format::sign_again(body, repository.reader.signing);
  plant(RecordType::kManifest, encode_manifest_record({5}, forged.bytes));
  EXPECT_TRUE(listed(embedder).empty());
  EXPECT_FALSE(log.errors.empty());
  const auto genuine = repository.manifest(repository.writer, root.id);
  EXPECT_EQ(commit(connect(repository.writer), genuine), "ok");
  EXPECT_EQ(listed(embedder), std::vector{genuine.id});
}

TEST_F(HostileRecords, ACharterThatNobodySignedKeptTheRepositoryFromBeingOpened) {
  Bytes forged = repository.charter(9, Sha256{}).record;
  forged[forged.size() / 2] ^= 1;
  plant(RecordType::kCharter, forged);
  EXPECT_EQ(node->repositories(), 1U);
  wire::RequestProto proto = request();
  proto.mutable_status();
  EXPECT_EQ(ask(connect(repository.owner), proto).status().charter_version(), 1U);
}

TEST_F(HostileRecords, AFrameOfAnAgentThatNoCharterKnowsIsAProblemOfAVerificationAndNoDamage) {
  const TestAgent stranger(random, "stranger", format::kAppend);
  const TestObject object = repository.data("content");
  plant(RecordType::kFrame, repository.frame(stranger, {object}).view());
  wire::RequestProto proto = request();
  proto.mutable_verify()->set_depth(2);
  proto.mutable_verify()->set_fraction(1);
  const auto found = ask(embedder, proto).verify();
  EXPECT_TRUE(found.done());
  EXPECT_EQ(found.damaged(), "");
  ASSERT_EQ(found.problems_size(), 1);
  EXPECT_NE(found.problems(0).find("does not know agent " + stranger.id().short_hex()),
            std::string::npos);
}

class WithoutACharter : public HostileRecords {
 protected:
  // Flips a bit of the only charter, which is the first record.
  void lose_charter() {
    const std::string path =
        files.root() + "/repositories/" + repository.id().hex() + "/segments/00000001.seg";
    const auto file = files.open(path, OpenMode::kReadWrite);
    Bytes byte(1);
    const std::uint64_t at = kSegmentHeaderSize + kRecordHeaderSize + 40;
    ASSERT_TRUE((*file)->read_at(at, byte));
    byte[0] ^= 1;
    ASSERT_TRUE((*file)->write_at(at, {byte}));
    restart();
  }
};

TEST_F(WithoutACharter, ARepositoryWaitsForItAndHasItsSnapshotsStill) {
  const TestObject root = put_tree(repository.writer, "content");
  const auto manifest = repository.manifest(repository.writer, root.id);
  ASSERT_EQ(commit(embedder, manifest), "ok");
  lose_charter();
  wire::RequestProto proto = request();
  proto.mutable_list_manifests();
  EXPECT_EQ(outcome_of(ask(embedder, proto)), "no_repository");
  EXPECT_FALSE(node->admits(repository.writer.curve));
  const NodeFigures figures = node->figures();
  ASSERT_EQ(figures.repositories.size(), 1U);
  EXPECT_EQ(figures.repositories[0].snapshots, 1U);
  EXPECT_TRUE(figures.repositories[0].agents.empty());
  create_repository();
  EXPECT_EQ(listed(embedder), std::vector{manifest.id});
}

TEST_F(WithoutACharter, ARepositoryWhoseOthersNobodySignedIsNotOpened) {
  for (const std::uint64_t version : {8, 9}) {
    Bytes forged = repository.charter(version, Sha256{}).record;
    forged[forged.size() / 2] ^= 1;
    plant(RecordType::kCharter, forged);
  }
  lose_charter();
  EXPECT_EQ(node->repositories(), 0U);
  EXPECT_EQ(node->figures().unopened, std::vector{repository.id()});
  EXPECT_NE(log.errors.back().find("cannot be opened"), std::string::npos);
}

}  // namespace
}  // namespace holdfast::repository
