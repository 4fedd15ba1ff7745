#include "common/posix/posix_file_system.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/posix/descriptor.h"
#include "common/posix/system_call.h"
#include "tests/conformance/file_names_conformance.h"
#include "tests/conformance/file_system_conformance.h"
#include "tests/testing/failing_system_call.h"
#include "tests/unit/common/posix/temporary_folder.h"

namespace holdfast {
namespace {

struct PosixFileSystemFixture {
  FileSystem& files() { return files_; }
  std::string root() { return folder_.path(); }
  PosixFileSystem files_;
  TemporaryFolder folder_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Posix, FileSystemConformance, PosixFileSystemFixture);
INSTANTIATE_TYPED_TEST_SUITE_P(Posix, FileNamesConformance, PosixFileSystemFixture);

class PosixFileSystemTest : public ::testing::Test {
 protected:
  std::string path(const std::string& name) { return folder_.path() + "/" + name; }
  TemporaryFolder folder_;
  PosixFileSystem files_;
};

TEST_F(PosixFileSystemTest, NewFilesAndFoldersBelongToTheUserAlone) {
  const mode_t before = ::umask(0);
  EXPECT_TRUE(files_.open(path("f"), OpenMode::kCreateNew));
  EXPECT_TRUE(files_.make_directory(path("d")));
  ::umask(before);
  struct stat status {};
  ASSERT_EQ(::stat(path("f").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
  ASSERT_EQ(::stat(path("d").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0700u);
}

TEST_F(PosixFileSystemTest, SymbolicLinksAreReadThroughButNeverWrittenThrough) {
  ASSERT_TRUE(write_file_atomically(files_, path("target"), as_bytes("abc")));
  ASSERT_EQ(::symlink("target", path("link").c_str()), 0);
  EXPECT_EQ(to_string(read_file(files_, path("link"), 10).value()), "abc");
  EXPECT_EQ(code_of(files_.open(path("link"), OpenMode::kReadWrite)), Code::kInvalidArgument);
  EXPECT_EQ(code_of(files_.open(path("link"), OpenMode::kCreateNew)), Code::kAlreadyExists);
  EXPECT_EQ(code_of(files_.lock(path("link"))), Code::kInvalidArgument);
  ASSERT_EQ(::symlink("nowhere", path("dangling").c_str()), 0);
  EXPECT_TRUE(files_.exists(path("dangling")).value());
  EXPECT_EQ(code_of(files_.lock(path("dangling"))), Code::kInvalidArgument);
}

TEST_F(PosixFileSystemTest, AFifoIsRefusedWithoutWaitingForItsOtherEnd) {
  ASSERT_EQ(::mkfifo(path("fifo").c_str(), 0600), 0);
  EXPECT_EQ(code_of(files_.open(path("fifo"), OpenMode::kRead)), Code::kInvalidArgument);
}

// A read that may not wait for the device tells what is in the page cache.
TEST_F(PosixFileSystemTest, WhatIsForgottenIsReadFromTheDevice) {
  TemporaryFolder on_a_disk("/var/tmp");
  const std::string path = on_a_disk.path() + "/f";
  auto file = files_.open(path, OpenMode::kCreateNew);
  ASSERT_TRUE(file) << file.error().message();
  const Bytes content(1 << 20, Byte{7});
  ASSERT_TRUE((*file)->write_at(0, {content}));
  ASSERT_TRUE((*file)->sync_data());
  const Descriptor look(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  Bytes out(4096);
  const iovec vector{out.data(), out.size()};
  const auto is_cached = [&] { return ::preadv2(look.get(), &vector, 1, 0, RWF_NOWAIT) > 0; };
  struct statfs kind {};
  ASSERT_EQ(::fstatfs(look.get(), &kind), 0);
  if (kind.f_type == TMPFS_MAGIC) GTEST_SKIP() << "/var/tmp has no device behind its memory";
  ASSERT_TRUE(is_cached());
  ASSERT_TRUE((*file)->forget_cached());
  EXPECT_FALSE(is_cached());
  EXPECT_EQ((*file)->read_at(0, out).value(), out.size());
  EXPECT_EQ(out, Bytes(4096, Byte{7}));
  EXPECT_TRUE(is_cached());
}

TEST_F(PosixFileSystemTest, DescriptorsAreClosedOnExec) {
  auto file = files_.open(path("f"), OpenMode::kCreateNew);
  ASSERT_TRUE(file);
  auto lock = files_.lock(path("lock"));
  ASSERT_TRUE(lock);
  int seen = 0;
  for (int fd = 3; fd < 256; ++fd) {
    char target[4096];
    const std::string name = "/proc/self/fd/" + std::to_string(fd);
    const ssize_t length = ::readlink(name.c_str(), target, sizeof target);
    if (length <= 0) continue;
    if (std::string_view(target, static_cast<std::size_t>(length)).starts_with(folder_.path())) {
      ++seen;
      EXPECT_TRUE(::fcntl(fd, F_GETFD) & FD_CLOEXEC) << name;
    }
  }
  EXPECT_EQ(seen, 2);
}

TEST_F(PosixFileSystemTest, ErrorsNameTheCallTheFileAndTheReason) {
  const auto missing = files_.open(path("f"), OpenMode::kRead);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message(), "open " + path("f") + ": No such file or directory");
}

TEST_F(PosixFileSystemTest, NothingIsBeyondTheLargestOffset) {
  auto file = files_.open(path("f"), OpenMode::kCreateNew);
  ASSERT_TRUE(file);
  Bytes block(10);
  for (const std::uint64_t offset : {std::uint64_t{1} << 63, (std::uint64_t{1} << 63) - 5}) {
    EXPECT_EQ((*file)->read_at(offset, block).error().code(), Code::kInvalidArgument);
    EXPECT_EQ((*file)->write_at(offset, {block}).error().code(), Code::kInvalidArgument);
    (*file)->start_writeback(offset, block.size());  // a hint, which cannot fail
  }
  (*file)->start_writeback(0, 0);
  EXPECT_EQ((*file)->size().value(), 0U);
}

TEST(SystemCall, IsMadeAgainAsLongAsASignalInterruptsIt) {
  int calls = 0;
  EXPECT_EQ(retry_interrupted([&] {
              errno = EINTR;
              return ++calls < 3 ? -1 : 7;
            }),
            7);
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(retry_interrupted([&] {
              errno = EIO;
              return ++calls < 5 ? -1 : 7;
            }),
            -1);
  EXPECT_EQ(calls, 4);
}

TEST_F(PosixFileSystemTest, AWriteThatStopsHalfwayIsAnError) {
  // A regular file that takes only the first bytes of a write: the size limit of this process.
  auto file = files_.open(path("f"), OpenMode::kCreateNew);
  ASSERT_TRUE(file);
  const auto handler = ::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit limit{1000, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  const Bytes block(600, Byte{7});
  // The first call writes 1000 of 1200 bytes; the rest must become an error, not be forgotten.
  const Status written = (*file)->write_at(0, {block, block});
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  ::signal(SIGXFSZ, handler);
  ASSERT_FALSE(written);
  EXPECT_TRUE(written.error().message().starts_with("write ")) << written.error().message();
  EXPECT_EQ((*file)->size().value(), 1000u);
}

TEST_F(PosixFileSystemTest, ALockEndsWithTheProcessThatHeldIt) {
  int ready[2], end[2];
  ASSERT_EQ(::pipe(ready), 0);
  ASSERT_EQ(::pipe(end), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::close(end[1]);
    auto held = files_.lock(path("lock"));
    [[maybe_unused]] const ssize_t told = ::write(ready[1], held ? "1" : "0", 1);
    char byte;
    [[maybe_unused]] const ssize_t woken = ::read(end[0], &byte, 1);
    ::_exit(0);  // without releasing it
  }
  char locked = 0;
  ASSERT_EQ(::read(ready[0], &locked, 1), 1);
  EXPECT_EQ(locked, '1');
  EXPECT_EQ(code_of(files_.lock(path("lock"))), Code::kConflict);
  ::close(end[1]);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(files_.lock(path("lock")));
  for (const int fd : {ready[0], ready[1], end[0]}) ::close(fd);
}

// By which the C library links and unlinks depends on the machine.
const std::vector<long> kLinking = {
#ifdef SYS_link
    SYS_link,
#endif
    SYS_linkat};
const std::vector<long> kUnlinking = {
#ifdef SYS_unlink
    SYS_unlink,
#endif
    SYS_unlinkat};

// Calls that do not fail on any file that a test can make.
class PosixFileSystemErrors : public PosixFileSystemTest {
 protected:
  void SetUp() override {
    auto opened = files_.open(path("f"), OpenMode::kCreateNew);
    ASSERT_TRUE(opened);
    file_ = std::move(*opened);
    ASSERT_TRUE(file_->write_at(0, {as_bytes("abc")}));
  }
  // What `work` answers where the kernel refuses the system call `number`.
  template <typename Work>
  Error refused(const std::vector<long>& numbers, int error, Work work) {
    Error met(Code::kUnavailable, "it did not fail");
    const bool ran = testing::with_failing_system_calls(numbers, error, [&] {
      auto outcome = work();
      if (!outcome) met = std::move(outcome).error();
    });
    return ran ? met : Error(Code::kUnavailable, "seccomp(2) takes no filter here");
  }
  template <typename Work>
  void expect_told(const std::vector<long>& numbers, const std::string& call, Work work) {
    const Error met = refused(numbers, EIO, work);
    EXPECT_EQ(met.code(), Code::kIo);
    EXPECT_EQ(met.message(), call + ": Input/output error");
  }
  std::unique_ptr<File> file_;
};

TEST_F(PosixFileSystemErrors, OfAnOpenFileNameTheCallAndTheFile) {
  Bytes out(3);
  const std::string name = path("f");
  expect_told({SYS_pread64}, "read " + name, [&] { return file_->read_at(0, out); });
  expect_told({SYS_pwritev}, "write " + name, [&] { return file_->write_at(0, {out}); });
  expect_told({SYS_fdatasync}, "fdatasync " + name, [&] { return file_->sync_data(); });
  expect_told({SYS_fadvise64}, "fadvise " + name, [&] { return file_->forget_cached(); });
  expect_told({SYS_ftruncate}, "truncate " + name, [&] { return file_->truncate(1); });
  expect_told({SYS_fstat, SYS_newfstatat}, "stat " + name, [&] { return file_->size(); });
}

TEST_F(PosixFileSystemErrors, OfAFolderNameTheCallAndTheFolder) {
  const std::string name = folder_.path();
  expect_told({SYS_fsync}, "fsync " + name, [&] { return files_.sync_directory(name); });
  expect_told({SYS_getdents64}, "readdir " + name, [&] { return files_.list(name); });
  expect_told({SYS_statfs}, "statvfs " + name, [&] { return files_.free_bytes(name); });
  expect_told({SYS_flock}, "flock " + path("f"), [&] { return files_.lock(path("f")); });
  expect_told({SYS_fstat, SYS_newfstatat}, "stat " + path("f"),
              [&] { return files_.open(path("f"), OpenMode::kRead); });
  expect_told({SYS_newfstatat}, "stat " + path("f"), [&] { return files_.exists(path("f")); });
}

// A removed folder says ENOTDIR only behind EISDIR or EPERM, as a file does that may not be
// removed.
TEST_F(PosixFileSystemErrors, OfARemovalAreThoseOfTheFile) {
  const auto remove = [&] { return files_.remove(path("f")); };
  expect_told(kUnlinking, "unlink " + path("f"), remove);
  const Error protected_file = refused(kUnlinking, EPERM, remove);
  EXPECT_EQ(protected_file.message(), "unlink " + path("f") + ": Operation not permitted");
}

// NFS, for one, has no renameat2() that leaves alone what is there.
TEST_F(PosixFileSystemErrors, WithoutAKernelThatRenamesToFreeNamesALinkDoes) {
  for (const int error : {EINVAL, ENOSYS}) {
    ASSERT_TRUE(testing::with_failing_system_calls({SYS_renameat2}, error, [&] {
      EXPECT_TRUE(files_.rename_new(path("f"), path("g")));
      EXPECT_FALSE(files_.exists(path("f")).value());
      EXPECT_EQ(to_string(read_file(files_, path("g"), 10).value()), "abc");
      ASSERT_TRUE(write_file_atomically(files_, path("f"), as_bytes("other")));
      EXPECT_EQ(code_of(files_.rename_new(path("f"), path("g"))), Code::kAlreadyExists);
      EXPECT_EQ(to_string(read_file(files_, path("f"), 10).value()), "other");
      EXPECT_EQ(to_string(read_file(files_, path("g"), 10).value()), "abc");
      EXPECT_EQ(code_of(files_.rename_new(path("no"), path("h"))), Code::kNotFound);
      ASSERT_TRUE(files_.remove(path("f")));
      ASSERT_TRUE(files_.rename(path("g"), path("f")));
    }));
  }
}

TEST_F(PosixFileSystemErrors, WithoutLinksEitherARenameToAFreeNameSaysWhatTheKernelSaidFirst) {
  const auto rename = [&] { return files_.rename_new(path("f"), path("g")); };
  ASSERT_TRUE(testing::with_failing_system_calls({SYS_renameat2}, EINVAL, [&] {
    const Error met = refused(kLinking, EPERM, rename);
    EXPECT_EQ(met.message(), "rename " + path("f") + " to " + path("g") + ": Invalid argument");
    // Both names are left, and neither is lost.
    const Error half_done = refused(kUnlinking, EIO, rename);
    EXPECT_EQ(half_done.message(), "unlink " + path("f") + ": Input/output error");
    EXPECT_TRUE(files_.exists(path("f")).value() && files_.exists(path("g")).value());
  }));
}

}  // namespace
}  // namespace holdfast
