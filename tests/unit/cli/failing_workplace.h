// What tests of commands share that run on files of which some call fails.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <memory>
#include <string>

#include "cli/output.h"
#include "cli/workplace.h"
#include "tests/testing/observed_files.h"
#include "tests/unit/common/posix/temporary_folder.h"

namespace holdfast::cli {

// The call of this number fails, and if `for_good` all behind it; 0: none.
struct Fault {
  std::uint64_t call = 0;
  bool for_good = false;
};

// The machine's files, with something before each call.
class MachineFiles final : public testing::ObservedFiles {
 public:
  explicit MachineFiles(Before before) : ObservedFiles(machine_, std::move(before)) {}

 private:
  PosixFileSystem machine_;
};

// The environment is the process's: each test runs in one of its own.
class WorkplaceTest : public ::testing::Test {
 protected:
  WorkplaceTest() {
    ::setenv("HOLDFAST_CACHE_DIR", (folder_.path() + "/cache").c_str(), 1);
    ::setenv("HOLDFAST_PASSPHRASE", "of a test", 1);
    output_.verbosity = 0;
  }
  const std::string& folder() const { return folder_.path(); }
  static Error injected(std::string_view call, const std::string& path) {
    return {Code::kIo, fmt::format("{} {}: injected fault", call, path)};
  }
  std::unique_ptr<FileSystem> files_with(Fault fault) {
    calls_ = 0;
    return std::make_unique<MachineFiles>(
        [this, fault](std::string_view call, const std::string& path) -> Status {
          const std::uint64_t number = ++calls_;
          const bool fails =
              fault.call != 0 && (fault.for_good ? number >= fault.call : number == fault.call);
          if (!fails) return {};
          return injected(call, path);
        });
  }
  // Since files_with().
  std::uint64_t calls() const { return calls_; }

  TemporaryFolder folder_;
  Output output_{"holdfast"};

 private:
  std::atomic<std::uint64_t> calls_ = 0;
};

}  // namespace holdfast::cli
