#include "tests/simulation/sealed_snapshots.h"

#include <algorithm>

#include "tests/testing/test_charter.h"

namespace holdfast::testing {

SealedSnapshots::SealedSnapshots(std::uint64_t seed, std::size_t count, std::size_t chunk_size)
    : repository_(seed) {
  using format::FrameRole;
  std::optional<ManifestId> previous;
  for (std::uint64_t sequence = 1; sequence <= count; ++sequence) {
    Snapshot snapshot;
    const auto chunk = [&] { return PlainObject{{}, repository_.random_bytes(chunk_size)}; };
    snapshot.chunks = seal(FrameRole::kData, {chunk(), chunk()});
    snapshot.others = seal(FrameRole::kData, {chunk()});
    const auto& chunks = snapshot.chunks.parsed.header.objects;
    snapshot.low =
        seal(FrameRole::kMetadata, {{{chunks[0].id, chunks[1].id}, repository_.random_bytes(20)}});
    const PlainObject beside{{snapshot.others.parsed.header.objects[0].id},
                             repository_.random_bytes(20)};
    const PlainObject root{{snapshot.low.parsed.header.objects[0].id,
                            repository_.identify(FrameRole::kMetadata, beside)},
                           repository_.random_bytes(20)};
    snapshot.root = seal(FrameRole::kMetadata, {beside, root});

    format::Manifest manifest;
    manifest.repository = repository_.id;
    manifest.agent = format::agent_id(repository_.agent.verify_key());
    manifest.sequence = sequence;
    manifest.previous = previous;
    manifest.charter_version = 1;
    manifest.root = repository_.identify(FrameRole::kMetadata, root);
    snapshot.manifest =
        format::sign_manifest(std::move(manifest), {}, repository_.run, repository_.agent);
    previous = snapshot.manifest.id;
    all_.push_back(std::move(snapshot));
  }
  TestCharter charter(seed);
  for (charter.charter.version = 1; charter.charter.version <= 4; ++charter.charter.version) {
    charter.charter.previous.reset();
    if (!charters_.empty()) charter.charter.previous = crypto::sha256(charters_.back());
    charters_.push_back(charter.sign().record);
  }
}

SealedSnapshots::Frame SealedSnapshots::seal(format::FrameRole role,
                                             const std::vector<PlainObject>& objects) {
  Frame frame;
  frame.bytes = repository_.seal(role, objects);
  auto parsed = format::parse_frame(frame.bytes);
  check(parsed.has_value(), "a frame that was just sealed");
  frame.parsed = std::move(parsed).value();
  for (const format::FrameObject& object : frame.parsed.header.objects) {
    refs_[object.id] = {object.refs.begin(), object.refs.end()};
    frames_of_[object.id].push_back(frame.bytes);
  }
  return frame;
}

bool SealedSnapshots::holds(ByteView frame, const ObjectId& id) const {
  const auto frames = frames_of_.find(id);
  return frames != frames_of_.end() &&
         std::any_of(frames->second.begin(), frames->second.end(),
                     [&](const Bytes& sealed) { return std::ranges::equal(sealed, frame); });
}

}  // namespace holdfast::testing
