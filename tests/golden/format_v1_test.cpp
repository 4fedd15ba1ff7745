// Version 1 of every format. One half writes what was written once and must get the same bytes; the
// other reads the bytes as they were checked in, and needs nothing but the passphrase.
#include <gtest/gtest.h>

#include <algorithm>

#include "common/content/checksum.h"
#include "common/format/frame_opener.h"
#include "repository/store/segment_format.h"
#include "tests/golden/golden_bytes.h"
#include "tests/golden/golden_repository.h"

namespace holdfast::testing {
namespace {

const GoldenRepository& repository() {
  static const GoldenRepository kRepository;
  return kRepository;
}

TEST(WrittenV1, Vault) { expect_golden("vault", repository().vault); }
TEST(WrittenV1, Charter) { expect_golden("charter", repository().charter.record); }
TEST(WrittenV1, DataFrame) { expect_golden("frame_data", repository().data_frame); }
TEST(WrittenV1, MetadataFrame) { expect_golden("frame_metadata", repository().metadata_frame); }
TEST(WrittenV1, Manifest) { expect_golden("manifest", repository().manifest.bytes); }
TEST(WrittenV1, CatalogLeaf) { expect_golden("catalog_leaf", repository().leaf); }
TEST(WrittenV1, CatalogIndex) { expect_golden("catalog_index", repository().index); }
TEST(WrittenV1, ChunkList) { expect_golden("chunk_list", repository().chunk_list); }
TEST(WrittenV1, Segment) { expect_golden("segment", repository().segment); }
TEST(WrittenV1, Credential) { expect_golden("credential", as_bytes(repository().credential)); }
TEST(WrittenV1, Invite) { expect_golden("invite", as_bytes(repository().invite)); }

// As somebody would who found one node's segments and knows the passphrase, with no trust in
// either.
TEST(ReadV1, FromPassphraseToContent) {
  const RepositoryId id =
      *RepositoryId::from_hex("f97d9f519c368e327dbc4177125ac3b42434715f99edf1cb4d32e75f4befff3e");
  const auto charter = format::parse_charter(read_golden("charter"), id);
  ASSERT_TRUE(charter.has_value()) << charter.error().message();
  const auto vault = format::vault_of(charter->record);
  EXPECT_EQ(*vault, read_golden("vault"));
  const auto secrets = format::open_vault(*vault, kGoldenPassphrase);
  ASSERT_TRUE(secrets.has_value()) << secrets.error().message();
  EXPECT_EQ(crypto::public_key(secrets->encryption_key), charter->charter.encryption_key);

  const auto manifest = format::parse_manifest(read_golden("manifest"));
  ASSERT_TRUE(manifest.has_value()) << manifest.error().message();
  const format::CharterAgent* const agent = charter->charter.agent(manifest->manifest.agent);
  ASSERT_NE(agent, nullptr);
  EXPECT_TRUE(format::verify_manifest(*manifest, agent->verify_key).has_value());
  const auto detail = format::open_detail(manifest->manifest, secrets->encryption_key);
  ASSERT_TRUE(detail.has_value()) << detail.error().message();
  EXPECT_EQ(*detail, golden_detail());

  const crypto::SecretKey group = format::group_id_key(secrets->id_key, agent->trust_group);
  format::FrameOpener opener(id, secrets->encryption_key, group);
  const auto open = [&](const Bytes& frame) {
    const auto parsed = format::parse_frame(frame);
    EXPECT_TRUE(format::verify_checksum(frame).has_value());
    EXPECT_TRUE(format::verify_signature(*parsed, agent->verify_key).has_value());
    return opener.open(*parsed);
  };
  const auto metadata = open(read_golden("frame_metadata"));
  ASSERT_TRUE(metadata.has_value()) << metadata.error().message();
  const format::OpenedObject* const leaf = metadata->find(manifest->manifest.root);
  ASSERT_NE(leaf, nullptr);
  const auto entries = agent::decode_leaf(leaf->refs, leaf->payload);
  ASSERT_TRUE(entries.has_value()) << entries.error().message();
  EXPECT_EQ(*entries, repository().entries);

  const auto data = open(read_golden("frame_data"));
  ASSERT_TRUE(data.has_value()) << data.error().message();
  const auto content = [&](std::size_t at) {
    std::string bytes;
    for (const ObjectId& chunk : entries->at(at).content.refs)
      bytes += as_text(data->find(chunk)->payload);
    return bytes;
  };
  EXPECT_EQ(content(1), kGoldenText);
  EXPECT_EQ(content(2), as_text(repository().noise));
}

TEST(ReadV1, CatalogNodes) {
  const auto& chunks = repository().chunks;
  const std::vector<ObjectId> two{repository().manifest.manifest.root, chunks[0]};
  const auto index = agent::decode_index(two, read_golden("catalog_index"));
  ASSERT_TRUE(index.has_value()) << index.error().message();
  EXPECT_EQ(index->level, 2U);
  EXPECT_EQ(index->children[1], (agent::CatalogChild{chunks[0], "home/b", 1, 0}));
  EXPECT_EQ(*agent::decode_chunk_list(chunks, read_golden("chunk_list")),
            (std::vector<std::uint32_t>{300, 212, 65'536}));
}

TEST(ReadV1, Segment) {
  const Bytes segment = read_golden("segment");
  const ByteView bytes = segment;
  const NodeId node = repository().charter.charter.nodes[0].id;
  EXPECT_EQ(repository::decode_segment_header(bytes, node).value_or(0), 7U);
  std::vector<repository::RecordType> types;
  std::vector<ByteView> payloads;
  for (std::size_t at = repository::kSegmentHeaderSize; at < bytes.size();) {
    const auto header = repository::decode_record_header(bytes.subspan(at));
    ASSERT_TRUE(header.has_value()) << header.error().message();
    types.push_back(header->type);
    payloads.push_back(bytes.subspan(at + repository::kRecordHeaderSize, header->length));
    EXPECT_EQ(content::checksum64(payloads.back()), header->payload_checksum);
    at += repository::record_size(header->length);
  }
  EXPECT_EQ(types,
            (std::vector{repository::RecordType::kCharter, repository::RecordType::kManifest}));
  EXPECT_TRUE(std::ranges::equal(payloads[0], read_golden("charter")));
  EXPECT_TRUE(std::ranges::equal(payloads[1].subspan(8), read_golden("manifest")));
}

TEST(ReadV1, CredentialAndInvite) {
  const auto credential = format::parse_credential(as_text(read_golden("credential")));
  ASSERT_TRUE(credential.has_value()) << credential.error().message();
  EXPECT_EQ(credential->name, "laptop");
  EXPECT_EQ(credential->nodes.size(), 2U);
  EXPECT_EQ(credential->nodes[1].address.endpoint, "tcp://south.example:7450");
  EXPECT_TRUE(credential->writer.has_value());
  const auto invite = format::parse_invite(as_text(read_golden("invite")));
  ASSERT_TRUE(invite.has_value()) << invite.error().message();
  EXPECT_EQ(invite->node.name, "north");
}

}  // namespace
}  // namespace holdfast::testing
