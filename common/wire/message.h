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

Message encode(const RequestProto& request, SharedBytes body = {});
Message encode(const ReplyProto& reply, SharedBytes body = {});
// kProtocol for anything malformed.
Result<RequestProto> decode_request(ByteView head);
Result<ReplyProto> decode_reply(ByteView head);

void set_error(ReplyProto& reply, const Error& error);
Error error_of(const ReplyProto& reply);  // unknown codes become kIo

std::string join_ids(std::span<const ObjectId> ids);
// kProtocol unless the bytes are a whole number of ids, at most `limit`.
Result<std::vector<ObjectId>> split_ids(const std::string& bytes, std::size_t limit);

std::string encode_bitmap(const std::vector<bool>& bits);
// kProtocol unless it has exactly the bytes for `count` bits.
Result<std::vector<bool>> decode_bitmap(const std::string& bytes, std::size_t count);

}  // namespace holdfast::wire
