// h = (h << 1) + gear[byte], so that h is a function of the last 64 bytes: a byte's part is shifted
// out after 64 steps. A chunk of length n may end where h of its last 64 bytes has only zeros in
// its highest bits: log2(average) + 2 of them while n < average, log2(average) - 2 from there on
// (normalized chunking). The shortest length that may end is minimum(); nothing before its last 64
// bytes is looked at, so boundaries depend on the bytes before them and not on where a chunk began.
#include "common/content/chunker.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "common/base/endian.h"
#include "common/crypto/hash.h"

namespace holdfast::content {
namespace {

constexpr std::uint32_t kSmallestAverage = 1 << 12;
constexpr std::uint32_t kLargestAverage = 1 << 24;
constexpr std::size_t kWindow = 64;
constexpr int kNormalization = 2;  // bits more and fewer; level 2 of the paper, its recommendation
constexpr std::string_view kGearLabel = "holdfast v1 chunker gear";

std::uint64_t highest_bits(int count) { return ~std::uint64_t{0} << (64 - count); }

}  // namespace

Result<Chunker> Chunker::create(const crypto::SecretKey& chunking_key,
                                ChunkingParameters parameters) {
  const std::uint32_t average = parameters.average;
  if (!std::has_single_bit(average) || average < kSmallestAverage || average > kLargestAverage)
    return Error(Code::kInvalidArgument,
                 fmt::format("an average chunk size of {} bytes: it must be a power of two from "
                             "4 KiB to 16 MiB",
                             average));
  std::array<std::uint64_t, 256> gear;
  std::array<Byte, sizeof gear> expanded;
  crypto::hkdf_sha256(chunking_key.view(), {}, as_bytes(kGearLabel), expanded);
  for (std::size_t i = 0; i < gear.size(); ++i)
    gear[i] = load_le<std::uint64_t>(expanded.data() + i * sizeof(std::uint64_t));
  crypto::wipe(expanded);
  return Chunker(gear, parameters);
}

Chunker::Chunker(const std::array<std::uint64_t, 256>& gear, ChunkingParameters parameters)
    : gear_(gear), parameters_(parameters) {
  const int bits = std::countr_zero(parameters.average);
  strict_mask_ = highest_bits(bits + kNormalization);
  loose_mask_ = highest_bits(bits - kNormalization);
}

std::size_t Chunker::first_chunk(ByteView content) const {
  check(!content.empty(), "no content to cut");
  const std::size_t end = std::min<std::size_t>(content.size(), parameters_.maximum());
  const std::size_t minimum = parameters_.minimum();
  if (end <= minimum) return end;

  const Byte* const bytes = content.data();
  std::uint64_t hash = 0;
  for (std::size_t i = minimum - kWindow; i < minimum; ++i) hash = (hash << 1) + gear_[bytes[i]];
  if ((hash & strict_mask_) == 0) return minimum;

  std::size_t length = minimum;
  const auto scan = [&](std::size_t until, std::uint64_t mask) {
    while (length < until) {
      hash = (hash << 1) + gear_[bytes[length++]];
      if ((hash & mask) == 0) return true;
    }
    return false;
  };
  // A chunk of exactly the average is judged loosely, hence the - 1.
  if (scan(std::min<std::size_t>(end, parameters_.average - 1), strict_mask_)) return length;
  scan(end, loose_mask_);
  return length;
}

}  // namespace holdfast::content
