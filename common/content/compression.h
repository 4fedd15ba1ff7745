// zstd with contexts that are kept (a fresh one costs more than a small frame).
#pragma once

#include <memory>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace holdfast::content {

// Not thread-safe: one per thread.
class Compressor {
 public:
  Compressor();
  ~Compressor();
  Compressor(Compressor&&) noexcept;
  Compressor& operator=(Compressor&&) noexcept;
  static std::size_t bound(std::size_t plaintext_size);  // most bytes that compress() writes
  // Compresses into `out` (at least bound() bytes) and returns how many bytes it wrote.
  std::size_t compress(ByteView plaintext, int level, MutableByteView out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Not thread-safe: one per thread.
class Decompressor {
 public:
  Decompressor();
  ~Decompressor();
  Decompressor(Decompressor&&) noexcept;
  Decompressor& operator=(Decompressor&&) noexcept;
  // `packed` is one zstd frame that must fill `out` exactly: kCorrupt otherwise, whatever its
  // header claims, and never more memory than zstd's fixed context.
  Status decompress(ByteView packed, MutableByteView out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::content
