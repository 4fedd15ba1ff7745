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

// What every hash with `zeros` highest bits of zero is below.
std::uint64_t limit(int zeros) { return std::uint64_t{1} << (64 - zeros); }

// Steps until one ends a chunk (true) or `end` is reached. Unrolled, a byte a step is 35 % faster
// than as it stands, and 10 % faster than two bytes a step with one shift for both, as in the paper
// of 2020 (Zen 4, g++ 12).
bool scan(const std::array<std::uint64_t, 256>& gear, const Byte*& at, const Byte* end,
          std::uint64_t& hash, std::uint64_t below) {
  const Byte* next = at;
  std::uint64_t h = hash;
  bool found = false;
#pragma GCC unroll 8
  while (next != end && !found) {
    h = (h << 1) + gear[*next++];
    found = h < below;
  }
  at = next;
  hash = h;
  return found;
}

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
  strict_limit_ = limit(bits + kNormalization);
  loose_limit_ = limit(bits - kNormalization);
}

std::size_t Chunker::first_chunk(ByteView content) const {
  check(!content.empty(), "no content to cut");
  const std::size_t size = std::min<std::size_t>(content.size(), parameters_.maximum());
  const std::size_t minimum = parameters_.minimum();
  if (size <= minimum) return size;

  const Byte* const begin = content.data();
  const Byte* at = begin + minimum;
  std::uint64_t hash = 0;
  for (const Byte* warm = at - kWindow; warm != at; ++warm) hash = (hash << 1) + gear_[*warm];
  // The length just reached is judged before the next byte; the average itself already loosely.
  const Byte* const middle = begin + std::min<std::size_t>(size, parameters_.average - 1);
  if (hash >= strict_limit_ && !scan(gear_, at, middle, hash, strict_limit_))
    scan(gear_, at, begin + size, hash, loose_limit_);
  return static_cast<std::size_t>(at - begin);
}

}  // namespace holdfast::content
