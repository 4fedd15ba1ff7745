// Memory that is not there, at every allocation there is. A parser throws std::bad_alloc, or takes
// its bytes for what they are; it leaks nothing, and afterwards the same bytes parse.
#include <gtest/gtest.h>

#include "agent/catalog_codec.h"
#include "agent/catalog_node.h"
#include "agent/seen_heads.h"
#include "common/format/credential.h"
#include "common/format/frame_opener.h"
#include "common/wire/message.h"
#include "tests/exhaustion/failing_allocation.h"
#include "tests/fuzz/one_file.h"
#include "tests/testing/seed.h"
#include "tests/testing/test_charter.h"
#include "tests/testing/test_repository.h"

namespace holdfast::testing {
namespace {

template <typename Parse>
void expect_throws_or_parses(const Parse& parse) {
  bool parsed = false;
  const std::uint64_t allocations = fail_each_allocation(
      [&] {
        parsed = false;
        parsed = parse();
      },
      [&](std::uint64_t nth, bool thrown) {
        EXPECT_TRUE(thrown || parsed) << "allocation " << nth << " failed, and good bytes are bad";
        EXPECT_TRUE(parse()) << "allocation " << nth << " failed, and the next attempt does, too";
        return !::testing::Test::HasFailure();
      });
  EXPECT_TRUE(parsed);
  EXPECT_GT(allocations, 0U);
  std::printf("%llu allocations failed\n", static_cast<unsigned long long>(allocations));
}

// As expect_throws_or_parses(), of bytes that must be refused: it is not taken for anything else.
template <typename Parse>
void expect_throws_or_refuses(const Parse& parse) {
  expect_throws_or_parses([&] {
    const auto parsed = parse();
    return !parsed && parsed.error().code() == Code::kCorrupt;
  });
}

class ExhaustedParser : public ::testing::Test {
 protected:
  ExhaustedParser() {
    for (int i = 0; i < 20; ++i)
      lists_.push_back(
          {{repository_.random_id(), repository_.random_id()}, repository_.random_bytes(500)});
    frame_ = repository_.seal(format::FrameRole::kMetadata, lists_);
  }
  TestRepository repository_{seed()};
  std::vector<PlainObject> lists_;
  Bytes frame_;
};

TEST_F(ExhaustedParser, OfAFrame) {
  expect_throws_or_parses([&] { return format::parse_frame(frame_).has_value(); });
}

TEST_F(ExhaustedParser, OfAFrameThatIsCutOff) {
  const ByteView cut = ByteView(frame_).first(frame_.size() - 1);
  expect_throws_or_parses([&] { return !format::parse_frame(cut).has_value(); });
}

TEST_F(ExhaustedParser, OfWhatIsSealedInAFrame) {
  const auto parsed = format::parse_frame(frame_);
  ASSERT_TRUE(parsed);
  expect_throws_or_parses([&] { return repository_.opener().open(*parsed).has_value(); });
}

// What it keeps from frame to frame is sound behind a frame that there was no memory for.
TEST_F(ExhaustedParser, OfFramesOneAfterTheOther) {
  const auto parsed = format::parse_frame(frame_);
  ASSERT_TRUE(parsed);
  format::FrameOpener opener = repository_.opener();
  expect_throws_or_parses([&] {
    const auto opened = opener.open(*parsed);
    return opened && opened->objects.size() == lists_.size();
  });
}

TEST_F(ExhaustedParser, OfAManifest) {
  format::Manifest manifest;
  manifest.repository = repository_.id;
  manifest.agent = format::agent_id(repository_.agent.verify_key());
  manifest.sequence = 1;
  manifest.charter_version = 1;
  manifest.root = repository_.random_id();
  format::SnapshotDetail detail;
  detail.host = "host";
  detail.paths = {"/a", "/b"};
  const auto signed_manifest =
      format::sign_manifest(manifest, detail, repository_.run, repository_.agent);
  expect_throws_or_parses(
      [&] { return format::parse_manifest(signed_manifest.bytes).has_value(); });
}

TEST_F(ExhaustedParser, OfACharter) {
  const TestCharter charter(seed());
  const Bytes record = charter.sign().record;
  const RepositoryId repository = charter.repository();
  expect_throws_or_parses([&] { return format::parse_charter(record, repository).has_value(); });
}

TEST_F(ExhaustedParser, OfACredential) {
  const std::string text = format::encode_credential(test_credential(repository_.random));
  expect_throws_or_parses([&] { return format::parse_credential(text).has_value(); });
  std::string altered = text;
  altered[altered.size() / 2] = altered[altered.size() / 2] == 'a' ? 'b' : 'a';
  expect_throws_or_refuses([&] { return format::parse_credential(altered); });
}

TEST_F(ExhaustedParser, OfALeafOfACatalog) {
  agent::LeafEncoder encoder;
  for (int i = 10; i < 40; ++i) {
    agent::CatalogEntry file;
    file.entry.path = "home/user/file" + std::to_string(i);
    file.entry.mode = 0100644;
    file.entry.size = 100'000;
    file.entry.user = "user";
    file.content.refs = {repository_.random_id(), repository_.random_id()};
    file.content.lengths = {60'000, 40'000};
    encoder.add(file);
  }
  const auto [refs, payload] = encoder.take();
  expect_throws_or_parses([&, &refs = refs, &payload = payload] {
    const auto entries = agent::decode_leaf(refs, payload);
    return entries && entries->size() == 30;
  });
}

TEST_F(ExhaustedParser, OfAnIndexOfACatalogAndOfAListOfChunks) {
  agent::CatalogIndex index;
  std::vector<ObjectId> refs;
  for (int i = 10; i < 30; ++i) {
    refs.push_back(repository_.random_id());
    index.children.push_back({refs.back(), "home/user/a/long/path/" + std::to_string(i), 5, 100});
  }
  const Bytes payload = agent::encode_index(index);
  expect_throws_or_parses([&] { return agent::decode_index(refs, payload).has_value(); });
  const std::vector<std::uint32_t> lengths(refs.size(), 70'000);
  const Bytes list = agent::encode_chunk_list(lengths);
  expect_throws_or_parses([&] { return agent::decode_chunk_list(refs, list).has_value(); });
}

TEST_F(ExhaustedParser, OfARequest) {
  wire::RequestProto request;
  request.set_repository(repository_.id.str());
  request.mutable_present()->set_ids(std::string(32 * 100, 'x'));
  const Message message = wire::encode(request);
  expect_throws_or_parses([&] {
    const auto decoded = wire::decode_request(message.head);
    return decoded && wire::split_ids(decoded->present().ids(), 100).has_value();
  });
}

TEST_F(ExhaustedParser, OfAReply) {
  wire::ReplyProto reply;
  for (int i = 0; i < 5; ++i)
    reply.mutable_list_manifests()->add_manifests()->set_manifest(std::string(300, 'x'));
  const Message page = wire::encode(reply);
  expect_throws_or_parses([&] { return wire::decode_reply(page.head).has_value(); });

  wire::set_error(reply, Error(Code::kNoSpace, "No space left on the device of this node"));
  const Message refusal = wire::encode(reply);
  expect_throws_or_parses([&] {
    const auto decoded = wire::decode_reply(refusal.head);
    return decoded && wire::error_of(*decoded).code() == Code::kNoSpace;
  });
}

TEST_F(ExhaustedParser, OfTheHeadsSeen) {
  std::string text = "holdfast heads 1\n";
  for (char agent = 'a'; agent < 'f'; ++agent)
    text += std::string(64, agent) + " 12 " + std::string(64, 'b') + "\n";
  fuzz::OneFile file{as_bytes(text)};
  expect_throws_or_parses([&] {
    const auto seen = agent::SeenHeads::load(file, "heads");
    return seen && seen->heads().size() == 5;
  });
}

}  // namespace
}  // namespace holdfast::testing
