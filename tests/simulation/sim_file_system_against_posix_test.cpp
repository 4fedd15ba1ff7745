// Whether the simulated file system is one: random calls are made on it and on the real one, in the
// system's temporary folder, and must give the same results, the same codes of failure, and in the
// end the same tree. What the test is run on (ext4, tmpfs...) is printed.
//
// Not compared: "..", and names that end in "/" or "/.", which nobody who uses the port writes; how
// much room there is; what a crash leaves.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <sys/vfs.h>

#include <array>

#include "common/posix/posix_file_system.h"
#include "tests/simulation/sim_file_system.h"
#include "tests/testing/seeded_random.h"
#include "tests/unit/common/posix/temporary_folder.h"

namespace holdfast {
namespace {

// Few names, so that calls meet; some lie below what may be a file, some cannot be.
const std::array<std::string, 15> kPaths{"a",   "b",      "c",       "d",     "d/a",
                                         "d/b", "d/e",    "d/e/a",   "d/e/b", "d/e/f",
                                         "a/b", "d//e/b", "d/./e/a", "no/b",  std::string(1, '\0')};

enum class Call {
  kOpen,
  kClose,
  kRead,
  kWrite,
  kTruncate,
  kSize,
  kSyncData,
  kMakeDirectory,
  kRename,
  kRenameNew,
  kRemove,
  kSyncDirectory,
  kList,
  kExists,
  kFreeBytes,
  kLock,
  kUnlock,
  kReadFile,
  kWriteFileAtomically,
  kMakeDirectories,
  kCount
};
constexpr std::array<std::string_view, static_cast<std::size_t>(Call::kCount)> kCallNames{
    "open",   "close",  "read",       "write",  "truncate",    "size",    "sync",
    "mkdir",  "rename", "rename new", "remove", "fsync",       "list",    "exists",
    "statfs", "lock",   "unlock",     "cat",    "write whole", "mkdir -p"};

struct Operation {
  std::size_t call = 0;
  std::size_t path = 0, other = 0;
  std::size_t slot = 0;
  std::uint64_t offset = 0, size = 0, content = 0;
};

std::ostream& operator<<(std::ostream& out, const Operation& operation) {
  return out << kCallNames.at(operation.call) << " '" << kPaths.at(operation.path) << "' '"
             << kPaths.at(operation.other) << "' slot " << operation.slot << " at "
             << operation.offset << " size " << operation.size;
}

constexpr std::size_t kSlots = 3;

// One of the two, and what is open on it.
class Machine {
 public:
  Machine(FileSystem& files, std::string root) : files_(files), root_(std::move(root)) {}

  // What came of it, in words that can be compared.
  std::string run(const Operation& operation) {
    const auto call = static_cast<Call>(operation.call);
    const std::string path = root_ + "/" + kPaths.at(operation.path);
    switch (call) {
      case Call::kOpen:
      case Call::kClose:
      case Call::kRead:
      case Call::kWrite:
      case Call::kTruncate:
      case Call::kSize:
      case Call::kSyncData:
        return run_on_file(call, operation, path);
      case Call::kMakeDirectory:
        return said(files_.make_directory(path));
      case Call::kRename:
        return said(files_.rename(path, root_ + "/" + kPaths.at(operation.other)));
      case Call::kRenameNew:
        return said(files_.rename_new(path, root_ + "/" + kPaths.at(operation.other)));
      case Call::kRemove:
        return said(files_.remove(path));
      case Call::kSyncDirectory:
        return said(files_.sync_directory(path));
      case Call::kList:
        return list(path);
      case Call::kExists: {
        const auto there = files_.exists(path);
        return there ? (*there ? "yes" : "no") : failure(there.error());
      }
      case Call::kFreeBytes: {
        const auto free = files_.free_bytes(path);
        return free ? "some" : failure(free.error());
      }
      case Call::kLock: {
        auto lock = files_.lock(path);
        if (!lock) return failure(lock.error());
        locks_.at(operation.slot) = std::move(*lock);
        return "locked";
      }
      case Call::kUnlock:
        locks_.at(operation.slot).reset();
        return "unlocked";
      case Call::kReadFile:
        return read(path);
      case Call::kWriteFileAtomically:
        return said(write_file_atomically(files_, path, bytes_of(operation)));
      case Call::kMakeDirectories:
        return said(make_directories(files_, path));
      case Call::kCount:
        break;
    }
    return {};
  }

  // Everything that there is, depth first.
  std::string tree(const std::string& folder = "") {
    std::string all;
    auto entries = files_.list(root_ + folder);
    if (!entries) return failure(entries.error());
    for (const DirectoryEntry& entry : *entries) {
      const std::string path = folder + "/" + entry.name;
      all += path + (entry.is_directory ? "/\n" + tree(path) : ": " + read(root_ + path) + "\n");
    }
    return all;
  }

 private:
  static std::string failure(const Error& error) { return std::string(name(error.code())); }
  static std::string said(const Status& status) {
    return status ? "done" : failure(status.error());
  }
  static Bytes bytes_of(const Operation& operation) {
    return testing::seeded_bytes(operation.content, static_cast<std::size_t>(operation.size));
  }

  std::string run_on_file(Call call, const Operation& operation, const std::string& path) {
    auto& file = files_open_.at(operation.slot);
    if (call == Call::kOpen) {
      auto opened = files_.open(path, static_cast<OpenMode>(operation.size % 3));
      if (!opened) return failure(opened.error());
      file = std::move(*opened);
      return "opened";
    }
    if (!file) return "nothing is open";
    switch (call) {
      case Call::kClose:
        file.reset();
        return "closed";
      case Call::kRead: {
        Bytes out(static_cast<std::size_t>(operation.size));
        const auto got = file->read_at(operation.offset, out);
        if (!got) return failure(got.error());
        return to_string(ByteView(out).first(*got));
      }
      case Call::kWrite: {
        const Bytes bytes = bytes_of(operation);
        const std::size_t half = bytes.size() / 2;
        return said(file->write_at(operation.offset,
                                   {ByteView(bytes).first(half), ByteView(bytes).subspan(half)}));
      }
      case Call::kTruncate:
        return said(file->truncate(operation.offset));
      case Call::kSize: {
        const auto size = file->size();
        return size ? std::to_string(*size) : failure(size.error());
      }
      default:
        return said(file->sync_data());
    }
  }
  std::string list(const std::string& path) {
    const auto entries = files_.list(path);
    if (!entries) return failure(entries.error());
    std::string all;
    for (const DirectoryEntry& entry : *entries)
      all += entry.name + (entry.is_directory ? "/ " : " ");
    return all;
  }
  std::string read(const std::string& path) {
    const auto content = read_file(files_, path, 1 << 20);
    return content ? to_string(*content) : failure(content.error());
  }

  FileSystem& files_;
  const std::string root_;
  std::array<std::unique_ptr<File>, kSlots> files_open_;
  std::array<std::unique_ptr<FileLock>, kSlots> locks_;
};

rc::Gen<Operation> operations() {
  // Mostly near the beginning; sometimes over a page's end, or where no file reaches.
  const auto offset = rc::gen::oneOf(
      rc::gen::inRange<std::uint64_t>(0, 300), rc::gen::inRange<std::uint64_t>(4090, 4100),
      rc::gen::element<std::uint64_t>(~std::uint64_t{0}, std::uint64_t{1} << 63));
  return rc::gen::build<Operation>(
      rc::gen::set(&Operation::call, rc::gen::inRange(std::size_t{0}, kCallNames.size())),
      rc::gen::set(&Operation::path, rc::gen::inRange(std::size_t{0}, kPaths.size())),
      rc::gen::set(&Operation::other, rc::gen::inRange(std::size_t{0}, kPaths.size())),
      rc::gen::set(&Operation::slot, rc::gen::inRange(std::size_t{0}, kSlots)),
      rc::gen::set(&Operation::offset, offset),
      rc::gen::set(&Operation::size, rc::gen::inRange<std::uint64_t>(0, 200)),
      rc::gen::set(&Operation::content, rc::gen::inRange<std::uint64_t>(0, 1000)));
}

std::string file_system_of(const std::string& path) {
  struct statfs status {};
  if (::statfs(path.c_str(), &status) != 0) return "unknown";
  switch (static_cast<std::uint32_t>(status.f_type)) {
    case 0xef53:
      return "ext2, ext3 or ext4";
    case 0x01021994:
      return "tmpfs";
    case 0x58465342:
      return "xfs";
    case 0x9123683e:
      return "btrfs";
    case 0x794c7630:
      return "overlayfs";
    default:
      return "type " + std::to_string(status.f_type);
  }
}

TEST(SimFileSystem, DoesWhatTheRealOneDoes) {
  const std::string kind = file_system_of(std::filesystem::temp_directory_path().string());
  std::printf("compared with %s\n", kind.c_str());
  RecordProperty("file_system", kind);
  std::uint64_t calls = 0;
  const bool holds =
      rc::check("calls on the simulated file system and on the real one come to the same", [&] {
        const auto all =
            *rc::gen::scale(4.0, rc::gen::container<std::vector<Operation>>(operations()));
        TemporaryFolder folder;
        PosixFileSystem real;
        simulation::SimFileSystem simulated;
        RC_ASSERT(make_directories(simulated, folder.path()).has_value());
        Machine one(real, folder.path()), two(simulated, folder.path());
        for (const Operation& operation : all) {
          const std::string expected = one.run(operation);
          const std::string got = two.run(operation);
          if (expected != got) RC_LOG() << operation << "\n";
          RC_ASSERT(got == expected);
          ++calls;
        }
        RC_ASSERT(two.tree() == one.tree());
      });
  EXPECT_TRUE(holds);
  EXPECT_GT(calls, 5'000U);
}

}  // namespace
}  // namespace holdfast
