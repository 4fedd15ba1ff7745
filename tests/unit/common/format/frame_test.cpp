// What is sealed comes back, and nothing that was changed does: neither by accident, nor by who can
// recompute a checksum, nor by who can sign, nor by who can seal.
#include "common/format/frame.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <functional>

#include "common/format/frame.pb.h"
#include "tests/testing/seed.h"
#include "tests/testing/test_repository.h"

namespace holdfast::format {
namespace {

using holdfast::testing::assemble_frame;
using holdfast::testing::forge_frame;
using holdfast::testing::make_good;
using holdfast::testing::PlainObject;
using holdfast::testing::seed;
using holdfast::testing::TestRepository;

constexpr FrameRole kRoles[] = {FrameRole::kData, FrameRole::kMetadata};

// Objects of both kinds of content: text that packs and noise that does not.
std::vector<PlainObject> some_objects(TestRepository& repository, FrameRole role) {
  std::vector<PlainObject> objects{{{}, to_bytes("first")}, {{}, {}}, {{}, Bytes(200, 'x')}};
  objects.push_back({{}, repository.random_bytes(40)});
  if (role == FrameRole::kMetadata) {
    objects[0].refs = {repository.random_id()};
    objects[2].refs = {repository.random_id(), repository.random_id()};
  }
  return objects;
}

Status check_all(ByteView frame, const crypto::VerifyKey& agent) {
  HOLDFAST_ASSIGN(const ParsedFrame parsed, parse_frame(frame));
  HOLDFAST_TRY(verify_checksum(frame));
  return verify_signature(parsed, agent);
}

Status check_and_open(ByteView frame, FrameOpener& opener, const crypto::VerifyKey& agent) {
  HOLDFAST_TRY(check_all(frame, agent));
  HOLDFAST_ASSIGN(const ParsedFrame parsed, parse_frame(frame));
  HOLDFAST_TRY(opener.open(parsed));
  return {};
}

// Refused for what it is: a code that says so, and words.
::testing::AssertionResult is_refused(const Status& status) {
  if (status) return ::testing::AssertionFailure() << "was accepted";
  const Code code = status.error().code();
  if (code != Code::kCorrupt && code != Code::kForged && code != Code::kUnsupportedVersion)
    return ::testing::AssertionFailure() << "refused as " << name(code);
  if (status.error().message().empty()) return ::testing::AssertionFailure() << "without a word";
  return ::testing::AssertionSuccess();
}

FrameHeaderProto header_of(ByteView frame) {
  const auto length = load_le<std::uint32_t>(frame.data() + 12);
  FrameHeaderProto proto;
  check(proto.ParseFromArray(frame.data() + kFramePreludeSize, static_cast<int>(length)),
        "a header that was just sealed");
  return proto;
}

RC_GTEST_PROP(Frame, ComesBackAsItWasSealed, (bool metadata)) {
  TestRepository repository(seed());
  const FrameRole role = metadata ? FrameRole::kMetadata : FrameRole::kData;
  const auto payloads = *rc::gen::nonEmpty<std::vector<std::vector<Byte>>>();
  std::vector<PlainObject> objects;
  for (const Bytes& payload : payloads) {
    PlainObject object{{}, payload};
    for (int i = metadata ? *rc::gen::inRange(0, 5) : 0; i > 0; --i)
      object.refs.push_back(repository.random_id());
    objects.push_back(object);
  }

  const Bytes frame = repository.seal(role, objects);
  RC_ASSERT(check_all(frame, repository.agent.verify_key()).has_value());
  RC_ASSERT(*frame_size(ByteView(frame).first(kFramePreludeSize)) == frame.size());
  const auto parsed = parse_frame(frame);
  RC_ASSERT(parsed->header.role == role);
  RC_ASSERT(parsed->header.repository == repository.id);
  RC_ASSERT(parsed->header.agent == agent_id(repository.agent.verify_key()));
  RC_ASSERT(parsed->header.number == 1U);
  auto opener = repository.opener();
  const auto opened = opener.open(*parsed);
  RC_ASSERT(opened->objects.size() == objects.size());
  for (std::size_t i = 0; i < objects.size(); ++i) {
    const OpenedObject& object = opened->objects[i];
    RC_ASSERT(object.id == repository.identify(role, objects[i]));
    RC_ASSERT(object.kind == (metadata ? ObjectKind::kList : ObjectKind::kData));
    RC_ASSERT(object.refs == objects[i].refs);
    RC_ASSERT(Bytes(object.payload.begin(), object.payload.end()) == objects[i].payload);
    RC_ASSERT(opened->find(object.id)->payload.size() == object.payload.size());
  }
  RC_ASSERT(opened->find(repository.random_id()) == nullptr);
}

TEST(Frame, SameInputsGiveTheSameBytes) {
  for (const FrameRole role : kRoles) {
    TestRepository one(7), other(7), third(8);
    const Bytes frame = one.seal(role, some_objects(one, role));
    EXPECT_EQ(frame, other.seal(role, some_objects(other, role)));
    EXPECT_NE(frame, third.seal(role, some_objects(third, role)));
  }
}

TEST(Frame, AFlippedBitAnywhereIsRefused) {
  for (const FrameRole role : kRoles) {
    TestRepository repository(seed());
    Bytes frame = repository.seal(role, some_objects(repository, role));
    for (std::size_t bit = 0; bit < frame.size() * 8; ++bit) {
      frame[bit / 8] ^= static_cast<Byte>(1U << bit % 8);
      EXPECT_TRUE(is_refused(check_all(frame, repository.agent.verify_key()))) << "bit " << bit;
      frame[bit / 8] ^= static_cast<Byte>(1U << bit % 8);
    }
    EXPECT_TRUE(check_all(frame, repository.agent.verify_key()).has_value());
  }
}

// Whatever the checksum finds, the signature finds as well: it stops an attacker, too.
TEST(Frame, AFlippedBitBeforeTheSignatureIsRefusedByTheSignatureAlone) {
  TestRepository repository(seed());
  Bytes frame =
      repository.seal(FrameRole::kMetadata, some_objects(repository, FrameRole::kMetadata));
  for (std::size_t bit = 0; bit < frame.size() * 8; ++bit) {
    frame[bit / 8] ^= static_cast<Byte>(1U << bit % 8);
    if (const auto parsed = parse_frame(frame)) {
      EXPECT_EQ(verify_signature(*parsed, repository.agent.verify_key()).error().code(),
                Code::kForged)
          << "bit " << bit;
    }
    frame[bit / 8] ^= static_cast<Byte>(1U << bit % 8);
  }
}

TEST(Frame, AFlippedBitIsRefusedEvenWhenItsAgentSignedItAgain) {
  for (const FrameRole role : kRoles) {
    TestRepository repository(seed());
    const Bytes frame = repository.seal(role, some_objects(repository, role));
    auto opener = repository.opener();
    for (std::size_t bit = 0; bit < (frame.size() - kFrameSignatureSize) * 8; ++bit) {
      if (bit / 8 >= kFrameChecksumOffset && bit / 8 < kFramePreludeSize) continue;  // made good
      Bytes changed = frame;
      changed[bit / 8] ^= static_cast<Byte>(1U << bit % 8);
      make_good(changed, repository.agent);
      EXPECT_TRUE(is_refused(check_and_open(changed, opener, repository.agent.verify_key())))
          << "bit " << bit;
    }
  }
}

TEST(Frame, TruncatedAnywhereIsRefused) {
  TestRepository repository(seed());
  const Bytes frame =
      repository.seal(FrameRole::kMetadata, some_objects(repository, FrameRole::kMetadata));
  for (std::size_t size = 0; size < frame.size(); ++size) {
    const ByteView cut = ByteView(frame).first(size);
    EXPECT_EQ(parse_frame(cut).error().code(), Code::kCorrupt) << size;
    EXPECT_FALSE(verify_checksum(cut).has_value()) << size;
    const auto whole = frame_size(cut);
    ASSERT_EQ(whole.has_value(), size >= kFramePreludeSize) << size;
    EXPECT_EQ(whole.value_or(frame.size()), frame.size());
  }
}

TEST(Frame, ItsHeadSaysAsMuchAsAllOfIt) {
  TestRepository repository(seed());
  const Bytes bytes =
      repository.seal(FrameRole::kMetadata, some_objects(repository, FrameRole::kMetadata));
  const auto whole = parse_frame(bytes);
  const auto size = frame_head_size(ByteView(bytes).first(kFramePreludeSize));
  ASSERT_EQ(size.value_or(0), whole->prelude_and_header.size());
  for (std::size_t cut = 0; cut < *size; ++cut)
    EXPECT_EQ(parse_frame_head(ByteView(bytes).first(cut)).error().code(), Code::kCorrupt) << cut;
  const auto head = parse_frame_head(ByteView(bytes).first(*size));
  ASSERT_TRUE(head.has_value()) << head.error().message();
  EXPECT_EQ(head->envelope, whole->header.envelope);
  EXPECT_EQ(head->refs, whole->header.refs);
  ASSERT_EQ(head->objects.size(), whole->header.objects.size());
  for (std::size_t i = 0; i < head->objects.size(); ++i) {
    EXPECT_EQ(head->objects[i].id, whole->header.objects[i].id);
    EXPECT_TRUE(std::ranges::equal(head->objects[i].refs, whole->header.objects[i].refs));
  }
}

TEST(Frame, BytesBehindItAreRefused) {
  TestRepository repository(seed());
  Bytes frame = repository.seal(FrameRole::kData, some_objects(repository, FrameRole::kData));
  frame.push_back(0);
  EXPECT_EQ(parse_frame(frame).error().code(), Code::kCorrupt);
}

TEST(Frame, HostileLengthsAreRefusedBeforeAnythingIsAllocated) {
  TestRepository repository(seed());
  const Bytes frame = repository.seal(FrameRole::kData, some_objects(repository, FrameRole::kData));
  const std::uint32_t lengths[] = {0,         1,          23,         24,        64u << 20,
                                   80u << 20, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF};
  for (const std::uint32_t header : lengths)
    for (const std::uint32_t body : lengths) {
      Bytes changed = frame;
      store_le(changed.data() + 12, header);
      store_le(changed.data() + 16, body);
      make_good(changed, repository.agent);
      EXPECT_EQ(parse_frame(changed).error().code(), Code::kCorrupt) << header << ' ' << body;
      EXPECT_LE(frame_size(changed).value_or(0), kMaxFrameSize);
    }
}

TEST(Frame, AnotherVersionRoleOrReservedByteIsRefused) {
  TestRepository repository(seed());
  const Bytes frame = repository.seal(FrameRole::kData, some_objects(repository, FrameRole::kData));
  const auto with = [&](std::size_t at, Byte value) {
    Bytes changed = frame;
    changed[at] = value;
    make_good(changed, repository.agent);
    return parse_frame(changed).error().code();
  };
  EXPECT_EQ(with(8, 2), Code::kUnsupportedVersion);
  EXPECT_EQ(with(0, 'h'), Code::kCorrupt);
  EXPECT_EQ(with(10, 0), Code::kCorrupt);
  EXPECT_EQ(with(10, 3), Code::kCorrupt);
  for (std::size_t at = 20; at < kFrameChecksumOffset; ++at) EXPECT_EQ(with(at, 1), Code::kCorrupt);
}

TEST(FrameHeader, IsRefusedWhereItsListsDoNotFit) {
  TestRepository repository(seed());
  const Bytes frame =
      repository.seal(FrameRole::kMetadata, some_objects(repository, FrameRole::kMetadata));
  struct Case {
    const char* what;
    std::function<void(FrameHeaderProto&)> change;
  };
  const Case cases[] = {
      {"no agent", [](auto& h) { h.clear_agent(); }},
      {"a short repository", [](auto& h) { h.mutable_repository()->pop_back(); }},
      {"a long ephemeral key", [](auto& h) { h.mutable_ephemeral_key()->push_back('x'); }},
      {"no commitment", [](auto& h) { h.clear_key_commitment(); }},
      {"number zero", [](auto& h) { h.clear_number(); }},
      {"no ids", [](auto& h) { h.clear_ids(); }},
      {"a piece of an id", [](auto& h) { h.mutable_ids()->append("piece"); }},
      {"an id too many", [](auto& h) { h.mutable_ids()->append(32, 'i'); }},
      {"a piece of a ref", [](auto& h) { h.mutable_refs()->append("piece"); }},
      {"a ref too many", [](auto& h) { h.mutable_refs()->append(32, 'r'); }},
      {"a ref too few", [](auto& h) { h.mutable_refs()->resize(h.refs().size() - 32); }},
      {"a count too many", [](auto& h) { h.add_ref_counts(0); }},
      {"a count that wraps", [](auto& h) { h.set_ref_counts(0, 0xFFFFFFFF); }},
      {"too many objects",
       [](auto& h) {
         h.set_ids(std::string((kMaxFrameObjects + 1) * 32, 'i'));
         h.mutable_ref_counts()->Resize(kMaxFrameObjects + 1, 0);
       }},
      {"too many refs",
       [](auto& h) {
         h.set_refs(std::string((kMaxFrameRefs + 1) * 32, 'r'));
         h.set_ref_counts(0, kMaxFrameRefs + 1 - 2);
       }},
      {"longer than any header", [](auto& h) { h.set_agent(std::string(9 << 20, 'a')); }},
  };
  for (const Case& one : cases) {
    FrameHeaderProto header = header_of(frame);
    one.change(header);
    const std::string bytes = header.SerializeAsString();
    const auto parsed = parse_frame(
        assemble_frame(FrameRole::kMetadata, as_bytes(bytes), Bytes(64), repository.agent));
    ASSERT_FALSE(parsed.has_value()) << one.what;
    EXPECT_EQ(parsed.error().code(), Code::kCorrupt) << one.what;
  }
  // A chunk has no refs, not even a count of none.
  const std::string bytes = header_of(frame).SerializeAsString();
  EXPECT_FALSE(
      parse_frame(assemble_frame(FrameRole::kData, as_bytes(bytes), Bytes(64), repository.agent))
          .has_value());
}

TEST(FrameHeader, KeepsItsRefsWhenItIsMoved) {
  TestRepository repository(seed());
  const auto objects = some_objects(repository, FrameRole::kMetadata);
  const Bytes frame = repository.seal(FrameRole::kMetadata, objects);
  auto parsed = std::make_unique<ParsedFrame>(*parse_frame(frame));
  const FrameHeader moved = std::move(parsed->header);
  parsed.reset();
  for (std::size_t i = 0; i < objects.size(); ++i)
    EXPECT_TRUE(std::ranges::equal(moved.objects[i].refs, objects[i].refs));
}

TEST(FrameOpening, RefusesWhatWasMovedFromAnotherFrame) {
  TestRepository repository(seed());
  const std::vector<PlainObject> objects{{{}, repository.random_bytes(100)}};
  const Bytes one = repository.seal(FrameRole::kData, objects);
  const Bytes two = repository.seal(FrameRole::kData, {{{}, repository.random_bytes(100)}});
  ASSERT_EQ(one.size(), two.size());
  const std::size_t body_at = kFramePreludeSize + load_le<std::uint32_t>(one.data() + 12);

  auto opener = repository.opener();
  Bytes swapped(one.begin(), one.begin() + static_cast<std::ptrdiff_t>(body_at));
  append(swapped, ByteView(two).subspan(body_at));
  make_good(swapped, repository.agent);
  EXPECT_EQ(check_and_open(swapped, opener, repository.agent.verify_key()).error().code(),
            Code::kForged);

  // Even the same objects under another number of the run.
  FrameHeaderProto header = header_of(one);
  header.set_number(2);
  const std::string bytes = header.SerializeAsString();
  const ByteView body = ByteView(one).subspan(body_at, one.size() - body_at - kFrameSignatureSize);
  const Bytes renumbered =
      assemble_frame(FrameRole::kData, as_bytes(bytes), body, repository.agent);
  EXPECT_EQ(check_and_open(renumbered, opener, repository.agent.verify_key()).error().code(),
            Code::kForged);
}

TEST(FrameOpening, RefusesAnotherRepository) {
  TestRepository repository(seed());
  const Bytes frame = repository.seal(FrameRole::kData, some_objects(repository, FrameRole::kData));
  const RepositoryId other{{9}};
  FrameOpener opener(other, repository.private_key, repository.group_key);
  EXPECT_EQ(check_and_open(frame, opener, repository.agent.verify_key()).error().code(),
            Code::kForged);
  // Nor does naming the other one help: the run's key is bound to the first.
  FrameHeaderProto header = header_of(frame);
  header.set_repository(other.str());
  const std::string bytes = header.SerializeAsString();
  const auto parsed = parse_frame(frame);
  const Bytes renamed =
      assemble_frame(FrameRole::kData, as_bytes(bytes), parsed->body, repository.agent);
  EXPECT_EQ(check_and_open(renamed, opener, repository.agent.verify_key()).error().code(),
            Code::kForged);
}

TEST(FrameOpening, RefusesAnotherPrivateKey) {
  TestRepository repository(seed()), other(seed() + 1);
  const Bytes frame = repository.seal(FrameRole::kData, some_objects(repository, FrameRole::kData));
  FrameOpener opener(repository.id, other.private_key, repository.group_key);
  EXPECT_EQ(check_and_open(frame, opener, repository.agent.verify_key()).error().code(),
            Code::kForged);
}

TEST(FrameOpening, RefusesAnotherRole) {
  TestRepository repository(seed());
  const std::vector<PlainObject> objects{{{}, to_bytes("a chunk that looks like a list")}};
  const Bytes frame = repository.seal(FrameRole::kData, objects);
  const auto parsed = parse_frame(frame);
  FrameHeaderProto header = header_of(frame);
  header.add_ref_counts(0);
  const std::string bytes = header.SerializeAsString();
  auto opener = repository.opener();
  // A signed frame of the other role around the same body...
  const Bytes moved =
      assemble_frame(FrameRole::kMetadata, as_bytes(bytes), parsed->body, repository.agent);
  EXPECT_EQ(check_and_open(moved, opener, repository.agent.verify_key()).error().code(),
            Code::kForged);
  // ...and one sealed anew by who has the run's key: the object's id still says what it is.
  const std::string packed = [&] {
    Bytes plain = objects[0].payload;
    Byte length[4];
    store_le(length, static_cast<std::uint32_t>(plain.size()));
    append(plain, length);
    Bytes out(8 + content::Compressor::bound(plain.size()));
    const auto size = content::Compressor().compress(plain, 3, MutableByteView(out).subspan(8));
    store_le(out.data(), static_cast<std::uint32_t>(size));
    store_le(out.data() + 4, static_cast<std::uint32_t>(plain.size()));
    return to_string(ByteView(out).first(8 + size));
  }();
  const Bytes sealed_anew =
      forge_frame(repository, FrameRole::kMetadata, as_bytes(bytes), as_bytes(packed), 1);
  const auto status = check_and_open(sealed_anew, opener, repository.agent.verify_key());
  EXPECT_EQ(status.error().code(), Code::kCorrupt);
  // The forging itself is right: as data the same bytes open.
  FrameHeaderProto plain_header = header_of(frame);
  const std::string plain_bytes = plain_header.SerializeAsString();
  const Bytes as_data =
      forge_frame(repository, FrameRole::kData, as_bytes(plain_bytes), as_bytes(packed), 1);
  EXPECT_TRUE(check_and_open(as_data, opener, repository.agent.verify_key()).has_value());
}

TEST(FrameOpening, RefusesAnotherTrustGroupsObjects) {
  TestRepository repository(seed());
  const Bytes frame = repository.seal(FrameRole::kData, some_objects(repository, FrameRole::kData));
  const crypto::SecretKey other = group_id_key(repository.id_key, 1);
  FrameOpener opener(repository.id, repository.private_key, other);
  EXPECT_EQ(check_and_open(frame, opener, repository.agent.verify_key()).error().code(),
            Code::kCorrupt);
}

// Sealed by a writer that is broken or hostile: tag and signature are good, the content is not.
TEST(FrameOpening, RefusesMalformedPlaintext) {
  TestRepository repository(seed());
  const std::vector<PlainObject> objects{{{}, to_bytes("abc")}, {{}, to_bytes("defg")}};
  const Bytes frame = repository.seal(FrameRole::kData, objects);
  const std::string header = header_of(frame).SerializeAsString();
  auto opener = repository.opener();

  const auto packed = [](ByteView plain, std::uint32_t claimed, int packed_more = 0) {
    Bytes out(8 + content::Compressor::bound(plain.size()));
    const auto size = content::Compressor().compress(plain, 3, MutableByteView(out).subspan(8));
    out.resize(8 + size);
    store_le(out.data(), static_cast<std::uint32_t>(static_cast<int>(size) + packed_more));
    store_le(out.data() + 4, claimed);
    return out;
  };
  const auto table = [](std::string text, std::uint32_t first, std::uint32_t second) {
    Bytes plain = to_bytes(text);
    plain.resize(plain.size() + 8);
    store_le(plain.data() + text.size(), first);
    store_le(plain.data() + text.size() + 4, second);
    return plain;
  };
  const auto outcome = [&](ByteView plaintext) {
    const Bytes forged = forge_frame(repository, FrameRole::kData, as_bytes(header), plaintext, 1);
    return check_and_open(forged, opener, repository.agent.verify_key());
  };
  const Bytes good = table("abcdefg", 3, 4);
  ASSERT_TRUE(outcome(packed(good, 15)).has_value());
  const struct {
    const char* what;
    Bytes plaintext;
  } cases[] = {
      {"nothing but zeros", Bytes(8)},
      {"more packed than there is", packed(good, 15, 1)},
      {"less packed than there is", packed(good, 15, -1)},
      {"more plaintext claimed", packed(good, 16)},
      {"less plaintext claimed", packed(good, 14)},
      {"no room for the table", packed(good, 7)},
      {"more plaintext than any frame", packed(good, 0xFFFFFFFF)},
      {"a length beyond the end", packed(table("abcdefg", 3, 5), 15)},
      {"a length that wraps", packed(table("abcdefg", 3, 0xFFFFFFFF), 15)},
      {"lengths that leave some", packed(table("abcdefg", 3, 3), 15)},
      {"another cut", packed(table("abcdefg", 4, 3), 15)},
      {"other content", packed(table("abcdefG", 3, 4), 15)},
  };
  for (const auto& one : cases) {
    const Status status = outcome(one.plaintext);
    ASSERT_FALSE(status.has_value()) << one.what;
    EXPECT_EQ(status.error().code(), Code::kCorrupt) << one.what;
  }
}

// Each object is what its id says, and something lies between the last and the table.
TEST(FrameOpening, RefusesPlaintextThatBelongsToNoObject) {
  TestRepository repository(seed());
  const Bytes frame = repository.seal(FrameRole::kData, {{{}, to_bytes("abc")}});
  const std::string header = header_of(frame).SerializeAsString();
  auto opener = repository.opener();
  for (const bool hidden : {false, true}) {
    Bytes plain = to_bytes(hidden ? "abchidden" : "abc");
    Byte length[4];
    store_le(length, std::uint32_t{3});
    append(plain, length);
    Bytes packed(8 + content::Compressor::bound(plain.size()));
    const auto size = content::Compressor().compress(plain, 3, MutableByteView(packed).subspan(8));
    packed.resize(8 + size);
    store_le(packed.data(), static_cast<std::uint32_t>(size));
    store_le(packed.data() + 4, static_cast<std::uint32_t>(plain.size()));
    const Bytes forged = forge_frame(repository, FrameRole::kData, as_bytes(header), packed, 1);
    const Status opened = check_and_open(forged, opener, repository.agent.verify_key());
    EXPECT_EQ(opened.has_value(), !hidden);
    if (hidden) {
      EXPECT_EQ(opened.error().code(), Code::kCorrupt);
    }
  }
}

TEST(FrameOpening, GoesOnWhenMoreRunsAreMetThanAreKept) {
  TestRepository repository(seed());
  auto opener = repository.opener();
  const std::vector<PlainObject> objects{{{}, to_bytes("content")}};
  std::vector<Bytes> frames;
  for (int i = 0; i < 300; ++i) {
    repository.run = begin_run(repository.random, repository.id, repository.public_key);
    frames.push_back(repository.seal(FrameRole::kData, objects));
  }
  for (const int round : {1, 2})
    for (const Bytes& frame : frames)
      ASSERT_TRUE(opener.open(*parse_frame(frame)).has_value()) << "round " << round;
}

TEST(FrameSignature, IsOfTheAgentThatTheFrameNames) {
  TestRepository repository(seed()), other(seed() + 1);
  Bytes frame = repository.seal(FrameRole::kData, some_objects(repository, FrameRole::kData));
  EXPECT_EQ(check_all(frame, other.agent.verify_key()).error().code(), Code::kForged);
  make_good(frame, other.agent);  // signed by another, still naming the first
  EXPECT_EQ(check_all(frame, repository.agent.verify_key()).error().code(), Code::kForged);
  EXPECT_EQ(check_all(frame, other.agent.verify_key()).error().code(), Code::kForged);
}

}  // namespace
}  // namespace holdfast::format
