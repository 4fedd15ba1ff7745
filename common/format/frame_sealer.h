// Writing frames: objects are gathered until about a mebibyte, then compressed, sealed and signed.
#pragma once

#include <span>
#include <vector>

#include "common/content/compression.h"
#include "common/crypto/aead.h"
#include "common/format/frame.h"
#include "common/format/run_key.h"

namespace holdfast::format {

constexpr std::size_t kTargetFramePlaintext = 1 << 20;
constexpr std::size_t kMaxObjectPayload = std::size_t{64} << 20;
constexpr std::size_t kMaxObjectRefs = 1 << 16;

// The objects of one frame to be, all of one role. Reusable: clear() keeps the memory.
class FrameContent {
 public:
  explicit FrameContent(FrameRole role) : role_(role) {}
  // Aborts beyond the limits of a frame, which who asks full() never meets. An object has at most
  // 64 MiB of payload and 64 Ki refs; data has no refs.
  void add(const ObjectId& id, std::span<const ObjectId> refs, ByteView payload);
  bool empty() const { return ids_.empty(); }
  // Counts what a frame carries for each object beside its payload (its id, its length and its
  // refs), so that many tiny objects fill a frame, too, long before they reach its limits.
  bool full() const {
    return payload_.size() + ids_.size() * (ObjectId::kSize + sizeof(std::uint32_t)) +
               refs_.size() * ObjectId::kSize >=
           kTargetFramePlaintext;
  }
  std::size_t plaintext_bytes() const { return payload_.size(); }
  void clear();

 private:
  friend class FrameSealer;
  FrameRole role_;
  std::vector<ObjectId> ids_;
  std::vector<std::uint32_t> lengths_;
  std::vector<std::uint32_t> ref_counts_;
  std::vector<ObjectId> refs_;
  Bytes payload_;
};

// One worker's sealing of one run. Not thread-safe: one per thread, all of a run sharing its
// counter. `agent` and `counter` must outlive it.
class FrameSealer {
 public:
  FrameSealer(const RunKeys& run, const RepositoryId& repository, const crypto::SigningKey& agent,
              FrameCounter& counter, int compression_level);
  // `content` must not be empty; it is cleared. Takes the run's next number.
  SharedBytes seal(FrameContent& content);

 private:
  RunEnvelope envelope_;
  RepositoryId repository_;
  const crypto::SigningKey& agent_;
  AgentId agent_id_;
  FrameCounter& counter_;
  int level_;
  crypto::Aes256Gcm aead_;
  content::Compressor compressor_;
};

// Padmé (Nikitin et al., PETS 2019): rounds a size up so that it tells O(log log size) bits, at
// most 12 % and for a mebibyte about 3 % more.
std::size_t padded_size(std::size_t size);

}  // namespace holdfast::format
