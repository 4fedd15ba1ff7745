#include "common/wire/message.h"

#include <fmt/format.h>

#include "common/format/field_scan.h"

namespace holdfast::wire {
namespace {

Error malformed(std::string_view what) {
  return Error(Code::kProtocol, fmt::format("malformed {}", what));
}

template <typename Proto>
Message encode_any(const Proto& proto, SharedBytes body) {
  Bytes head(proto.ByteSizeLong());
  proto.SerializeWithCachedSizesToArray(head.data());
  return {std::move(head), std::move(body)};
}

// Whether an envelope and the messages in it have few enough fields; it is asked before anything is
// made of them. All fields from the third on are messages, in requests and in replies.
bool is_bounded(ByteView head) {
  constexpr std::uint32_t kFirstMessageField = 3;
  std::size_t count = 0;
  format::FieldScan fields(head);
  while (const auto field = fields.next()) {
    if (++count > kMaxFieldsPerHead) return false;
    if (!field->is_delimited || field->number < kFirstMessageField) continue;
    format::FieldScan inner(field->content);
    while (inner.next())
      if (++count > kMaxFieldsPerHead) return false;
    if (inner.malformed()) return false;
  }
  return !fields.malformed();
}

template <typename Proto>
Result<Proto> decode_any(ByteView head, std::string_view what) {
  Proto proto;
  if (head.size() > kMaxHeadSize || !is_bounded(head) ||
      !proto.ParseFromArray(head.data(), static_cast<int>(head.size())))
    return malformed(what);
  return proto;
}

}  // namespace

Message encode(const RequestProto& request, SharedBytes body) {
  return encode_any(request, std::move(body));
}
Message encode(const ReplyProto& reply, SharedBytes body) {
  return encode_any(reply, std::move(body));
}
Result<RequestProto> decode_request(ByteView head) {
  return decode_any<RequestProto>(head, "request");
}
Result<ReplyProto> decode_reply(ByteView head) { return decode_any<ReplyProto>(head, "reply"); }

void set_error(ReplyProto& reply, const Error& error) {
  reply.mutable_error()->set_code(std::string(name(error.code())));
  reply.mutable_error()->set_message(error.message().substr(0, kMaxErrorMessage));
  reply.clear_what();
}

Error error_of(const ReplyProto& reply) {
  return Error(code_from_name(reply.error().code()).value_or(Code::kIo),
               printable(std::string_view(reply.error().message()).substr(0, kMaxErrorMessage)));
}

std::string join_ids(std::span<const ObjectId> ids) {
  return std::string(reinterpret_cast<const char*>(ids.data()), ids.size_bytes());
}

Result<std::vector<ObjectId>> split_ids(const std::string& bytes, std::size_t limit) {
  if (bytes.size() % ObjectId::kSize != 0 || bytes.size() / ObjectId::kSize > limit)
    return malformed("list of ids");
  std::vector<ObjectId> ids(bytes.size() / ObjectId::kSize);
  if (!ids.empty()) std::memcpy(ids.data(), bytes.data(), bytes.size());
  return ids;
}

std::string encode_bitmap(const std::vector<bool>& bits) {
  std::string bytes((bits.size() + 7) / 8, '\0');
  for (std::size_t i = 0; i < bits.size(); ++i)
    if (bits[i]) bytes[i / 8] = static_cast<char>(bytes[i / 8] | 1 << (i % 8));
  return bytes;
}

Result<std::vector<bool>> decode_bitmap(const std::string& bytes, std::size_t count) {
  if (bytes.size() != (count + 7) / 8) return malformed("bitmap");
  std::vector<bool> bits(count);
  for (std::size_t i = 0; i < count; ++i) bits[i] = (bytes[i / 8] >> (i % 8) & 1) != 0;
  return bits;
}

}  // namespace holdfast::wire
