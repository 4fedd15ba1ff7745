// What every byte pays for being cut, compressed and summed.
#include <benchmark/benchmark.h>

#include "common/content/checksum.h"
#include "common/content/chunker.h"
#include "common/content/compression.h"
#include "tests/testing/seeded_random.h"

namespace holdfast::content {
namespace {

using holdfast::testing::seeded_bytes;
using holdfast::testing::SeededRandom;

// Words of a skewed distribution: zstd halves it or better, about as it does source code.
Bytes text(std::size_t size) {
  SeededRandom random(1);
  std::vector<Bytes> words(4096);
  for (Bytes& word : words)
    for (std::uint64_t i = 2 + random.below(9); i > 0; --i)
      word.push_back(static_cast<Byte>('a' + random.below(26)));
  Bytes bytes;
  while (bytes.size() < size) {
    append(bytes, words[random.below(1 + random.below(words.size()))]);
    bytes.push_back(random.below(9) == 0 ? '\n' : ' ');
  }
  bytes.resize(size);
  return bytes;
}

void count_bytes(benchmark::State& state, std::size_t size) {
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(size));
}

void chunker(benchmark::State& state) {
  const Chunker chunker =
      Chunker::create(crypto::SecretKey(), {static_cast<std::uint32_t>(state.range(0))}).value();
  const Bytes content = seeded_bytes(2, 32 << 20);
  std::size_t chunks = 0;
  for (auto _ : state) {
    chunks = 0;
    for (ByteView left = content; !left.empty(); ++chunks)
      left = left.subspan(chunker.first_chunk(left));
  }
  count_bytes(state, content.size());
  state.counters["mean_chunk"] = static_cast<double>(content.size()) / static_cast<double>(chunks);
}
BENCHMARK(chunker)->RangeMultiplier(4)->Range(16 << 10, 1 << 20);

void zstd_compress(benchmark::State& state) {
  Compressor compressor;
  const Bytes plaintext = text(1 << 20);
  Bytes out(Compressor::bound(plaintext.size()));
  std::size_t size = 0;
  for (auto _ : state) size = compressor.compress(plaintext, static_cast<int>(state.range(0)), out);
  count_bytes(state, plaintext.size());
  state.counters["ratio"] = static_cast<double>(plaintext.size()) / static_cast<double>(size);
}
BENCHMARK(zstd_compress)->Arg(1)->Arg(3);

void zstd_compress_noise(benchmark::State& state) {
  Compressor compressor;
  const Bytes plaintext = seeded_bytes(3, 1 << 20);
  Bytes out(Compressor::bound(plaintext.size()));
  for (auto _ : state) benchmark::DoNotOptimize(compressor.compress(plaintext, 3, out));
  count_bytes(state, plaintext.size());
}
BENCHMARK(zstd_compress_noise);

// A small object alone in its frame, with the kept context and with a fresh one.
void zstd_compress_small(benchmark::State& state) {
  Compressor kept;
  const Bytes plaintext = text(4 << 10);
  Bytes out(Compressor::bound(plaintext.size()));
  for (auto _ : state) {
    if (state.range(0) != 0)
      benchmark::DoNotOptimize(Compressor().compress(plaintext, 3, out));
    else
      benchmark::DoNotOptimize(kept.compress(plaintext, 3, out));
  }
  count_bytes(state, plaintext.size());
}
BENCHMARK(zstd_compress_small)->ArgName("fresh")->Arg(0)->Arg(1);

void zstd_decompress(benchmark::State& state) {
  Decompressor decompressor;
  const Bytes plaintext = text(1 << 20);
  Bytes packed(Compressor::bound(plaintext.size())), out(plaintext.size());
  packed.resize(Compressor().compress(plaintext, 3, packed));
  for (auto _ : state)
    if (!decompressor.decompress(packed, out)) state.SkipWithError("refused");
  count_bytes(state, plaintext.size());
}
BENCHMARK(zstd_decompress);

void checksum_of(benchmark::State& state) {
  const Bytes bytes = seeded_bytes(4, static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(checksum(bytes));
  count_bytes(state, bytes.size());
}
BENCHMARK(checksum_of)->Arg(64)->Arg(64 << 10)->Arg(1 << 20);

void checksum_of_parts(benchmark::State& state) {
  const Bytes bytes = seeded_bytes(4, static_cast<std::size_t>(state.range(0)));
  const ByteView view(bytes);
  for (auto _ : state) benchmark::DoNotOptimize(checksum({view.first(32), view.subspan(32)}));
  count_bytes(state, bytes.size());
}
BENCHMARK(checksum_of_parts)->Arg(64)->Arg(64 << 10);

}  // namespace
}  // namespace holdfast::content
