// A node that takes hostile requests, one behind the other:
//   request := who u8, what u8, length u16, that many bytes
// `who` is a key: unknown, of an enrolled agent with these or those roles or none, revoked,
// invited, all zero. `what` is
//   0  the bytes as the message's first part
//   1  the same, with the repository's id behind them, which then counts
//   2  PutFrame with the bytes as the frame
//   3  PutFrame of a frame with this header (role u8, length u16, header) and body, names, checksum
//      and signature made good by who sends
//   4  Commit of a manifest of these fields, names and signature made good by who sends
//   5  PutCharter of a good charter: version u8, and whether it follows the first one, u8
// Afterwards the node must be as it promises: what it accepted was signed by who may add, closure
// holds, a restart finds the same.
#include <algorithm>
#include <array>

#include "common/base/endian.h"
#include "common/format/frame.pb.h"
#include "common/format/manifest.pb.h"
#include "common/format/signed_body.h"
#include "tests/fuzz/allocation_budget.h"
#include "tests/fuzz/fuzzed_node.h"
#include "tests/fuzz/targets.h"
#include "tests/testing/test_repository.h"

namespace holdfast::fuzz {
namespace {

using repository::TestAgent;

constexpr std::size_t kMostRequests = 12;

struct Sender {
  Peer peer;
  const TestAgent* agent = nullptr;  // null: a stranger
  bool is_invited = false;
};

const TestAgent& stranger() {
  static testing::SeededRandom random(3);
  static const TestAgent agent(random, "stranger", repository::kAllRoles);
  return agent;
}

Sender sender_of(Byte who) {
  const auto& enrolled = fuzzed_repository().enrolled;
  const std::array<const TestAgent*, 10> senders{
      nullptr,          &enrolled.writer,  &enrolled.other_writer,
      &enrolled.reader, &enrolled.admin,   &enrolled.powerless,
      &enrolled.owner,  &enrolled.revoked, nullptr,
      nullptr};
  const std::size_t at = who % senders.size();
  Sender sender;
  sender.agent = senders[at];
  sender.is_invited = at == 8;
  sender.peer = {100 + at, at == 9 ? CurveKey{} : CurveKey{static_cast<Byte>(at + 1)}};
  if (sender.agent != nullptr) sender.peer.key = sender.agent->curve;
  return sender;
}

std::uint32_t roles_of(const Sender& sender) {
  return sender.agent == nullptr || sender.agent->revoked ? 0 : sender.agent->roles;
}

SharedBytes shared(ByteView bytes) { return SharedBytes(Buffer::copy_of(bytes)); }

SharedBytes forged_frame(ByteView input, const TestAgent& agent) {
  if (input.size() < 3) return shared(input);
  const auto role = input[0] % 2 == 0 ? format::FrameRole::kData : format::FrameRole::kMetadata;
  const std::size_t length =
      std::min<std::size_t>(load_le<std::uint16_t>(input.data() + 1), input.size() - 3);
  format::FrameHeaderProto names;
  names.set_agent(agent.id().str());
  names.set_repository(fuzzed_repository().enrolled.id().str());
  names.set_ephemeral_key(std::string(32, 'e'));
  names.set_key_commitment(std::string(32, 'c'));
  const std::string header = to_string(input.subspan(3, length)) + names.SerializeAsString();
  return shared(
      testing::assemble_frame(role, as_bytes(header), input.subspan(3 + length), agent.signing));
}

std::string forged_manifest(ByteView fields, const TestAgent& agent) {
  format::ManifestProto names;
  names.set_agent(agent.id().str());
  names.set_repository(fuzzed_repository().enrolled.id().str());
  format::SignedProto proto;
  proto.set_body(to_string(fields) + names.SerializeAsString());
  proto.set_signature(to_string(
      agent.signing.sign(format::signed_message("holdfast v1 manifest", as_bytes(proto.body())))));
  return proto.SerializeAsString();
}

Message message_of(Byte what, ByteView bytes, const TestAgent& agent) {
  const auto& enrolled = fuzzed_repository().enrolled;
  wire::RequestProto request;
  request.set_id(5);
  request.set_repository(enrolled.id().str());
  SharedBytes body;
  switch (what % 6) {
    case 0:
      return {{bytes.begin(), bytes.end()}, {}};
    case 1: {
      Bytes head(bytes.begin(), bytes.end());
      append(head, as_bytes(request.SerializeAsString()));
      return {std::move(head), {}};
    }
    case 2:
      request.mutable_put_frame();
      body = shared(bytes);
      break;
    case 3:
      request.mutable_put_frame();
      body = forged_frame(bytes, agent);
      break;
    case 4:
      request.mutable_commit()->set_manifest(forged_manifest(bytes, agent));
      break;
    default: {
      const std::uint64_t version = bytes.empty() ? 2 : bytes[0];
      const bool follows = bytes.size() < 2 || bytes[1] % 2 == 0;
      const Sha256 before = follows ? enrolled.first_charter().digest : Sha256{};
      request.mutable_put_charter()->set_record(to_string(
          enrolled.charter(version, version == 1 ? std::nullopt : std::optional(before)).record));
    }
  }
  return wire::encode(request, std::move(body));
}

// Whose signature is on what the node took.
void check_frame(const Sender& sender, ByteView bytes) {
  const auto frame = format::parse_frame(bytes);
  check(frame.has_value() && format::verify_checksum(bytes).has_value(),
        "it took what is no frame");
  const TestAgent* const author = fuzzed_repository().agent(frame->header.agent);
  check(author != nullptr && !author->revoked && (author->roles & format::kAppend) != 0 &&
            format::verify_signature(*frame, author->signing.verify_key()).has_value(),
        "it took a frame that nobody signed who may add");
  check(author == sender.agent || (roles_of(sender) & format::kRead) != 0,
        "it took another agent's frame");
}

void check_manifest(const Sender& sender, ByteView bytes) {
  const auto manifest = format::parse_manifest(bytes);
  check(manifest.has_value(), "it took what is no manifest");
  const TestAgent* const author = fuzzed_repository().agent(manifest->manifest.agent);
  check(author != nullptr && !author->revoked && (author->roles & format::kAppend) != 0 &&
            format::verify_manifest(*manifest, author->signing.verify_key()).has_value(),
        "it took a manifest that nobody signed who may add");
  check(author == sender.agent || (roles_of(sender) & format::kRead) != 0,
        "it took another agent's manifest");
}

void check_reply(const Sender& sender, const wire::RequestProto& request, ByteView body,
                 const FuzzedNode::Reply& reply) {
  const wire::ReplyProto& proto = reply.proto;
  if (proto.has_error()) return;
  const std::uint32_t roles = roles_of(sender);
  const bool is_enrolled = sender.agent != nullptr && !sender.agent->revoked;
  check(is_enrolled || (sender.is_invited && (proto.has_hello() || proto.has_put_charter())),
        "a stranger got an answer");
  const bool reads = (roles & format::kRead) != 0, adds = (roles & format::kAppend) != 0;
  if (proto.has_get_frame() || proto.has_locate() || proto.has_verify() ||
      proto.has_report_damage())
    check(reads, "content for who may not read");
  if (proto.has_get_charter() && !reads)
    check(format::vault_of(as_bytes(proto.get_charter().record()))->empty(),
          "the vault for who may not read");
  if (proto.has_present() || proto.has_head() || proto.has_prepare())
    check(adds, "an answer for who may not add");
  if (proto.has_put_frame()) check(adds, "a frame of who may not add"), check_frame(sender, body);
  if (proto.has_commit()) {
    check(adds, "a snapshot of who may not add");
    check_manifest(sender, as_bytes(request.commit().manifest()));
  }
  if (proto.has_put_charter() && is_enrolled)
    check((roles & format::kAdmin) != 0, "a charter of who may not administer");
}

std::vector<std::string> listed(FuzzedNode& node) {
  wire::RequestProto request;
  request.mutable_list_manifests();
  const auto reply = node.ask(request).proto;
  std::vector<std::string> all;
  for (const auto& entry : reply.list_manifests().manifests()) {
    check(entry.complete(), "a snapshot that is not complete");
    all.push_back(entry.manifest());
  }
  return all;
}

}  // namespace

void node(ByteView input) {
  FuzzedNode machine;
  machine.invitations().issued[sender_of(8).peer.key] = {};
  machine.start();
  ByteView rest = Input(input).rest;
  for (std::size_t i = 0; i < kMostRequests && rest.size() >= 4; ++i) {
    const Sender sender = sender_of(rest[0]);
    const std::size_t length =
        std::min<std::size_t>(load_le<std::uint16_t>(rest.data() + 2), rest.size() - 4);
    const TestAgent& signer = sender.agent != nullptr ? *sender.agent : stranger();
    Message message = message_of(rest[1], rest.subspan(4, length), signer);
    rest = rest.subspan(4 + length);
    const auto request = wire::decode_request(message.head);
    const SharedBytes body = message.body;
    // Segments are appended to by the buffer, whoever asks first for it.
    const AllocationBudget budget(message.head.size() + body.size(), std::size_t{8} << 20);
    for (const FuzzedNode::Reply& reply : machine.send(sender.peer, std::move(message))) {
      check(!request || reply.proto.id() == request->id(), "an answer to something else");
      if (request)
        check_reply(sender, *request, body, reply);
      else
        check(reply.proto.has_error(), "an answer to what is no request");
    }
  }
  const auto before = listed(machine);
  check(!before.empty(), "a snapshot that was there is gone");
  check(machine.verify().empty(), "hostile requests left what does not verify");
  machine.start();
  check(listed(machine) == before && machine.verify().empty(), "a restart finds something else");
}

}  // namespace holdfast::fuzz
