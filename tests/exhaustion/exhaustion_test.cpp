// Memory that is not there, at every allocation there is: a store that is left in the middle of
// whatever it did is a process that ends. What it had acknowledged is durable, and the next process
// goes on.
#include <gtest/gtest.h>

#include "tests/exhaustion/failing_allocation.h"
#include "tests/simulation/sim_random.h"
#include "tests/simulation/store_under_crashes.h"
#include "tests/testing/seed.h"

namespace holdfast::testing {
namespace {

// A disk is not made of the process's memory, though the simulated one is: no allocation in it
// fails.
class SparedFiles final : public FileSystem {
 public:
  explicit SparedFiles(FileSystem& files) : files_(files) {}
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    const SparedAllocations spared;
    HOLDFAST_ASSIGN(auto file, files_.open(path, mode));
    return std::unique_ptr<File>(std::make_unique<SparedFile>(std::move(file)));
  }
  Status make_directory(const std::string& path) override {
    const SparedAllocations spared;
    return files_.make_directory(path);
  }
  Status rename(const std::string& from, const std::string& to) override {
    const SparedAllocations spared;
    return files_.rename(from, to);
  }
  Status rename_new(const std::string& from, const std::string& to) override {
    const SparedAllocations spared;
    return files_.rename_new(from, to);
  }
  Status remove(const std::string& path) override {
    const SparedAllocations spared;
    return files_.remove(path);
  }
  Status sync_directory(const std::string& path) override {
    const SparedAllocations spared;
    return files_.sync_directory(path);
  }
  Result<std::vector<DirectoryEntry>> list(const std::string& path) override {
    const SparedAllocations spared;
    return files_.list(path);
  }
  Result<bool> exists(const std::string& path) override {
    const SparedAllocations spared;
    return files_.exists(path);
  }
  Result<std::uint64_t> free_bytes(const std::string& path) override {
    const SparedAllocations spared;
    return files_.free_bytes(path);
  }
  std::string temporary_path(const std::string& path) override {
    const SparedAllocations spared;
    return files_.temporary_path(path);
  }
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override {
    const SparedAllocations spared;
    return files_.lock(path);
  }

 private:
  class SparedFile final : public File {
   public:
    explicit SparedFile(std::unique_ptr<File> file) : file_(std::move(file)) {}
    Result<std::size_t> read_at(std::uint64_t offset, MutableByteView out) override {
      const SparedAllocations spared;
      return file_->read_at(offset, out);
    }
    Status write_at(std::uint64_t offset, std::vector<ByteView> parts) override {
      const SparedAllocations spared;
      return file_->write_at(offset, std::move(parts));
    }
    Status sync_data() override {
      const SparedAllocations spared;
      return file_->sync_data();
    }
    Status forget_cached() override {
      const SparedAllocations spared;
      return file_->forget_cached();
    }
    Status truncate(std::uint64_t size) override {
      const SparedAllocations spared;
      return file_->truncate(size);
    }
    Result<std::uint64_t> size() override {
      const SparedAllocations spared;
      return file_->size();
    }
    void start_writeback(std::uint64_t, std::uint64_t) override {}

   private:
    std::unique_ptr<File> file_;
  };
  FileSystem& files_;
};

class StoreOutOfMemory final : public StoreUnderCrashes {
 public:
  explicit StoreOutOfMemory(const SealedSnapshots& snapshots)
      : StoreUnderCrashes(snapshots, {1200, 512, 0}) {}
  void work() override {
    create();
    open();
    const auto& all = snapshots().all();
    append_charter(1);
    put_all(all[0]);
    auto first = begin_sync();
    put(all[1].chunks);
    finish_sync(std::move(first));
    append_manifest(all[0]);
    sync();
    put(all[1].others);
    put(all[1].low);
    put(all[1].root);
    append_manifest(all[1]);
    sync();
    reindex();
    open();
  }

 protected:
  FileSystem& files() override { return spared_; }

 private:
  SparedFiles spared_{disk()};
};

TEST(Exhaustion, StorePromisesNothingInVain) {
  const SealedSnapshots snapshots(seed(), 3, 300);
  simulation::SimRandom random(seed());
  std::unique_ptr<StoreOutOfMemory> store = std::make_unique<StoreOutOfMemory>(snapshots);
  std::uint64_t promised = 0;
  const std::uint64_t allocations = fail_each_allocation(
      [&] { store->work(); },
      [&](std::uint64_t nth, bool thrown) {
        SCOPED_TRACE("allocation " + std::to_string(nth));
        EXPECT_TRUE(thrown) << "a failed allocation was taken for something else";
        promised += store->promised();
        store->disk().crash(simulation::CrashKeeps::kNothing, random);
        store->end_process();
        store->recover();
        if (!::testing::Test::HasFailure()) store->check();
        if (!::testing::Test::HasFailure()) store->go_on();
        store = std::make_unique<StoreOutOfMemory>(snapshots);
        return !::testing::Test::HasFailure();
      });
  std::printf("%llu allocations failed\n", static_cast<unsigned long long>(allocations));
  EXPECT_GT(allocations, 500U);
  EXPECT_GT(promised, 0U);
}

}  // namespace
}  // namespace holdfast::testing
