// Locate, GetFrame and ReportDamage: what a restore asks.
#include <fmt/format.h>

#include <limits>
#include <map>

#include "repository/hosted_repository.h"

namespace holdfast::repository {
namespace {

Result<ObjectId> object_id(const std::string& bytes) {
  const auto id = ObjectId::from(as_bytes(bytes));
  if (!id) return Error(Code::kProtocol, "an object's id has 32 bytes");
  return *id;
}

}  // namespace

void HostedRepository::receive_locate(const wire::LocateRequest& request, const Answer& answer) {
  const auto ids = wire::split_ids(request.ids(), wire::kMaxIdsPerRequest);
  if (!ids) return answer.fail(ids.error());
  std::vector<std::optional<Location>> found;
  found.reserve(ids->size());
  std::map<Location, std::uint32_t> frames;  // in disk order: segment, then offset
  for (const ObjectId& id : *ids) {
    const auto entry = store().locate(id);
    if (!entry) return answer.fail(entry.error());
    const bool readable = entry->has_value() && !(*entry)->damaged;
    found.push_back(readable ? std::optional((*entry)->location) : std::nullopt);
    if (readable) frames.emplace((*entry)->location, 0);
  }
  wire::ReplyProto reply;
  wire::LocateReply& located = *reply.mutable_locate();
  std::uint32_t next = 0;
  for (auto& [location, number] : frames) {
    number = ++next;
    located.add_frame_length(location.length);
  }
  for (const auto& location : found) located.add_frame(location ? frames.at(*location) : 0);
  answer.succeed(std::move(reply));
}

void HostedRepository::receive_get_frame(const wire::GetFrameRequest& request,
                                         const Answer& answer) {
  const auto id = object_id(request.id());
  if (!id) return answer.fail(id.error());
  auto frame = store().read_frame(*id);
  if (!frame) {
    if (frame.error().code() == Code::kCorrupt) {
      ++counters_.damage;
      note(Severity::kError, "damage_found",
           fmt::format("damage found: {}", frame.error().message()));
    }
    return answer.fail(frame.error());
  }
  wire::ReplyProto reply;
  reply.mutable_get_frame();
  counters_.sent.add(frame->size());
  answer.succeed(std::move(reply), SharedBytes(*std::move(frame)));
}

void HostedRepository::receive_report_damage(const wire::ReportDamageRequest& request,
                                             const Answer& answer) {
  const auto id = object_id(request.id());
  if (!id) return answer.fail(id.error());
  const auto damaged = store().report_damage(*id, agent_keys());
  if (!damaged) return answer.fail(damaged.error());
  if (*damaged) {
    ++counters_.damage;
    note(Severity::kError, "damage_found",
         fmt::format("object {} is damaged, as was reported", id->short_hex()));
  }
  wire::ReplyProto reply;
  reply.mutable_report_damage()->set_damaged(*damaged);
  answer.succeed(std::move(reply));
}

}  // namespace holdfast::repository
