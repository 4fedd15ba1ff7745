#include "common/wire/message.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace holdfast::wire {
namespace {

std::vector<ObjectId> some_ids(std::size_t count) {
  std::vector<ObjectId> ids(count);
  for (std::size_t i = 0; i < count; ++i) ids[i].bytes.fill(static_cast<Byte>(i + 1));
  return ids;
}

Result<RequestProto> decode_request_text(const std::string& text) {
  return decode_request(as_bytes(text));
}

TEST(Message, RequestComesBackWithItsBody) {
  RequestProto request;
  request.set_id(42);
  request.set_repository(std::string(32, 'r'));
  request.mutable_present()->set_ids(join_ids(some_ids(3)));
  const Message message = encode(request, SharedBytes(Buffer::copy_of(as_bytes("a frame"))));
  EXPECT_EQ(as_text(message.body), "a frame");
  const auto decoded = decode_request(message.head);
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(decoded->id(), 42U);
  EXPECT_EQ(decoded->what_case(), RequestProto::kPresent);
  EXPECT_EQ(*split_ids(decoded->present().ids(), kMaxIdsPerRequest), some_ids(3));
}

TEST(Message, ReplyComesBack) {
  ReplyProto reply;
  reply.set_id(1);
  reply.set_incarnation(~std::uint64_t{0});
  for (int i = 0; i < 1000; ++i) {
    auto* manifest = reply.mutable_list_manifests()->add_manifests();
    manifest->set_manifest(std::string(2000, 'm'));
    manifest->set_received_ns(-i);
  }
  const auto decoded = decode_reply(encode(reply).head);
  ASSERT_TRUE(decoded.has_value()) << decoded.error().message();
  EXPECT_EQ(decoded->SerializeAsString(), reply.SerializeAsString());
}

TEST(Message, GarbageIsAProtocolError) {
  for (const std::string& garbage :
       {std::string("garbage"), std::string("\xFF"), std::string(100, '\0'),
        std::string("\x2A\x04\x0A\x7F", 4), std::string("\x0B\x0C")}) {
    EXPECT_EQ(decode_request_text(garbage).error().code(), Code::kProtocol);
    EXPECT_EQ(decode_reply(as_bytes(garbage)).error().code(), Code::kProtocol);
  }
}

TEST(Message, TruncatedIsAProtocolErrorOrAsksForNothingMore) {
  RequestProto request;
  request.set_id(42);
  request.mutable_present()->set_ids(join_ids(some_ids(1)));
  const Bytes head = encode(request).head;
  for (std::size_t size = 0; size < head.size(); ++size) {
    const auto decoded = decode_request(ByteView(head).first(size));
    // Cut between two fields it is a message still; what it would ask for is the field lost.
    EXPECT_TRUE(!decoded || decoded->what_case() == RequestProto::WHAT_NOT_SET) << size;
  }
}

RC_GTEST_PROP(Message, AnyBytesAreDecodedOrRefused, (const std::vector<Byte>& bytes)) {
  // RapidCheck takes an assertion apart, and with it the order of a disjunction.
  const auto fits = [](const auto& decoded) {
    return decoded.has_value() || decoded.error().code() == Code::kProtocol;
  };
  RC_ASSERT(fits(decode_request(bytes)));
  RC_ASSERT(fits(decode_reply(bytes)));
}

TEST(Message, LargerThanAnyIsRefused) {
  RequestProto request;
  request.mutable_commit()->set_manifest(std::string(kMaxHeadSize, 'm'));
  EXPECT_EQ(decode_request(encode(request).head).error().code(), Code::kProtocol);
}

// Two bytes a manifest, four million manifests: hundreds of megabytes, had they been made before
// they were counted. In one list, and spread over lists that protobuf joins.
TEST(Message, OfCountlessEmptyPartsIsRefusedBeforeTheyAreMade) {
  std::string list;
  for (int i = 0; i < 70'000; ++i) list.append("\x0A\x00", 2);
  const auto wrap = [](const std::string& content) {
    std::string field = "\x62";  // field 12, list_manifests
    for (std::size_t size = content.size();; size >>= 7) {
      field += static_cast<char>(size < 0x80 ? size : (size & 0x7F) | 0x80);
      if (size < 0x80) break;
    }
    return field + content;
  };
  EXPECT_EQ(decode_reply(as_bytes(wrap(list))).error().code(), Code::kProtocol);
  EXPECT_TRUE(decode_reply(as_bytes(wrap(list.substr(0, 100'000)))).has_value());
  std::string spread;
  for (int i = 0; i < 4; ++i) spread += wrap(list.substr(0, 40'000));
  EXPECT_EQ(decode_reply(as_bytes(spread)).error().code(), Code::kProtocol);
  std::string envelope;  // pings, of which each takes the place of the one before
  for (int i = 0; i < 70'000; ++i) envelope.append("\x2A\x00", 2);
  EXPECT_EQ(decode_reply(as_bytes(envelope)).error().code(), Code::kProtocol);
  EXPECT_TRUE(decode_reply(as_bytes(envelope.substr(0, 100'000))).has_value());
}

// Below the parts whose fields are counted.
TEST(Message, WithAMalformedPartOfAPartIsRefused) {
  const std::string manifest("\x0A\x05zz");  // says that five bytes follow
  const std::string list = std::string("\x0A\x04") + manifest;
  EXPECT_EQ(decode_reply(as_bytes(std::string("\x62\x06") + list)).error().code(), Code::kProtocol);
  const std::string good("\x62\x06\x0A\x04\x0A\x02zz");
  EXPECT_TRUE(decode_reply(as_bytes(good)).has_value());
}

TEST(Message, CarriesTheLargestRequests) {
  RequestProto request;
  request.mutable_locate()->set_ids(join_ids(some_ids(kMaxIdsPerRequest)));
  EXPECT_TRUE(decode_request(encode(request).head).has_value());
  ReplyProto reply;
  for (std::size_t i = 0; i < kMaxIdsPerRequest; ++i) {
    reply.mutable_locate()->add_frame(~0U);
    reply.mutable_locate()->add_frame_length(~0U);
  }
  EXPECT_TRUE(decode_reply(encode(reply).head).has_value());
}

TEST(ReplyError, ComesBackAndTakesTheReplysPlace) {
  ReplyProto reply;
  reply.mutable_commit()->set_already(true);
  set_error(reply, Error(Code::kNoSpace, "segment 7: no space left"));
  EXPECT_EQ(reply.what_case(), ReplyProto::WHAT_NOT_SET);
  const auto decoded = decode_reply(encode(reply).head);
  EXPECT_EQ(error_of(*decoded), Error(Code::kNoSpace, "segment 7: no space left"));
}

TEST(ReplyError, OfAHostileNodeIsSafeToPrint) {
  ReplyProto reply;
  reply.mutable_error()->set_code("a code of tomorrow");
  reply.mutable_error()->set_message("\x1B[2J" + std::string(1 << 20, 'x'));
  const Error error = error_of(reply);
  EXPECT_EQ(error.code(), Code::kIo);
  EXPECT_EQ(error.message().find('\x1B'), std::string::npos);
  EXPECT_LT(error.message().size(), 2 * kMaxErrorMessage);
  set_error(reply, Error(Code::kIo, std::string(1 << 20, 'x')));
  EXPECT_EQ(reply.error().message().size(), kMaxErrorMessage);
}

TEST(IdList, ComesBack) {
  for (const std::size_t count : {0, 1, 100})
    EXPECT_EQ(*split_ids(join_ids(some_ids(count)), count), some_ids(count));
}

TEST(IdList, OfAPieceOrBeyondItsLimitIsRefused) {
  const std::string three = join_ids(some_ids(3));
  EXPECT_TRUE(split_ids(three, 3).has_value());
  EXPECT_EQ(split_ids(three, 2).error().code(), Code::kProtocol);
  EXPECT_EQ(split_ids(three + "x", 100).error().code(), Code::kProtocol);
  EXPECT_EQ(split_ids(three.substr(1), 100).error().code(), Code::kProtocol);
}

RC_GTEST_PROP(Bitmap, ComesBack, (const std::vector<bool>& bits)) {
  const std::string bytes = encode_bitmap(bits);
  RC_ASSERT(*decode_bitmap(bytes, bits.size()) == bits);
  RC_ASSERT(!decode_bitmap(bytes + '\0', bits.size()).has_value());
  RC_ASSERT(!decode_bitmap(bytes, bits.size() + 8).has_value());
}

TEST(Bitmap, PutsTheFirstBitLowest) {
  EXPECT_EQ(encode_bitmap({true, false, false, true, false, false, false, false, true}),
            std::string("\x09\x01"));
  EXPECT_EQ(encode_bitmap({}), "");
}

}  // namespace
}  // namespace holdfast::wire
