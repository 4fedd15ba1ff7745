// Envelopes: a request in an even mode, a reply in an odd one.
#include "common/wire/message.h"
#include "tests/fuzz/allocation_budget.h"
#include "tests/fuzz/promises.h"
#include "tests/fuzz/targets.h"

namespace holdfast::fuzz {
namespace {

void read_ids(const std::string& bytes) {
  const auto ids = wire::split_ids(bytes, wire::kMaxIdsPerRequest);
  if (ids) check(wire::join_ids(*ids) == bytes, "ids that do not come back");
}

// Fields that hold messages within messages are at most kMaxFieldsPerHead, of 200 bytes each, of
// which an input of a few bytes cannot have many.
template <typename Decode>
auto decode(ByteView head, Decode decode_head) {
  const AllocationBudget budget(head.size(), 64 << 10, 160);
  auto decoded = decode_head(head);
  succeeded(decoded, {Code::kProtocol});
  return decoded;
}

void read_request(ByteView head) {
  const auto request = decode(head, wire::decode_request);
  if (!request) return;
  read_ids(request->present().ids());
  read_ids(request->locate().ids());
  const auto again = wire::decode_request(wire::encode(*request).head);
  check(again.has_value() && again->SerializeAsString() == request->SerializeAsString(),
        "a request that does not come back");
}

void read_reply(ByteView head) {
  auto reply = decode(head, wire::decode_reply);
  if (!reply) return;
  const std::string& bitmap = reply->present().bitmap();
  const auto bits = wire::decode_bitmap(bitmap, bitmap.size() * 8);
  check(bits.has_value() && wire::encode_bitmap(*bits) == bitmap, "bits that do not come back");
  read_ids(reply->error().missing());
  const auto back = wire::decode_reply(wire::encode(*reply).head);
  check(back.has_value() && back->SerializeAsString() == reply->SerializeAsString(),
        "a reply that does not come back");
  const Error error = wire::error_of(*reply);
  check(printable(error.message()) == error.message(), "a node that drives the terminal");
  wire::set_error(*reply, error);
  const auto again = wire::decode_reply(wire::encode(*reply).head);
  check(again.has_value() && wire::error_of(*again).code() == error.code(),
        "an error that does not come back");
}

}  // namespace

void message(ByteView input) {
  const Input parts(input);
  parts.mode % 2 == 0 ? read_request(parts.rest) : read_reply(parts.rest);
}

}  // namespace holdfast::fuzz
