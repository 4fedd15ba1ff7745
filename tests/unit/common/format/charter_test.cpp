#include "common/format/charter.h"

#include <gtest/gtest.h>

#include <functional>

#include "common/format/charter.pb.h"
#include "common/format/signed_body.h"
#include "tests/testing/seed.h"
#include "tests/testing/test_charter.h"

namespace holdfast::format {
namespace {

using holdfast::testing::seed;
using holdfast::testing::TestCharter;

// A record with any body whatever, its signature good.
Bytes sign_body(const CharterProto& body, const crypto::SecretKey& admin_seed) {
  CharterRecordProto record;
  record.set_body(body.SerializeAsString());
  const crypto::SigningKey admin(admin_seed.clone());
  record.set_signature(
      to_string(admin.sign(signed_message("holdfast v1 charter", as_bytes(record.body())))));
  return to_bytes(record.SerializeAsString());
}

CharterProto body_of(ByteView bytes) {
  CharterRecordProto record;
  CharterProto body;
  check(record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) &&
            body.ParseFromString(record.body()),
        "a charter that was just signed");
  return body;
}

TEST(Charter, ComesBackAsItWasSigned) {
  const TestCharter test(seed());
  const SignedCharter made = test.sign();
  const auto parsed = parse_charter(made.record, test.repository());
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message();
  const Charter& charter = parsed->charter;
  EXPECT_EQ(parsed->digest, made.digest);
  EXPECT_EQ(parsed->record, made.record);
  EXPECT_EQ(charter.version, test.charter.version);
  EXPECT_EQ(charter.previous, test.charter.previous);
  EXPECT_EQ(charter.created, test.charter.created);
  EXPECT_EQ(charter.encryption_key, test.charter.encryption_key);
  EXPECT_EQ(charter.write_quorum, test.charter.write_quorum);
  EXPECT_EQ(charter.chunking.average, test.charter.chunking.average);
  EXPECT_EQ(charter.compression_level, test.charter.compression_level);
  EXPECT_EQ(charter.nodes, test.charter.nodes);
  EXPECT_EQ(charter.agents, test.charter.agents);
  EXPECT_EQ(charter.repository(), test.repository());
  EXPECT_EQ(charter.vault_digest, crypto::sha256(test.vault));
  EXPECT_EQ(*vault_of(made.record), test.vault);
}

TEST(Charter, FindsItsAgents) {
  const TestCharter test(seed());
  Charter charter = test.charter;
  const CharterAgent& second = charter.agents[1];
  EXPECT_EQ(charter.agent(second.id), &second);
  EXPECT_EQ(charter.agent(AgentId{}), nullptr);
  EXPECT_EQ(charter.agent_by_curve_key(second.curve_key), &second);
  EXPECT_EQ(charter.agent_by_curve_key(CurveKey{{99}}), nullptr);
  // Who was revoked is known by name, so that its snapshots can be told, and is not let in.
  charter.agents[1].revoked = true;
  EXPECT_EQ(charter.agent(second.id), &second);
  EXPECT_EQ(charter.agent_by_curve_key(second.curve_key), nullptr);
}

TEST(Charter, AFlippedBitAnywhereIsRefused) {
  const TestCharter test(seed());
  Bytes record = test.sign().record;
  for (std::size_t bit = 0; bit < record.size() * 8; ++bit) {
    record[bit / 8] ^= static_cast<Byte>(1U << bit % 8);
    const auto parsed = parse_charter(record, test.repository());
    // The vault may be stripped, so that a lost field is no forgery; but none that is there is
    // another than the charter names.
    if (parsed) {
      EXPECT_TRUE(vault_of(record)->empty()) << "bit " << bit;
      EXPECT_EQ(parsed->digest, test.sign().digest) << "bit " << bit;
    } else {
      const Code code = parsed.error().code();
      EXPECT_TRUE(code == Code::kCorrupt || code == Code::kForged ||
                  code == Code::kUnsupportedVersion)
          << "bit " << bit << ": " << name(code);
    }
    record[bit / 8] ^= static_cast<Byte>(1U << bit % 8);
  }
}

TEST(Charter, TruncatedAnywhereIsRefused) {
  const TestCharter test(seed());
  const Bytes record = test.sign().record;
  const std::size_t without = without_vault(record)->size();
  for (std::size_t size = 0; size < record.size(); ++size)
    EXPECT_EQ(parse_charter(ByteView(record).first(size), test.repository()).has_value(),
              size == without)  // cut exactly there, it is the record without its vault
        << size;
}

TEST(Charter, OfAnotherRepositoryIsForged) {
  const TestCharter test(seed()), other(seed() + 1);
  EXPECT_EQ(parse_charter(test.sign().record, other.repository()).error().code(), Code::kForged);
}

TEST(Charter, SignedByAnotherKeyIsForged) {
  const TestCharter test(seed()), other(seed() + 1);
  const Bytes forged = sign_body(body_of(test.sign().record), other.secrets.admin_seed);
  EXPECT_EQ(parse_charter(forged, test.repository()).error().code(), Code::kForged);
}

// Else anybody could tell the programs of a repository that they are too old.
TEST(Charter, OfANewerFormatThatIsAnotherRepositorysIsForged) {
  const TestCharter test(seed()), other(seed() + 1);
  CharterProto body = body_of(other.sign().record);
  body.set_format_version(2);
  const Bytes record = sign_body(body, other.secrets.admin_seed);
  EXPECT_EQ(parse_charter(record, other.repository()).error().code(), Code::kUnsupportedVersion);
  EXPECT_EQ(parse_charter(record, test.repository()).error().code(), Code::kForged);
}

TEST(Charter, WithAnotherVaultIsForged) {
  const TestCharter test(seed()), other(seed() + 1);
  CharterRecordProto record;
  ASSERT_TRUE(record.ParseFromString(to_string(test.sign().record)));
  record.set_vault(to_string(other.vault));
  const auto parsed = parse_charter(to_bytes(record.SerializeAsString()), test.repository());
  ASSERT_FALSE(parsed.has_value());
  EXPECT_EQ(parsed.error().code(), Code::kForged);
}

TEST(Charter, WithoutItsVaultIsStillACharter) {
  const TestCharter test(seed());
  const SignedCharter made = test.sign();
  const auto stripped = without_vault(made.record);
  ASSERT_TRUE(stripped.has_value());
  EXPECT_LT(stripped->size(), made.record.size() - test.vault.size());
  EXPECT_EQ(vault_of(*stripped)->size(), 0U);
  EXPECT_EQ(*without_vault(*stripped), *stripped);
  const auto parsed = parse_charter(*stripped, test.repository());
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message();
  EXPECT_EQ(parsed->digest, made.digest);
}

TEST(Charter, IsRefusedWhereAValueIsMissingOrImpossible) {
  const TestCharter test(seed());
  const struct {
    const char* what;
    Code code;
    std::function<void(CharterProto&)> change;
  } cases[] = {
      {"a newer format", Code::kUnsupportedVersion, [](auto& c) { c.set_format_version(2); }},
      {"version zero", Code::kCorrupt, [](auto& c) { c.set_version(0); }},
      {"the first with one before", Code::kCorrupt, [](auto& c) { c.set_version(1); }},
      {"a later without", Code::kCorrupt, [](auto& c) { c.clear_previous(); }},
      {"a short digest before", Code::kCorrupt, [](auto& c) { c.mutable_previous()->pop_back(); }},
      {"no admin key", Code::kCorrupt, [](auto& c) { c.clear_admin_key(); }},
      {"another admin key", Code::kForged, [](auto& c) { (*c.mutable_admin_key())[0] ^= 1; }},
      {"no encryption key", Code::kCorrupt, [](auto& c) { c.clear_encryption_key(); }},
      {"an encryption key of low order", Code::kCorrupt,
       [](auto& c) { c.set_encryption_key(std::string(32, '\0')); }},
      {"no vault digest", Code::kCorrupt, [](auto& c) { c.clear_vault_digest(); }},
      {"a quorum of none", Code::kCorrupt, [](auto& c) { c.set_write_quorum(0); }},
      {"a quorum beyond the nodes", Code::kCorrupt,
       [](auto& c) { c.set_write_quorum(static_cast<unsigned>(c.nodes_size()) + 1); }},
      {"no nodes", Code::kCorrupt, [](auto& c) { c.clear_nodes(); }},
      {"a node twice", Code::kCorrupt, [](auto& c) { *c.add_nodes() = c.nodes(0); }},
      {"a node without an id", Code::kCorrupt, [](auto& c) { c.mutable_nodes(0)->clear_id(); }},
      {"a node without a key", Code::kCorrupt,
       [](auto& c) { c.mutable_nodes(0)->clear_server_key(); }},
      {"too many nodes", Code::kCorrupt,
       [](auto& c) {
         for (std::size_t i = 0; i <= kMaxCharterNodes; ++i) {
           auto* node = c.add_nodes();
           *node = c.nodes(0);
           (*node->mutable_id())[1] = static_cast<char>(i);
         }
       }},
      {"an agent twice", Code::kCorrupt, [](auto& c) { *c.add_agents() = c.agents(0); }},
      {"an agent with another's id", Code::kCorrupt,
       [](auto& c) { c.mutable_agents(0)->set_id(c.agents(1).id()); }},
      {"an agent without a CURVE key", Code::kCorrupt,
       [](auto& c) { c.mutable_agents(0)->clear_curve_key(); }},
      {"too many agents", Code::kCorrupt,
       [](auto& c) {
         for (std::size_t i = 0; i <= kMaxCharterAgents; ++i) c.add_agents();
       }},
      {"no chunk size", Code::kCorrupt, [](auto& c) { c.clear_chunk_average(); }},
      {"a chunk size that is no power of two", Code::kCorrupt,
       [](auto& c) { c.set_chunk_average(65'537); }},
      {"a chunk size beyond the largest", Code::kCorrupt,
       [](auto& c) { c.set_chunk_average(1 << 25); }},
      {"a compression level too high", Code::kCorrupt,
       [](auto& c) { c.set_compression_level(20); }},
      {"a compression level too low", Code::kCorrupt, [](auto& c) { c.set_compression_level(-6); }},
  };
  for (const auto& one : cases) {
    CharterProto body = body_of(test.sign().record);
    one.change(body);
    const auto parsed = parse_charter(sign_body(body, test.secrets.admin_seed), test.repository());
    ASSERT_FALSE(parsed.has_value()) << one.what;
    EXPECT_EQ(parsed.error().code(), one.code) << one.what << ": " << parsed.error().message();
  }
  EXPECT_TRUE(parse_charter(sign_body(body_of(test.sign().record), test.secrets.admin_seed),
                            test.repository())
                  .has_value());
}

// An unsigned one would keep a node from looking for the signed one before it.
TEST(Charter, ThatSaysItIsOfANewerProgramIsBelievedOnlyIfItIsSigned) {
  const TestCharter test(seed());
  CharterProto body = body_of(test.sign().record);
  body.set_format_version(2);
  const Bytes record = sign_body(body, test.secrets.admin_seed);
  EXPECT_EQ(parse_charter(record, test.repository()).error().code(), Code::kUnsupportedVersion);
  CharterRecordProto unsigned_record;
  ASSERT_TRUE(unsigned_record.ParseFromArray(record.data(), static_cast<int>(record.size())));
  unsigned_record.set_signature(std::string(64, 's'));
  EXPECT_EQ(parse_charter(to_bytes(unsigned_record.SerializeAsString()), test.repository())
                .error()
                .code(),
            Code::kForged);
}

// Two bytes a node, two million nodes: hundreds of megabytes, had they been made before they were
// counted.
TEST(Charter, OfCountlessEmptyNodesIsRefusedBeforeTheyAreMade) {
  const TestCharter test(seed());
  CharterRecordProto record;
  for (std::size_t i = 0; i < 1'900'000; ++i) record.mutable_body()->append("\x52\x00", 2);
  const auto parsed = parse_charter(to_bytes(record.SerializeAsString()), test.repository());
  ASSERT_FALSE(parsed.has_value());
  EXPECT_NE(parsed.error().message().find("more nodes"), std::string::npos);
}

TEST(Charter, LargerThanAnyIsRefused) {
  const TestCharter test(seed());
  const Bytes record(kMaxCharterSize + 1);
  EXPECT_EQ(parse_charter(record, test.repository()).error().code(), Code::kCorrupt);
  EXPECT_EQ(vault_of(record).error().code(), Code::kCorrupt);
  EXPECT_EQ(without_vault(record).error().code(), Code::kCorrupt);
}

TEST(WriteQuorum, IsAMajorityFromThreeNodesOn) {
  const std::uint32_t expected[] = {1, 1, 1, 2, 3, 3, 4, 4};
  for (std::size_t nodes = 0; nodes < std::size(expected); ++nodes)
    EXPECT_EQ(default_write_quorum(nodes), expected[nodes]) << nodes;
}

}  // namespace
}  // namespace holdfast::format
