// Encoding and decoding of envelopes, and the limits that both sides keep to.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "common/base/digest.h"
#include "common/base/result.h"
#include "common/ports/transport.h"
#include "common/wire/wire.pb.h"

namespace holdfast::wire {

constexpr std::uint32_t kProtocolVersion = 1;
constexpr std::size_t kMaxIdsPerRequest = 16'384;
constexpr std::size_t kMaxHeadSize = std::size_t{8} << 20;  // a charter or a page of manifests
constexpr std::size_t kMaxMissingPerError = 4'096;
constexpr std::size_t kMaxDamagedPerReply = 65'536;  // ids that a verification names once done
constexpr std::size_t kMaxProblemsPerReply = 1'000;  // and its sentences
// Fields in all parts of an envelope. A page of manifests has one for each, and a list of numbers
// that was not packed one a number.
constexpr std::size_t kMaxFieldsPerHead = 1 << 16;
constexpr std::size_t kMaxErrorMessage = 4'096;  // bytes; what is beyond is cut off

Message encode(const RequestProto& request, SharedBytes body = {});
Message encode(const ReplyProto& reply, SharedBytes body = {});
// kProtocol for anything malformed or beyond the limits; what is allocated is bounded by both.
Result<RequestProto> decode_request(ByteView head);
Result<ReplyProto> decode_reply(ByteView head);

// Takes the place of what the reply held.
void set_error(ReplyProto& reply, const Error& error);
// For a reply that has one. Unknown codes become kIo; the words are made safe to print.
Error error_of(const ReplyProto& reply);

std::string join_ids(std::span<const ObjectId> ids);
// kProtocol unless the bytes are a whole number of ids, at most `limit`.
Result<std::vector<ObjectId>> split_ids(const std::string& bytes, std::size_t limit);

std::string encode_bitmap(const std::vector<bool>& bits);
// kProtocol unless it has exactly the bytes for `count` bits.
Result<std::vector<bool>> decode_bitmap(const std::string& bytes, std::size_t count);

}  // namespace holdfast::wire
