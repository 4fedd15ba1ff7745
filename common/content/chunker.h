// Content-defined chunking: keyed FastCDC with normalized chunking (Xia et al., USENIX ATC 2016 and
// TPDS 2020). The gear table is derived from the repository's chunking key, so that boundaries tell
// nothing to who does not hold it; lengths are hidden by the frames besides.
#pragma once

#include <array>

#include "common/base/result.h"
#include "common/crypto/secret.h"

namespace holdfast::content {

struct ChunkingParameters {
  // Bytes; a power of two from 4 KiB to 16 MiB. The default: docs/decisions/0001-chunk-size.md.
  std::uint32_t average = 1 << 16;
  std::uint32_t minimum() const { return average / 4; }
  std::uint32_t maximum() const { return average * 4; }
};

// Immutable once made; thread-safe.
class Chunker {
 public:
  // kInvalidArgument for an average outside its range.
  static Result<Chunker> create(const crypto::SecretKey& chunking_key,
                                ChunkingParameters parameters);

  // The length of the first chunk of `content`: from minimum() to maximum(), less only when the
  // content ends there. `content` holds at least maximum() bytes unless the file ends with it.
  // content must not be empty.
  std::size_t first_chunk(ByteView content) const;

  const ChunkingParameters& parameters() const { return parameters_; }

 private:
  Chunker(const std::array<std::uint64_t, 256>& gear, ChunkingParameters parameters);
  std::array<std::uint64_t, 256> gear_;
  ChunkingParameters parameters_;
  // A hash below its limit ends a chunk: the same as highest bits that are all zero.
  std::uint64_t strict_limit_, loose_limit_;
};

}  // namespace holdfast::content
