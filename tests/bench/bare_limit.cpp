// The bare limit of a first backup: list, read, hash, compress in solid blocks of a mebibyte and
// seal a tree on all cores, and store nothing. What a backup costs above this is its own doing.
//
//   bare_limit TREE [ZSTD_LEVEL]
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "common/content/compression.h"
#include "common/crypto/aead.h"
#include "common/crypto/hash.h"

namespace holdfast {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBlock = 1 << 20;
constexpr std::size_t kFilesPerTurn = 64;

struct Totals {
  std::atomic<std::uint64_t> read{0}, sealed{0};
};

class Worker {
 public:
  Worker(int level, Totals& totals)
      : level_(level),
        totals_(totals),
        aead_(crypto::SecretKey()),
        plain_(2 * kBlock),
        sealed_(content::Compressor::bound(2 * kBlock) + crypto::kTagSize) {}

  void take(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return;
    for (;;) {
      if (filled_ >= kBlock) flush();
      const ssize_t got = ::read(fd, plain_.data() + filled_, kBlock);
      if (got <= 0) break;
      const auto size = static_cast<std::size_t>(got);
      (void)crypto::sha256(plain_.view().subspan(filled_, size));
      filled_ += size;
    }
    ::close(fd);
  }
  void flush() {
    if (filled_ == 0) return;
    const std::size_t packed =
        compressor_.compress(plain_.view().first(filled_), level_, sealed_.mutable_view());
    aead_.seal(++nonce_, {}, sealed_.view().first(packed),
               sealed_.mutable_view().first(packed + crypto::kTagSize));
    totals_.read += filled_;
    totals_.sealed += packed;
    filled_ = 0;
  }

 private:
  const int level_;
  Totals& totals_;
  content::Compressor compressor_;
  crypto::Aes256Gcm aead_;
  Buffer plain_, sealed_;
  std::size_t filled_ = 0;
  std::uint64_t nonce_ = 0;
};

int run(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: bare_limit TREE [ZSTD_LEVEL]\n");
    return 2;
  }
  const int level = argc > 2 ? std::atoi(argv[2]) : 3;
  const auto start = std::chrono::steady_clock::now();
  std::vector<std::string> files;
  if (fs::is_regular_file(argv[1]))
    files.emplace_back(argv[1]);
  else
    for (const auto& entry :
         fs::recursive_directory_iterator(argv[1], fs::directory_options::skip_permission_denied))
      if (entry.is_regular_file() && !entry.is_symlink()) files.push_back(entry.path());
  Totals totals;
  std::atomic<std::size_t> next{0};
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < std::thread::hardware_concurrency(); ++i)
    threads.emplace_back([&] {
      Worker worker(level, totals);
      for (std::size_t first; (first = next.fetch_add(kFilesPerTurn)) < files.size();)
        for (std::size_t f = first; f < std::min(first + kFilesPerTurn, files.size()); ++f)
          worker.take(files[f]);
      worker.flush();
    });
  for (auto& thread : threads) thread.join();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  std::printf("%zu files, %.0f MB read, %.0f MB sealed, %.2f s, level %d\n", files.size(),
              static_cast<double>(totals.read) / 1e6, static_cast<double>(totals.sealed) / 1e6,
              seconds.count(), level);
  return 0;
}

}  // namespace
}  // namespace holdfast

int main(int argc, char** argv) { return holdfast::run(argc, argv); }
