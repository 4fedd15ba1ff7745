#include "tests/unit/agent/scripted_node.h"

#include <algorithm>

#include "common/format/frame.h"
#include "common/format/manifest.h"

namespace holdfast::testing {

void ScriptedNode::put_frame(const SharedBytes& bytes) {
  const auto parsed = format::parse_frame(bytes);
  check(parsed.has_value(), "a test's frame parses");
  auto frame = std::make_shared<Frame>(Frame{next_place_++, bytes, {}});
  for (const auto& object : parsed->header.objects) {
    frame->ids.push_back(object.id);
    frames_[object.id] = frame;
  }
}

void ScriptedNode::remove_frame_of(const ObjectId& id) {
  const FramePtr frame = frames_.at(id);
  std::erase_if(frames_, [&](const auto& entry) { return entry.second == frame; });
}

void ScriptedNode::replace_frame_of(const ObjectId& id, Bytes instead) {
  frames_.at(id)->bytes = SharedBytes(Buffer::copy_of(instead));
}

void ScriptedNode::put_manifest(ByteView signed_bytes, UnixTime received, bool complete) {
  manifests_.push_back({{signed_bytes.begin(), signed_bytes.end()}, received, complete});
}

void ScriptedNode::receive(const Message& message, const std::function<void(Message)>& reply) {
  const auto request = wire::decode_request(message.head);
  check(request.has_value(), "an agent sends what decodes");
  static const std::map<int, std::string> kKinds = {
      {wire::RequestProto::kLocate, "locate"},
      {wire::RequestProto::kGetFrame, "get_frame"},
      {wire::RequestProto::kPutFrame, "put_frame"},
      {wire::RequestProto::kListManifests, "list_manifests"}};
  if (silent) return;
  if (const auto kind = kKinds.find(request->what_case());
      kind != kKinds.end() && ignores.contains(kind->second))
    return;
  if (request->has_get_frame() &&
      withheld.contains(*ObjectId::from(as_bytes(request->get_frame().id()))))
    return;
  if (request->has_get_frame() && frames_served >= frames_before_silence) {
    silent = true;
    return;
  }
  SharedBytes body = message.body;
  wire::ReplyProto answered = answer(*request, body);
  answered.set_id(request->id());
  answered.set_incarnation(7);
  if (alter) alter(*request, answered);
  Instant at = loop_.now() + latency;
  if (bytes_per_second > 0) {
    free_at_ =
        std::max(free_at_, at) + Duration(static_cast<std::int64_t>(
                                     static_cast<double>(body.size()) / bytes_per_second * 1e9));
    at = free_at_;
  }
  loop_.after(at - loop_.now(),
              [reply, encoded = wire::encode(answered, body)]() mutable { reply(encoded); });
}

// What it refers to is there, or comes with it.
void ScriptedNode::take_frame(const SharedBytes& frame, wire::ReplyProto& reply) {
  const auto parsed = format::parse_frame(frame);
  check(parsed.has_value(), "an agent sends frames that parse");
  std::set<ObjectId> within;
  for (const auto& object : parsed->header.objects) {
    for (const ObjectId& ref : object.refs)
      if (!frames_.contains(ref) && !within.contains(ref))
        return wire::set_error(reply,
                               Error(Code::kMissingObjects, "what it refers to is not here"));
    within.insert(object.id);
  }
  put_frame(frame);
  reply.mutable_put_frame();
}

wire::ReplyProto ScriptedNode::answer(const wire::RequestProto& request, SharedBytes& body) {
  wire::ReplyProto reply;
  const SharedBytes frame = std::exchange(body, {});
  if (request.has_hello()) {
    reply.mutable_hello()->set_window_bytes(32 << 20);
  } else if (request.has_ping()) {
    reply.mutable_ping();
  } else if (request.has_present()) {
    std::vector<bool> bits;
    const std::string& ids = request.present().ids();
    for (std::size_t at = 0; at < ids.size(); at += ObjectId::kSize)
      bits.push_back(frames_.contains(
          *ObjectId::from(as_bytes(std::string_view(ids).substr(at, ObjectId::kSize)))));
    reply.mutable_present()->set_bitmap(wire::encode_bitmap(bits));
  } else if (request.has_locate()) {
    locate(request.locate(), *reply.mutable_locate());
  } else if (request.has_get_frame()) {
    const auto found = frames_.find(*ObjectId::from(as_bytes(request.get_frame().id())));
    if (found == frames_.end()) {
      wire::set_error(reply, Error(Code::kNotFound, "no such object here"));
    } else {
      reply.mutable_get_frame();
      body = found->second->bytes;
      ++frames_served;
      bytes_served += body.size();
    }
  } else if (request.has_report_damage()) {
    const auto id = *ObjectId::from(as_bytes(request.report_damage().id()));
    reported.push_back(id);
    if (forgets_what_is_damaged && frames_.contains(id)) remove_frame_of(id);
    reply.mutable_report_damage()->set_damaged(true);
  } else if (request.has_list_manifests()) {
    list(request.list_manifests(), *reply.mutable_list_manifests());
  } else if (request.has_verify()) {
    verifications.push_back(request.verify());
    const auto step = verify_steps.lower_bound(verify_step_++);
    if (step != verify_steps.end())
      *reply.mutable_verify() = step->second;
    else if (!verify_steps.empty())
      *reply.mutable_verify() = verify_steps.rbegin()->second;
    else
      reply.mutable_verify()->set_done(true);
  } else if (request.has_put_frame()) {
    take_frame(frame, reply);
  } else if (request.has_commit()) {
    committed.push_back(to_bytes(request.commit().manifest()));
    reply.mutable_commit();
  } else if (request.has_status()) {
    reply.mutable_status()->set_stored_bytes(1000);
  } else {
    wire::set_error(reply, Error(Code::kProtocol, "not in this script"));
  }
  return reply;
}

void ScriptedNode::locate(const wire::LocateRequest& request, wire::LocateReply& reply) {
  ++locates;
  const auto ids = *wire::split_ids(request.ids(), wire::kMaxIdsPerRequest);
  ids_located += ids.size();
  std::map<std::size_t, std::uint32_t> numbers;
  for (const ObjectId& id : ids)
    if (const auto found = frames_.find(id); found != frames_.end())
      numbers.emplace(found->second->place, 0);
  std::uint32_t next = 0;
  for (auto& [place, number] : numbers) {
    number = ++next;
    reply.add_frame_length(0);
  }
  for (const ObjectId& id : ids) {
    const auto found = frames_.find(id);
    const std::uint32_t number = found == frames_.end() ? 0 : numbers.at(found->second->place);
    reply.add_frame(number + (frames_beyond_its_count ? 1000 : 0));
    if (number > 0)
      reply.set_frame_length(static_cast<int>(number - 1),
                             static_cast<std::uint32_t>(found->second->bytes.size()));
  }
}

void ScriptedNode::list(const wire::ListManifestsRequest& request,
                        wire::ListManifestsReply& reply) {
  std::size_t at = 0;
  if (!request.after().empty()) {
    const auto after = ManifestId::from(as_bytes(request.after()));
    while (at < manifests_.size() && format::parse_manifest(manifests_[at].bytes)->id != after)
      ++at;
    ++at;
  }
  for (; at < manifests_.size() &&
         static_cast<std::size_t>(reply.manifests_size()) < manifests_per_page;
       ++at) {
    auto* entry = reply.add_manifests();
    entry->set_manifest(to_string(manifests_[at].bytes));
    entry->set_received_ns(manifests_[at].received.nanoseconds);
    entry->set_complete(manifests_[at].complete);
  }
  reply.set_more(at < manifests_.size());
}

namespace {

class ScriptedChannel final : public Channel {
 public:
  ScriptedChannel(ScriptedNode& node, Dialer::Receive receive)
      : node_(node), receive_(std::make_shared<Dialer::Receive>(std::move(receive))) {}
  void send(Message message) override {
    node_.receive(message, [receive = std::weak_ptr(receive_)](Message reply) {
      if (const auto open = receive.lock()) (*open)(std::move(reply));
    });
  }

 private:
  ScriptedNode& node_;
  std::shared_ptr<Dialer::Receive> receive_;
};

}  // namespace

Result<std::unique_ptr<Channel>> ScriptedDialer::dial(const NodeAddress& address, Receive receive) {
  const auto found = nodes_.find(address.endpoint);
  if (found == nodes_.end()) return Error(Code::kInvalidArgument, "no such scripted node");
  return std::unique_ptr<Channel>(
      std::make_unique<ScriptedChannel>(*found->second, std::move(receive)));
}

}  // namespace holdfast::testing
