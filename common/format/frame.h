// Frames: one or more objects, compressed and sealed together, signed by their agent. The grammar
// is in docs/format.md. This header is for who stores frames and holds no key; see frame_sealer.h
// and frame_opener.h for who writes and reads their content.
//
//   frame  := prelude header body signature
//   prelude (48 bytes) := magic "HFFRAME1" | version u16 | role u16 | header_length u32
//                         | body_length u32 | reserved (12 bytes) = 0
//                         | XXH3-128 over the 32 bytes before and all between prelude and signature
//   body := AES-256-GCM of ( packed_length u32 | plain_length u32 | zstd bytes | zero padding )
//   signature := Ed25519 over a context and the SHA-256 of all before it
#pragma once

#include <span>
#include <vector>

#include "common/base/digest.h"
#include "common/base/result.h"
#include "common/crypto/signature.h"
#include "common/format/object.h"

namespace holdfast::format {

constexpr std::uint16_t kFrameVersion = 1;
constexpr std::size_t kFramePreludeSize = 48;
constexpr std::size_t kFrameSignatureSize = 64;
// Limits that every parser enforces before it allocates.
constexpr std::size_t kMaxFramePlaintext = std::size_t{72} << 20;  // one 64 MiB chunk and its table
constexpr std::size_t kMaxFrameSize = std::size_t{80} << 20;
constexpr std::size_t kMaxFrameObjects = 1 << 16;
constexpr std::size_t kMaxFrameRefs = 1 << 17;
constexpr std::size_t kMaxFrameHeaderSize = std::size_t{8} << 20;  // more than both lists take

enum class FrameRole : std::uint8_t { kData = 1, kMetadata = 2 };

// How a run's key is found again: X25519 with the repository's private key, then HKDF.
struct RunEnvelope {
  std::array<Byte, 32> ephemeral_key{};
  std::array<Byte, 32> commitment{};
  friend auto operator<=>(const RunEnvelope&, const RunEnvelope&) = default;
};

struct FrameObject {
  ObjectId id;
  ObjectKind kind;                 // from the frame's role
  std::span<const ObjectId> refs;  // into FrameHeader::refs
};

// Move-only: the spans of `objects` point into `refs`, and go with it.
struct FrameHeader {
  FrameHeader() = default;
  FrameHeader(FrameHeader&&) = default;
  FrameHeader& operator=(FrameHeader&&) = default;

  FrameRole role = FrameRole::kData;
  RepositoryId repository;
  AgentId agent;
  RunEnvelope envelope;
  std::uint64_t number = 0;
  std::vector<FrameObject> objects;
  std::vector<ObjectId> refs;
};

// A frame whose grammar was checked: all lengths fit, the header parses. Neither checksum nor
// signature was. Views point into the bytes it was parsed from.
struct ParsedFrame {
  ByteView bytes;
  FrameHeader header;
  ByteView prelude_and_header;  // the AEAD's associated data is derived from it
  ByteView body;                // sealed
  ByteView signature;
};

// The whole size of the frame that begins with `prelude` (at least kFramePreludeSize bytes), so
// that a reader of a segment knows how much to fetch. kCorrupt, kUnsupportedVersion.
Result<std::size_t> frame_size(ByteView prelude);
// kCorrupt for bad grammar, kUnsupportedVersion. Allocation is bounded by bytes.size().
Result<ParsedFrame> parse_frame(ByteView bytes);
// A frame's beginning, prelude and header, is enough to know what it holds: how long it is, and
// what it says. Nothing in it can be trusted before the whole frame's checksum was compared.
Result<std::size_t> frame_head_size(ByteView prelude);
Result<FrameHeader> parse_frame_head(ByteView bytes);
// XXH3-128 over the frame: finds every accident. kCorrupt.
Status verify_checksum(ByteView frame);
// SHA-256 and Ed25519 over the frame: nobody but the agent wrote it. kForged.
Status verify_signature(const ParsedFrame& frame, const crypto::VerifyKey& agent);
// The agent's id is the hash of its key.
AgentId agent_id(const crypto::VerifyKey& key);
FrameId frame_id(const ParsedFrame& frame);

}  // namespace holdfast::format
