#include "common/format/manifest.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <functional>

#include "common/crypto/aead.h"
#include "common/format/manifest.pb.h"
#include "common/format/signed_body.h"
#include "tests/testing/seed.h"
#include "tests/testing/test_repository.h"

namespace holdfast::format {
namespace {

using holdfast::testing::seed;
using holdfast::testing::TestRepository;

Manifest first_manifest(TestRepository& repository) {
  Manifest manifest;
  manifest.repository = repository.id;
  manifest.agent = agent_id(repository.agent.verify_key());
  manifest.sequence = 1;
  manifest.charter_version = 3;
  manifest.root = repository.random_id();
  manifest.claimed_time = {1'763'870'400'000'000'000};
  return manifest;
}

SnapshotDetail some_detail() {
  SnapshotDetail detail;
  detail.host = "host";
  detail.user = "root";
  detail.program = "holdfast 0.1.0";
  detail.paths = {"/home", "/caf\xE9"};  // Latin-1: paths are bytes
  detail.tags = {"daily", ""};
  detail.ended = {1'763'870'401'000'000'000};
  detail.files = 1;
  detail.directories = 2;
  detail.others = 3;
  detail.bytes = 4;
  detail.files_new = 5;
  detail.files_changed = 6;
  detail.files_unmodified = 7;
  detail.bytes_added = 8;
  detail.bytes_stored = 9;
  detail.unreadable = 10;
  return detail;
}

Status parse_and_verify(ByteView bytes, const crypto::VerifyKey& agent) {
  HOLDFAST_ASSIGN(const SignedManifest parsed, parse_manifest(bytes));
  return verify_manifest(parsed, agent);
}

// A manifest with any body whatever, its signature good.
Bytes sign_body(const ManifestProto& body, const crypto::SigningKey& agent) {
  SignedProto proto;
  proto.set_body(body.SerializeAsString());
  proto.set_signature(
      to_string(agent.sign(signed_message("holdfast v1 manifest", as_bytes(proto.body())))));
  return to_bytes(proto.SerializeAsString());
}

ManifestProto body_of(ByteView bytes) {
  SignedProto proto;
  ManifestProto body;
  check(proto.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) &&
            body.ParseFromString(proto.body()),
        "a manifest that was just signed");
  return body;
}

TEST(Manifest, ComesBackAsItWasSigned) {
  TestRepository repository(seed());
  const SnapshotDetail detail = some_detail();
  Manifest manifest = first_manifest(repository);
  manifest.sequence = 7;
  manifest.previous = ManifestId{{5}};
  const SignedManifest made = sign_manifest(manifest, detail, repository.run, repository.agent);
  const auto parsed = parse_manifest(made.bytes);
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message();
  EXPECT_TRUE(verify_manifest(*parsed, repository.agent.verify_key()).has_value());
  EXPECT_EQ(parsed->id, made.id);
  EXPECT_EQ(parsed->bytes, made.bytes);
  EXPECT_EQ(parsed->manifest.repository, manifest.repository);
  EXPECT_EQ(parsed->manifest.agent, manifest.agent);
  EXPECT_EQ(parsed->manifest.sequence, 7U);
  EXPECT_EQ(parsed->manifest.previous, manifest.previous);
  EXPECT_EQ(parsed->manifest.charter_version, 3U);
  EXPECT_EQ(parsed->manifest.root, manifest.root);
  EXPECT_EQ(parsed->manifest.claimed_time, manifest.claimed_time);
  EXPECT_EQ(parsed->manifest.envelope, repository.run.envelope);
  const auto opened = open_detail(parsed->manifest, repository.private_key);
  ASSERT_TRUE(opened.has_value()) << opened.error().message();
  EXPECT_EQ(*opened, detail);
}

RC_GTEST_PROP(Manifest, AnyDetailComesBack,
              (const std::string& host, const std::vector<std::string>& paths,
               const std::vector<std::string>& tags, std::uint64_t bytes, std::int64_t ended)) {
  TestRepository repository(seed());
  SnapshotDetail detail;
  detail.host = host;
  detail.paths = paths;
  detail.tags = tags;
  detail.bytes = bytes;
  detail.ended = {ended};
  const SignedManifest made =
      sign_manifest(first_manifest(repository), detail, repository.run, repository.agent);
  const auto parsed = parse_manifest(made.bytes);
  RC_ASSERT(*open_detail(parsed->manifest, repository.private_key) == detail);
}

TEST(Manifest, AFlippedBitAnywhereIsRefused) {
  TestRepository repository(seed());
  Bytes bytes =
      sign_manifest(first_manifest(repository), some_detail(), repository.run, repository.agent)
          .bytes;
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] ^= static_cast<Byte>(1U << bit % 8);
    const Status status = parse_and_verify(bytes, repository.agent.verify_key());
    ASSERT_FALSE(status.has_value()) << "bit " << bit;
    const Code code = status.error().code();
    EXPECT_TRUE(code == Code::kCorrupt || code == Code::kForged ||
                code == Code::kUnsupportedVersion)
        << "bit " << bit << ": " << name(code);
    bytes[bit / 8] ^= static_cast<Byte>(1U << bit % 8);
  }
  EXPECT_TRUE(parse_and_verify(bytes, repository.agent.verify_key()).has_value());
}

TEST(Manifest, TruncatedAnywhereIsRefused) {
  TestRepository repository(seed());
  const Bytes bytes =
      sign_manifest(first_manifest(repository), some_detail(), repository.run, repository.agent)
          .bytes;
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(
        parse_and_verify(ByteView(bytes).first(size), repository.agent.verify_key()).has_value())
        << size;
}

TEST(Manifest, IsRefusedWhereAFieldIsMissingOrWrong) {
  TestRepository repository(seed());
  Manifest manifest = first_manifest(repository);
  manifest.sequence = 2;
  manifest.previous = ManifestId{{1}};
  const Bytes good = sign_manifest(manifest, {}, repository.run, repository.agent).bytes;
  const struct {
    const char* what;
    Code code;
    std::function<void(ManifestProto&)> change;
  } cases[] = {
      {"a newer version", Code::kUnsupportedVersion, [](auto& m) { m.set_version(2); }},
      {"no version", Code::kUnsupportedVersion, [](auto& m) { m.clear_version(); }},
      {"no repository", Code::kCorrupt, [](auto& m) { m.clear_repository(); }},
      {"a short agent", Code::kCorrupt, [](auto& m) { m.mutable_agent()->pop_back(); }},
      {"a long root", Code::kCorrupt, [](auto& m) { m.mutable_root()->push_back('x'); }},
      {"no ephemeral key", Code::kCorrupt, [](auto& m) { m.clear_ephemeral_key(); }},
      {"no commitment", Code::kCorrupt, [](auto& m) { m.clear_key_commitment(); }},
      {"sequence zero", Code::kCorrupt, [](auto& m) { m.clear_sequence(); }},
      {"sequence zero, none before", Code::kCorrupt,
       [](auto& m) {
         m.clear_sequence();
         m.clear_previous();
       }},
      {"the first with one before", Code::kCorrupt, [](auto& m) { m.set_sequence(1); }},
      {"the second without", Code::kCorrupt, [](auto& m) { m.clear_previous(); }},
      {"a short previous", Code::kCorrupt, [](auto& m) { m.mutable_previous()->pop_back(); }},
      {"too large", Code::kCorrupt,
       [](auto& m) { m.set_sealed(std::string(kMaxManifestSize, 's')); }},
  };
  for (const auto& one : cases) {
    ManifestProto body = body_of(good);
    one.change(body);
    const auto parsed = parse_manifest(sign_body(body, repository.agent));
    ASSERT_FALSE(parsed.has_value()) << one.what;
    EXPECT_EQ(parsed.error().code(), one.code) << one.what;
  }
}

TEST(Manifest, IsRefusedFromAnotherAgent) {
  TestRepository repository(seed()), other(seed() + 1);
  const SignedManifest made =
      sign_manifest(first_manifest(repository), {}, repository.run, repository.agent);
  EXPECT_EQ(parse_and_verify(made.bytes, other.agent.verify_key()).error().code(), Code::kForged);
  // Another's signature under the first one's name.
  const SignedManifest stolen = sign_again(made.manifest, other.agent);
  EXPECT_EQ(parse_and_verify(stolen.bytes, repository.agent.verify_key()).error().code(),
            Code::kForged);
  EXPECT_EQ(parse_and_verify(stolen.bytes, other.agent.verify_key()).error().code(), Code::kForged);
}

TEST(Manifest, WhoseBytesAreNoneIsNotVerified) {
  TestRepository repository(seed());
  SignedManifest made =
      sign_manifest(first_manifest(repository), {}, repository.run, repository.agent);
  made.bytes = to_bytes("\xFF");
  EXPECT_EQ(verify_manifest(made, repository.agent.verify_key()).error().code(), Code::kCorrupt);
}

// A signature over a charter's context, or none, is not one over a manifest's.
TEST(Manifest, IsRefusedWithASignatureMadeForSomethingElse) {
  TestRepository repository(seed());
  const SignedManifest made =
      sign_manifest(first_manifest(repository), {}, repository.run, repository.agent);
  SignedProto proto;
  ASSERT_TRUE(proto.ParseFromArray(made.bytes.data(), static_cast<int>(made.bytes.size())));
  for (const std::string_view context : {"holdfast v1 charter", "holdfast v1 frame", ""}) {
    proto.set_signature(
        to_string(repository.agent.sign(signed_message(context, as_bytes(proto.body())))));
    const std::string bytes = proto.SerializeAsString();
    EXPECT_EQ(parse_and_verify(as_bytes(bytes), repository.agent.verify_key()).error().code(),
              Code::kForged);
  }
}

TEST(SnapshotDetail, IsReadableToNobodyElse) {
  TestRepository repository(seed()), other(seed() + 1);
  SnapshotDetail detail = some_detail();
  detail.host = "a-name-that-nobody-may-see";
  const SignedManifest made =
      sign_manifest(first_manifest(repository), detail, repository.run, repository.agent);
  EXPECT_EQ(as_text(made.bytes).find(detail.host), std::string_view::npos);
  EXPECT_EQ(open_detail(made.manifest, other.private_key).error().code(), Code::kForged);
}

TEST(SnapshotDetail, IsBoundToItsRepositoryAgentAndRoot) {
  TestRepository repository(seed());
  const SignedManifest made =
      sign_manifest(first_manifest(repository), some_detail(), repository.run, repository.agent);
  const auto opens_with = [&](const std::function<void(Manifest&)>& change) {
    Manifest manifest = made.manifest;
    change(manifest);
    return open_detail(manifest, repository.private_key);
  };
  EXPECT_TRUE(opens_with([](Manifest&) {}).has_value());
  EXPECT_EQ(opens_with([](Manifest& m) { m.repository.bytes[0] ^= 1; }).error().code(),
            Code::kForged);
  EXPECT_EQ(opens_with([](Manifest& m) { m.agent.bytes[0] ^= 1; }).error().code(), Code::kForged);
  EXPECT_EQ(opens_with([](Manifest& m) { m.root.bytes[0] ^= 1; }).error().code(), Code::kForged);
  EXPECT_EQ(opens_with([](Manifest& m) { m.sealed_detail[0] ^= 1; }).error().code(), Code::kForged);
  EXPECT_EQ(opens_with([](Manifest& m) { m.sealed_detail.resize(15); }).error().code(),
            Code::kCorrupt);
}

// Whoever has the run's key can seal what is no detail.
TEST(SnapshotDetail, OfAnythingElseThanAMessageIsRefused) {
  TestRepository repository(seed());
  Manifest manifest = first_manifest(repository);
  manifest.envelope = repository.run.envelope;
  const std::string no_message = "\x0A\x05";
  manifest.sealed_detail.resize(no_message.size() + crypto::kTagSize);
  Bytes aad = to_bytes("holdfast v1 detail");
  append(aad, manifest.repository.view());
  append(aad, manifest.agent.view());
  append(aad, manifest.root.view());
  crypto::Aes256Gcm(repository.run.detail_key)
      .seal(0, aad, as_bytes(no_message), manifest.sealed_detail);
  const auto opened = open_detail(manifest, repository.private_key);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), Code::kCorrupt) << opened.error().message();
}

TEST(SnapshotDetail, StaysAsItWasSealedWhenItsManifestIsSignedAgain) {
  TestRepository repository(seed());
  const SignedManifest made =
      sign_manifest(first_manifest(repository), some_detail(), repository.run, repository.agent);
  Manifest later = made.manifest;
  later.sequence = 9;
  later.previous = ManifestId{{4}};
  const SignedManifest again = sign_again(later, repository.agent);
  EXPECT_NE(again.id, made.id);
  EXPECT_EQ(again.manifest.sealed_detail, made.manifest.sealed_detail);
  EXPECT_TRUE(parse_and_verify(again.bytes, repository.agent.verify_key()).has_value());
  EXPECT_EQ(*open_detail(parse_manifest(again.bytes)->manifest, repository.private_key),
            some_detail());
}

TEST(SnapshotDetail, ThatIsTooLongIsRefusedBeforeABackupBegins) {
  TestRepository repository(seed());
  SnapshotDetail detail = some_detail();
  EXPECT_TRUE(check_size(detail).has_value());
  detail.paths.assign(1, std::string(kMaxManifestSize, 'p'));
  EXPECT_EQ(check_size(detail).error().code(), Code::kInvalidArgument);
  // The longest that is allowed fits, whatever the figures become.
  auto& path = detail.paths[0];
  while (!check_size(detail)) path.resize(path.size() - 1);
  for (auto* figure : {&detail.files, &detail.directories, &detail.others, &detail.bytes,
                       &detail.files_new, &detail.files_changed, &detail.files_unmodified,
                       &detail.bytes_added, &detail.bytes_stored, &detail.unreadable})
    *figure = ~std::uint64_t{0};
  detail.ended = {-1};
  Manifest manifest = first_manifest(repository);
  manifest.sequence = manifest.charter_version = ~std::uint64_t{0};
  manifest.previous = ManifestId{{1}};
  manifest.claimed_time = {-1};
  const auto made = sign_manifest(manifest, detail, repository.run, repository.agent);
  EXPECT_LE(made.bytes.size(), kMaxManifestSize);
  EXPECT_TRUE(parse_manifest(made.bytes).has_value());
}

}  // namespace
}  // namespace holdfast::format
