#include "common/content/compression.h"

#include <fmt/format.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <new>

#include "common/base/endian.h"

namespace holdfast::content {
namespace {

struct ContextDeleter {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

Error corrupt(std::string_view why) {
  return Error(Code::kCorrupt, fmt::format("compressed bytes: {}", why));
}

}  // namespace

struct Compressor::State {
  std::unique_ptr<ZSTD_CCtx, ContextDeleter> context{ZSTD_createCCtx()};
};

Compressor::Compressor() : state_(std::make_unique<State>()) {
  if (state_->context == nullptr) throw std::bad_alloc();
}
Compressor::~Compressor() = default;
Compressor::Compressor(Compressor&&) noexcept = default;
Compressor& Compressor::operator=(Compressor&&) noexcept = default;

std::size_t Compressor::bound(std::size_t plaintext_size) {
  return ZSTD_compressBound(plaintext_size);
}

std::size_t Compressor::compress(ByteView plaintext, int level, MutableByteView out) {
  check(level >= ZSTD_minCLevel() && level <= ZSTD_maxCLevel(), "a zstd level that does not exist");
  check(out.size() >= bound(plaintext.size()), "compressed bytes into too small a place");
  ZSTD_CCtx* const context = state_->context.get();
  const std::size_t size =
      ZSTD_compressCCtx(context, out.data(), out.size(), plaintext.data(), plaintext.size(), level);
  // The context's tables are allocated when a level first needs them.
  if (ZSTD_getErrorCode(size) == ZSTD_error_memory_allocation) throw std::bad_alloc();
  check(ZSTD_isError(size) == 0, "zstd did not compress");
  return size;
}

struct Decompressor::State {
  std::unique_ptr<ZSTD_DCtx, ContextDeleter> context{ZSTD_createDCtx()};
};

Decompressor::Decompressor() : state_(std::make_unique<State>()) {
  if (state_->context == nullptr) throw std::bad_alloc();
}
Decompressor::~Decompressor() = default;
Decompressor::Decompressor(Decompressor&&) noexcept = default;
Decompressor& Decompressor::operator=(Decompressor&&) noexcept = default;

Status Decompressor::decompress(ByteView packed, MutableByteView out) {
  // zstd itself would also take skippable frames, frames of its old formats and several in a row.
  if (packed.size() < sizeof(std::uint32_t) ||
      load_le<std::uint32_t>(packed.data()) != ZSTD_MAGICNUMBER)
    return corrupt("not a zstd frame");
  if (ZSTD_findFrameCompressedSize(packed.data(), packed.size()) != packed.size())
    return corrupt("not exactly one zstd frame");
  // In one call zstd writes straight into `out` and needs no window, whatever the header asks for.
  const std::size_t size = ZSTD_decompressDCtx(state_->context.get(), out.data(), out.size(),
                                               packed.data(), packed.size());
  if (ZSTD_isError(size) != 0) return corrupt(ZSTD_getErrorName(size));
  if (size != out.size())
    return corrupt(fmt::format("{} bytes where {} were expected", size, out.size()));
  return {};
}

}  // namespace holdfast::content
