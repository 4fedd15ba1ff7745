// A node that is started over a hostile disk: its segment is the input,
//   0  as it is, the index lost        1  with checksums that fit, the index lost
//   2  as it is, with the index of the good segment    3  with both
// and 4, 5 a good segment with an index of which entries say something else (each: which u8, 20
// bytes). Where damage is not made to look good, nobody gets a wrong byte; in any case a manifest
// or a charter that is given out is signed, verification ends and finds what it marks, and writing
// goes on.
#include <algorithm>
#include <array>

#include "common/base/endian.h"
#include "tests/fuzz/fuzzed_node.h"
#include "tests/fuzz/segment_checksums.h"
#include "tests/fuzz/targets.h"

namespace holdfast::fuzz {
namespace {

using repository::MemoryIndex;
using repository::ObjectEntry;

void replace(FuzzedNode& node, const std::string& path, const Bytes& content) {
  const auto file = *node.disk().open(path, OpenMode::kReadWrite);
  check(file->truncate(0).has_value() && file->write_at(0, {content}).has_value() &&
            file->sync_data().has_value(),
        "no file");
}

MemoryIndex lying_index(ByteView input) {
  const auto& good = fuzzed_repository();
  MemoryIndex index = good.index;
  const std::array<ObjectId, 4> ids{good.first.id, good.second.id, good.root.id, ObjectId{{9}}};
  for (; input.size() >= 21; input = input.subspan(21)) {
    ObjectEntry entry;
    const Byte* const at = input.data() + 1;
    entry.location = {load_le<std::uint32_t>(at), load_le<std::uint64_t>(at + 4),
                      load_le<std::uint32_t>(at + 12)};
    entry.position = load_le<std::uint16_t>(at + 16);
    entry.kind = at[18] % 2 == 0 ? format::ObjectKind::kData : format::ObjectKind::kList;
    entry.incomplete = (at[19] & 1) != 0;
    entry.damaged = (at[19] & 2) != 0;
    const repository::ObjectIndex::Put put{ids[input[0] % ids.size()], entry};
    check(index.write({&put, 1}, {}, {}, *index.checkpoint()).has_value(), "no index");
  }
  return index;
}

bool is_present(FuzzedNode& node, const ObjectId& id) {
  wire::RequestProto request;
  request.mutable_present()->set_ids(id.str());
  const auto reply = node.ask(request).proto;
  return !reply.has_error() && (*wire::decode_bitmap(reply.present().bitmap(), 1))[0];
}

// What a node gives out of each object that it says is present.
void check_objects(FuzzedNode& node, bool is_accidental, bool is_verified) {
  const auto& good = fuzzed_repository();
  for (const auto& [id, frame] :
       {std::pair(good.first.id, good.data_frame), std::pair(good.second.id, good.data_frame),
        std::pair(good.root.id, good.list_frame)}) {
    if (!is_present(node, id)) continue;
    wire::RequestProto request;
    request.mutable_get_frame()->set_id(id.str());
    const auto reply = node.ask(request);
    if (reply.proto.has_error()) {
      // What a newer program wrote is there, and is no damage.
      if (reply.proto.error().code() == "unsupported_version" && !is_accidental) continue;
      check(!is_present(node, id), "present, and cannot be given");
      check(!is_verified, "a verification that missed damage");
      continue;
    }
    const auto parsed = format::parse_frame(reply.body);
    check(parsed.has_value() &&
              std::ranges::any_of(parsed->header.objects,
                                  [&](const auto& object) { return object.id == id; }),
          "a frame without the object");
    if (is_accidental)
      check(std::ranges::equal(reply.body.view(), frame.view()), "a wrong byte was given out");
    const auto* const author = good.agent(parsed->header.agent);
    if (is_verified && author != nullptr)
      check(format::verify_checksum(reply.body).has_value() &&
                format::verify_signature(*parsed, author->signing.verify_key()).has_value(),
            "a verification that missed a forged frame");
  }
}

void check_records(FuzzedNode& node) {
  const auto& good = fuzzed_repository();
  wire::RequestProto request;
  request.mutable_get_charter();
  const auto charter = node.ask(request).proto;
  check(format::parse_charter(as_bytes(charter.get_charter().record()), good.enrolled.id())
            .has_value(),
        "a charter that nobody signed");
  request.mutable_list_manifests();
  const auto listed = node.ask(request).proto;
  for (const auto& entry : listed.list_manifests().manifests()) {
    const auto manifest = format::parse_manifest(as_bytes(entry.manifest()));
    check(manifest.has_value(), "a manifest that is none");
    const auto* const author = good.agent(manifest->manifest.agent);
    check(author == nullptr ||
              format::verify_manifest(*manifest, author->signing.verify_key()).has_value(),
          "a manifest that nobody signed");
    if (entry.complete())
      check(is_present(node, manifest->manifest.root), "complete, and its root is absent");
  }
}

// What is missing is brought again, and is there after a restart.
void heal(FuzzedNode& node) {
  const auto& good = fuzzed_repository();
  wire::RequestProto put;
  put.mutable_put_frame();
  for (const SharedBytes& frame : {good.data_frame, good.list_frame}) {
    const auto reply = node.ask(put, frame).proto;
    check(!reply.has_error(), "a good frame is refused");
  }
  wire::RequestProto prepare;
  prepare.mutable_prepare()->set_root(good.root.id.str());
  check(!node.ask(prepare).proto.has_error(), "what was brought is not there");
  node.start();
  check(is_present(node, good.root.id), "what was durable is gone");
}

}  // namespace

void store(ByteView input) {
  const Input parts(input);
  const auto& good = fuzzed_repository();
  FuzzedNode machine;
  const bool fitted = parts.mode == 1 || parts.mode == 3;
  if (parts.mode < 4) {
    Bytes segment(parts.rest.begin(), parts.rest.end());
    if (fitted) fit_segment_checksums(segment);
    replace(machine, good.segment, segment);
  }
  if (parts.mode == 2 || parts.mode == 3)
    machine.start(good.index);
  else if (parts.mode >= 4)
    machine.start(lying_index(parts.rest));
  else
    machine.start();

  wire::RequestProto request;
  request.mutable_get_charter();
  if (!machine.hosts() || machine.ask(request).proto.has_error()) return;  // its charter is lost
  check_records(machine);
  check_objects(machine, !fitted, false);
  static_cast<void>(machine.verify());
  check_objects(machine, !fitted, true);
  // A header that says with a good checksum that a newer program wrote it is believed.
  if (!fitted) heal(machine);
}

}  // namespace holdfast::fuzz
