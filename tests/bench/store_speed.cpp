// How fast a node's store is on this machine, with RocksDB and a real disk:
//
//   store_speed FOLDER [FRAMES] [OBJECTS_PER_FRAME]
//
// Frames of noise, 1 MiB each (1,024 and 16 unless told otherwise), are put and synced every 64 MiB
// on this thread; then ids are asked about, the store is opened again and verified. Sealing is not
// counted. FOLDER must not exist; it is left behind.
#include <fmt/format.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "common/posix/posix_file_system.h"
#include "repository/posix/rocksdb_index.h"
#include "repository/store/store.h"
#include "tests/testing/test_repository.h"

namespace holdfast::repository {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// Of this thread; on a machine with other work it says more than the time that passed.
double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

template <typename T>
T need(Result<T> result) {
  if (!result) {
    fmt::print(stderr, "{}\n", result.error().message());
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return std::move(result).value();
}

std::string memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return fmt::format("{} MiB at most", usage.ru_maxrss / 1024);
}

struct Bench {
  PosixFileSystem files;
  testing::TestRepository repository{1};
  std::string path;
  NodeId node;
  std::unique_ptr<RocksDbIndex> index;
  std::unique_ptr<Store> store;
  std::vector<ObjectId> ids;

  void open() {
    store.reset();
    index.reset();
    const auto begin = Clock::now();
    index = need(RocksDbIndex::open(path + "/index"));
    store = need(Store::open(files, path, *index, node));
    fmt::print("open: {:.1f} ms, {} records replayed\n", seconds_since(begin) * 1e3,
               store->recovery().records_replayed);
  }

  void put(std::size_t frames, std::size_t objects) {
    auto sealer = repository.sealer(1);
    double seconds = 0, syncing = 0, working = 0;
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < frames; ++i) {
      format::FrameContent content(format::FrameRole::kData);
      for (std::size_t j = 0; j < objects; ++j) {
        const ObjectId id = repository.random_id();
        content.add(id, {}, repository.random_bytes((1 << 20) / objects));
        ids.push_back(id);
      }
      const SharedBytes frame = sealer.seal(content);
      const auto begin = Clock::now();
      const double cpu = cpu_seconds();
      need(store->put_frame(need(format::parse_frame(frame))));
      working += cpu_seconds() - cpu;
      bytes += frame.size();
      if (i % 64 == 63 || i + 1 == frames) {
        const auto before_sync = Clock::now();
        need(store->sync());
        syncing += seconds_since(before_sync);
      }
      seconds += seconds_since(begin);
    }
    const double mebibytes = static_cast<double>(bytes) / (1 << 20);
    fmt::print("put_frame: {:.0f} MiB/s with syncs, {:.0f} without, {:.0f} by CPU time; {}\n",
               mebibytes / seconds, mebibytes / (seconds - syncing), mebibytes / working, memory());
  }

  void ask(bool known) {
    constexpr std::size_t kBatch = 1000, kRounds = 200;
    double seconds = 0, working = 0;
    for (std::size_t round = 0; round < kRounds; ++round) {
      std::vector<ObjectId> batch(kBatch);
      for (ObjectId& id : batch)
        id = known ? ids[repository.random.below(ids.size())] : repository.random_id();
      const auto begin = Clock::now();
      const double cpu = cpu_seconds();
      const auto answers = need(store->present(batch));
      working += cpu_seconds() - cpu;
      seconds += seconds_since(begin);
      for (const bool answer : answers) check(answer == known, "a wrong answer");
    }
    fmt::print("present, {} ids: {:.0f} ids/s, {:.0f} by CPU time\n", known ? "known" : "unknown",
               kBatch * kRounds / seconds, kBatch * kRounds / working);
  }

  void verify(VerifyDepth::Kind kind, const char* name) {
    const auto key = repository.agent.verify_key();
    const auto begin = Clock::now();
    const double cpu = cpu_seconds();
    std::uint64_t bytes = 0;
    double longest = 0;
    for (bool restart = true, done = false; !done; restart = false) {
      const double step_begin = cpu_seconds();
      const auto step = need(store->verify_step(
          {kind}, [&](const AgentId&) { return std::optional(key); }, restart));
      check(step.problems.empty(), "a problem in a new store");
      bytes += step.bytes;
      done = step.done;
      longest = std::max(longest, cpu_seconds() - step_begin);
    }
    const double mebibytes = static_cast<double>(bytes) / (1 << 20);
    fmt::print("verify, {}: {:.0f} MiB/s, {:.0f} by CPU time, longest step {:.1f} ms of it\n", name,
               mebibytes / seconds_since(begin), mebibytes / (cpu_seconds() - cpu), longest * 1e3);
  }
};

}  // namespace
}  // namespace holdfast::repository

int main(int argc, char** argv) {
  using namespace holdfast::repository;  // NOLINT(google-build-using-namespace): a program
  if (argc < 2) {
    fmt::print(stderr, "usage: store_speed FOLDER [FRAMES] [OBJECTS_PER_FRAME]\n");
    return 2;
  }
  Bench bench;
  bench.path = argv[1];
  need(Store::create(bench.files, bench.path, bench.node));
  bench.open();
  bench.put(argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 1024,
            argc > 3 ? std::strtoul(argv[3], nullptr, 10) : 16);
  for (const bool known : {false, true}) bench.ask(known);
  bench.open();
  for (const bool known : {false, true}) bench.ask(known);
  bench.verify(VerifyDepth::kStructure, "structure");
  bench.verify(VerifyDepth::kChecksum, "checksums");
  bench.verify(VerifyDepth::kSignature, "signatures");
  const auto begin = Clock::now();
  need(bench.store->reindex());
  fmt::print("reindex: {:.2f} s; {}\n", seconds_since(begin), memory());
  return 0;
}
