#include "common/format/credential.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "common/content/checksum.h"
#include "common/format/credential.pb.h"
#include "tests/testing/seed.h"
#include "tests/testing/test_charter.h"

namespace holdfast::format {
namespace {

using holdfast::testing::seed;
using holdfast::testing::SeededRandom;
using holdfast::testing::test_credential;
using holdfast::testing::test_invite;

bool same(const crypto::SecretKey& a, const crypto::SecretKey& b) {
  return std::ranges::equal(a.view(), b.view());
}

// What a program with another idea of the format could write: armored, its checksum right.
std::string armor(const CredentialProto& proto) {
  Bytes bytes = to_bytes(proto.SerializeAsString());
  Byte sum[8];
  store_le(sum, content::checksum64(bytes));
  append(bytes, sum);
  return base64url_encode(bytes);
}
std::string as_credential(const std::string& block) {
  return "-----BEGIN HOLDFAST CREDENTIAL-----\n" + block + "\n-----END HOLDFAST CREDENTIAL-----\n";
}
std::string as_invite(const std::string& block) { return "holdfast-invite-1." + block; }

CredentialProto proto_of(std::string_view invite_block) {
  const auto bytes = base64url_decode(invite_block);
  CredentialProto proto;
  check(bytes && proto.ParseFromArray(bytes->data(), static_cast<int>(bytes->size() - 8)),
        "a block that was just armored");
  return proto;
}
CredentialProto proto_of_credential(const Credential& credential) {
  std::string block;
  std::string text = encode_credential(credential);
  text = text.substr(text.find('\n') + 1);
  text = text.substr(0, text.find("-----END"));
  for (const char c : text)
    if (c != '\n') block += c;
  return proto_of(block);
}

TEST(Credential, ComesBackAsItWasWritten) {
  SeededRandom random(seed());
  const Credential credential = test_credential(random);
  const auto parsed = parse_credential(encode_credential(credential));
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message();
  EXPECT_EQ(parsed->name, credential.name);
  EXPECT_EQ(parsed->repository, credential.repository);
  EXPECT_EQ(parsed->nodes, credential.nodes);
  EXPECT_EQ(parsed->encryption_key, credential.encryption_key);
  EXPECT_EQ(parsed->roles, credential.roles);
  EXPECT_TRUE(same(parsed->curve_secret, credential.curve_secret));
  ASSERT_TRUE(parsed->writer.has_value());
  EXPECT_TRUE(same(parsed->writer->signing_seed, credential.writer->signing_seed));
  EXPECT_TRUE(same(parsed->writer->id_key, credential.writer->id_key));
  EXPECT_TRUE(same(parsed->writer->chunking_key, credential.writer->chunking_key));
}

TEST(Credential, OfAReaderHasNoWritersKeys) {
  SeededRandom random(seed());
  Credential credential = test_credential(random);
  credential.writer.reset();
  const auto parsed = parse_credential(encode_credential(credential));
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message();
  EXPECT_FALSE(parsed->writer.has_value());
}

TEST(Credential, IsFoundInALetterWithOtherLineEnds) {
  SeededRandom random(seed());
  const std::string text = encode_credential(test_credential(random));
  std::string mailed = "Dear colleague,\r\n\r\n";
  for (const char c : text) mailed += c == '\n' ? std::string(" \r\n\t") : std::string(1, c);
  EXPECT_TRUE(parse_credential(mailed + "Regards").has_value());
}

TEST(Credential, WithAnyCharacterAlteredIsRefused) {
  SeededRandom random(seed());
  const std::string text = encode_credential(test_credential(random));
  const auto is_space = [](char c) { return c == '\n' || c == '\r' || c == ' ' || c == '\t'; };
  // The last line's end is behind the block.
  for (std::size_t i = 0; i + 1 < text.size(); ++i)
    for (const char c : {'A', 'b', '-', '_', '0', ' ', '=', '\0', '\xC3'}) {
      if (c == text[i] || (is_space(c) && is_space(text[i]))) continue;
      std::string altered = text;
      altered[i] = c;
      const auto parsed = parse_credential(altered);
      ASSERT_FALSE(parsed.has_value()) << "at " << i << " '" << c << "'";
      EXPECT_EQ(parsed.error().code(), Code::kCorrupt);
    }
}

TEST(Credential, TruncatedAnywhereIsRefused) {
  SeededRandom random(seed());
  const std::string text = encode_credential(test_credential(random));
  for (std::size_t size = 0; size + 1 < text.size(); ++size)
    EXPECT_EQ(parse_credential(text.substr(0, size)).error().code(), Code::kCorrupt) << size;
}

TEST(Credential, WithALineLostOrTwiceIsRefused) {
  SeededRandom random(seed());
  const std::string text = encode_credential(test_credential(random));
  for (std::size_t at = text.find('\n') + 1; text[at] != '-';) {
    const std::size_t next = text.find('\n', at) + 1;
    EXPECT_FALSE(parse_credential(text.substr(0, at) + text.substr(next)).has_value());
    EXPECT_FALSE(parse_credential(text.substr(0, next) + text.substr(at)).has_value());
    at = next;
  }
}

TEST(Credential, BeginAndEndMayNotShareTheirDashes) {
  EXPECT_EQ(parse_credential("-----BEGIN HOLDFAST CREDENTIAL-----END HOLDFAST CREDENTIAL-----")
                .error()
                .message(),
            "credential: this is not a Holdfast credential file");
}

TEST(Credential, IsRefusedWhereAFieldIsMissingOrWrong) {
  SeededRandom random(seed());
  const CredentialProto good = proto_of_credential(test_credential(random));
  ASSERT_TRUE(parse_credential(as_credential(armor(good))).has_value());
  const struct {
    const char* what;
    Code code;
    std::function<void(CredentialProto&)> change;
  } cases[] = {
      {"a newer version", Code::kUnsupportedVersion, [](auto& c) { c.set_version(2); }},
      {"no repository", Code::kCorrupt, [](auto& c) { c.clear_repository(); }},
      {"no encryption key", Code::kCorrupt, [](auto& c) { c.clear_encryption_key(); }},
      {"an encryption key of low order", Code::kCorrupt,
       [](auto& c) { c.set_encryption_key(std::string(32, '\0')); }},
      {"no CURVE secret", Code::kCorrupt, [](auto& c) { c.clear_curve_secret(); }},
      {"no nodes", Code::kCorrupt, [](auto& c) { c.clear_nodes(); }},
      {"a node without an id", Code::kCorrupt, [](auto& c) { c.mutable_nodes(0)->clear_id(); }},
      {"a node without a key", Code::kCorrupt,
       [](auto& c) { c.mutable_nodes(0)->clear_server_key(); }},
      {"a seed without the id key", Code::kCorrupt, [](auto& c) { c.clear_id_key(); }},
      {"a seed without the chunking key", Code::kCorrupt, [](auto& c) { c.clear_chunking_key(); }},
      {"a short seed", Code::kCorrupt, [](auto& c) { c.mutable_signing_seed()->pop_back(); }},
      {"countless nodes", Code::kCorrupt,
       [](auto& c) {
         for (int i = 0; i < 1000; ++i) *c.add_nodes() = c.nodes(0);
       }},
  };
  for (const auto& one : cases) {
    CredentialProto proto = good;
    one.change(proto);
    const auto parsed = parse_credential(as_credential(armor(proto)));
    ASSERT_FALSE(parsed.has_value()) << one.what;
    EXPECT_EQ(parsed.error().code(), one.code) << one.what;
  }
}

TEST(Invite, ComesBackAsItWasWritten) {
  SeededRandom random(seed());
  const Invite invite = test_invite(random);
  const std::string text = encode_invite(invite);
  EXPECT_EQ(text.find_first_of(" \n\t'\"$"), std::string::npos);  // one word of a shell
  for (const char* const end : {"", "\n", " \n"}) {
    const auto parsed = parse_invite(text + end);
    ASSERT_TRUE(parsed.has_value()) << parsed.error().message();
    EXPECT_EQ(parsed->node, invite.node);
    EXPECT_TRUE(same(parsed->curve_secret, invite.curve_secret));
  }
}

TEST(Invite, WithAnyCharacterAlteredIsRefused) {
  SeededRandom random(seed());
  const std::string text = encode_invite(test_invite(random));
  for (std::size_t i = 0; i < text.size(); ++i)
    for (const char c : {'A', 'b', '-', '_', '0', '.', '\n', '\0'}) {
      if (c == text[i]) continue;
      std::string altered = text;
      altered[i] = c;
      EXPECT_EQ(parse_invite(altered).error().code(), Code::kCorrupt) << "at " << i;
    }
}

TEST(Invite, TruncatedAnywhereIsRefused) {
  SeededRandom random(seed());
  const std::string text = encode_invite(test_invite(random));
  for (std::size_t size = 0; size < text.size(); ++size)
    EXPECT_EQ(parse_invite(text.substr(0, size)).error().code(), Code::kCorrupt) << size;
}

TEST(Invite, IsNoCredentialAndTheOtherWayRound) {
  SeededRandom random(seed());
  Credential one_node = test_credential(random);
  one_node.nodes.resize(1);
  const std::string credential = encode_credential(one_node);
  const std::string invite = encode_invite(test_invite(random));
  EXPECT_EQ(parse_credential(invite).error().code(), Code::kCorrupt);
  EXPECT_EQ(parse_invite(credential).error().code(), Code::kCorrupt);
  // Nor in the other's clothes.
  const std::string block = invite.substr(invite.find('.') + 1);
  EXPECT_EQ(parse_credential(as_credential(block)).error().code(), Code::kCorrupt);
  EXPECT_EQ(parse_invite(as_invite(armor(proto_of_credential(one_node)))).error().code(),
            Code::kCorrupt);
}

TEST(Invite, IsRefusedWhereAFieldIsMissingOrWrong) {
  SeededRandom random(seed());
  const std::string text = encode_invite(test_invite(random));
  const CredentialProto good = proto_of(text.substr(text.find('.') + 1));
  CredentialProto two = good, none = good, newer = good, no_secret = good, no_key = good;
  *two.add_nodes() = good.nodes(0);
  none.clear_nodes();
  newer.set_version(2);
  no_secret.clear_curve_secret();
  no_key.mutable_nodes(0)->clear_server_key();
  EXPECT_EQ(parse_invite(as_invite(armor(good))).has_value(), true);
  EXPECT_EQ(parse_invite(as_invite(armor(two))).error().code(), Code::kCorrupt);
  EXPECT_EQ(parse_invite(as_invite(armor(none))).error().code(), Code::kCorrupt);
  EXPECT_EQ(parse_invite(as_invite(armor(no_key))).error().code(), Code::kCorrupt);
  EXPECT_EQ(parse_invite(as_invite(armor(no_secret))).error().code(), Code::kCorrupt);
  EXPECT_EQ(parse_invite(as_invite(armor(newer))).error().code(), Code::kUnsupportedVersion);
}

// The checksum is right, and what it is of is no message.
TEST(Credential, OfAnythingElseThanAMessageIsRefused) {
  const auto armored = [](Bytes bytes) {
    Byte sum[8];
    store_le(sum, content::checksum64(bytes));
    append(bytes, sum);
    return base64url_encode(bytes);
  };
  // A field that ends behind the bytes there are; a node whose name does.
  for (const Bytes& bytes : {Bytes{0x0A, 0x05, 'a'}, Bytes{0x22, 0x02, 0x0A, 0x05}}) {
    EXPECT_EQ(parse_credential(as_credential(armored(bytes))).error().code(), Code::kCorrupt);
    EXPECT_EQ(parse_invite(as_invite(armored(bytes))).error().code(), Code::kCorrupt);
  }
}

TEST(Credential, LargerThanAnyIsRefused) {
  const std::string large(std::size_t{2} << 20, 'A');
  EXPECT_EQ(parse_credential(as_credential(large)).error().message(),
            "credential: larger than any may be");
  EXPECT_EQ(parse_invite(as_invite(large)).error().code(), Code::kCorrupt);
}

RC_GTEST_PROP(Credential, AnyTextIsRefused, (const std::string& text)) {
  RC_ASSERT(!parse_credential(text).has_value());
  RC_ASSERT(!parse_invite(text).has_value());
  RC_ASSERT(!parse_credential(as_credential(text)).has_value());
  RC_ASSERT(!parse_invite(as_invite(text)).has_value());
}

}  // namespace
}  // namespace holdfast::format
