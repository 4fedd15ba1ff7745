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

}  // namespace
}  // namespace holdfast::repository
