// What the average chunk size costs and saves: stores the versions of a series one after the other,
// as a repository would, once for each average, and prints what is left after deduplication and
// compression. Nothing is encrypted or written.
//
//   chunk_size VERSION...        each a directory or a file, the oldest first
//
// "stored" is the sum of all zstd frames (level 3, filled with new chunks until they hold 1 MiB)
// and of what else a chunk costs on disk: its id in the frame's header and in the list that names
// it (32 bytes each, not compressible) and its length. The speed is that of cutting and naming
// alone, on one core, from memory.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <filesystem>
#include <system_error>
#include <unordered_set>
#include <vector>

#include "common/content/chunker.h"
#include "common/content/compression.h"
#include "common/crypto/hash.h"

namespace holdfast::bench {
namespace {

constexpr std::size_t kFrameSize = 1 << 20;
constexpr std::size_t kWindow = 64 << 20;  // bytes of a file that are in memory at once, at least
constexpr int kLevel = 3;
constexpr std::uint64_t kCostOfAChunk = 32 + 32 + 4;

struct Totals {
  std::uint64_t bytes = 0;         // of all versions
  std::uint64_t references = 0;    // chunks of all versions
  std::uint64_t chunks = 0;        // different ones
  std::uint64_t unique_bytes = 0;  // of the different ones
  std::uint64_t packed_bytes = 0;  // their compressed frames
  double seconds = 0;              // cutting and naming

  std::uint64_t stored() const { return packed_bytes + chunks * kCostOfAChunk; }
};

// Of this thread: other work on the machine then matters less.
double cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

class Store {
 public:
  explicit Store(std::uint32_t average)
      : chunker_(content::Chunker::create(crypto::SecretKey(), {average}).value()),
        hmac_(crypto::SecretKey()) {}

  void add_file(const std::filesystem::path& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) throw std::system_error(errno, std::generic_category(), path.string());
    const std::size_t maximum = chunker_.parameters().maximum();
    window_.resize(std::max(kWindow, 4 * maximum));
    std::size_t filled = 0;
    for (bool ended = false; !ended;) {
      ended = fill(file, filled, path);
      ByteView left = ByteView(window_).first(filled);
      cut(left, ended ? 1 : maximum);
      std::memmove(window_.data(), left.data(), left.size());
      filled = left.size();
    }
    ::close(file);
  }

  // The frame that is begun would be filled by the next backup's objects: each version ends its
  // own.
  void end_version() { pack(); }

  const Totals& totals() const { return totals_; }

 private:
  struct Named {
    Sha256 id;
    ByteView bytes;
  };

  // Reads until the window is full; true at the end of the file.
  bool fill(int file, std::size_t& filled, const std::filesystem::path& path) {
    while (filled < window_.size()) {
      const ssize_t got = ::read(file, window_.data() + filled, window_.size() - filled);
      if (got < 0) throw std::system_error(errno, std::generic_category(), path.string());
      if (got == 0) return true;
      filled += static_cast<std::size_t>(got);
    }
    return false;
  }

  // Cuts while `left` has at least `least` bytes.
  void cut(ByteView& left, std::size_t least) {
    named_.clear();
    const double start = cpu_seconds();
    while (left.size() >= least) {
      const ByteView chunk = left.first(chunker_.first_chunk(left));
      named_.push_back({hmac_.mac({chunk}), chunk});
      left = left.subspan(chunk.size());
    }
    totals_.seconds += cpu_seconds() - start;
    for (const Named& chunk : named_) keep(chunk);
  }

  void keep(const Named& chunk) {
    totals_.bytes += chunk.bytes.size();
    ++totals_.references;
    if (!known_.insert(chunk.id).second) return;
    ++totals_.chunks;
    totals_.unique_bytes += chunk.bytes.size();
    if (!frame_.empty() && frame_.size() + chunk.bytes.size() > kFrameSize) pack();
    append(frame_, chunk.bytes);
    if (frame_.size() >= kFrameSize) pack();
  }

  void pack() {
    if (frame_.empty()) return;
    packed_.resize(content::Compressor::bound(frame_.size()));
    totals_.packed_bytes += compressor_.compress(frame_, kLevel, packed_);
    frame_.clear();
  }

  content::Chunker chunker_;
  crypto::HmacSha256 hmac_;
  content::Compressor compressor_;
  std::unordered_set<Sha256> known_;
  std::vector<Named> named_;
  Bytes window_, frame_, packed_;
  Totals totals_;
};

// The regular files of a version that are not empty, in the order of their paths.
std::vector<std::filesystem::path> files_of(const std::filesystem::path& version) {
  namespace fs = std::filesystem;
  if (!fs::is_directory(version)) return {version};
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(version))
    if (entry.is_regular_file() && !entry.is_symlink() && entry.file_size() != 0)
      files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

double mib(std::uint64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

void run(const std::vector<std::string>& versions) {
  fmt::print("{:>9} {:>10} {:>9} {:>9} {:>10} {:>10} {:>12} {:>9}\n", "average", "chunks", "mean",
             "MiB", "unique MiB", "stored MiB", "chunks/TB", "GB/s");
  for (std::uint32_t average = 16 << 10; average <= 2 << 20; average *= 2) {
    Store store(average);
    for (const std::string& version : versions) {
      for (const auto& file : files_of(version)) store.add_file(file);
      store.end_version();
    }
    const Totals& totals = store.totals();
    const double mean =
        static_cast<double>(totals.unique_bytes) / static_cast<double>(totals.chunks);
    fmt::print("{:>5} KiB {:>10} {:>5.0f} KiB {:>9.0f} {:>10.1f} {:>10.1f} {:>12.0f} {:>9.2f}\n",
               average >> 10, totals.chunks, mean / 1024, mib(totals.bytes),
               mib(totals.unique_bytes), mib(totals.stored()), 1e12 / mean,
               static_cast<double>(totals.bytes) / totals.seconds / 1e9);
    std::fflush(stdout);
  }
}

}  // namespace
}  // namespace holdfast::bench

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: chunk_size VERSION...   (directories or files, the oldest first)\n");
    return 2;
  }
  try {
    holdfast::bench::run({argv + 1, argv + argc});
  } catch (const std::exception& failure) {
    fmt::print(stderr, "chunk_size: {}\n", failure.what());
    return 1;
  }
}
