#include "cli/passphrase_source.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/posix/posix_file_system.h"
#include "tests/testing/failing_system_call.h"
#include "tests/unit/common/posix/temporary_folder.h"

namespace holdfast::cli {
namespace {

using ::testing::HasSubstr;

// The environment is the process's: each test runs in one of its own.
class PassphraseSource : public ::testing::Test {
 protected:
  PassphraseSource() {
    ::unsetenv("HOLDFAST_PASSPHRASE");
    ::unsetenv("HOLDFAST_PASSPHRASE_FILE");
  }
  // "code: message" of an error.
  static std::string given(const PassphraseOptions& options) {
    Workplace work;
    const auto text = obtain_passphrase(work, options);
    if (text) return *text;
    return std::string(name(text.error().code())) + ": " + text.error().message();
  }
  static std::string of_command(const std::string& command) { return given({"", command}); }
  std::string file_with(const std::string& text) const {
    PosixFileSystem files;
    const std::string path = folder_.path() + "/file";
    EXPECT_TRUE(write_file_atomically(files, path, as_bytes(text)));
    return path;
  }
  TemporaryFolder folder_;
};

TEST_F(PassphraseSource, IsTheFirstLineOfAFile) {
  for (const char* text : {"secret", "secret\n", "secret\r\n", "secret\nmore\n"})
    EXPECT_EQ(given({file_with(text), ""}), "secret") << text;
  ::setenv("HOLDFAST_PASSPHRASE_FILE", file_with("of the file\n").c_str(), 1);
  EXPECT_EQ(given({}), "of the file");
  ::setenv("HOLDFAST_PASSPHRASE", "of the environment", 1);
  EXPECT_EQ(given({}), "of the environment") << "a passphrase comes before a file";
}

TEST_F(PassphraseSource, SaysWhatIsWrongWithAFile) {
  EXPECT_THAT(given({folder_.path() + "/absent", ""}), HasSubstr("passphrase file"));
  EXPECT_THAT(given({folder_.path(), ""}), HasSubstr("Is a directory"));
  EXPECT_THAT(given({file_with(std::string(100'000, 'x')), ""}),
              HasSubstr("longer than a passphrase"));
  for (const char* text : {"", "\n", "\nsecond line\n"})
    EXPECT_EQ(given({file_with(text), ""}), "wrong_passphrase: the passphrase is empty");
  ::setenv("HOLDFAST_PASSPHRASE_FILE", (folder_.path() + "/absent").c_str(), 1);
  EXPECT_THAT(given({}), HasSubstr("passphrase file"));
}

TEST_F(PassphraseSource, IsTheFirstLineThatACommandPrints) {
  EXPECT_EQ(of_command("printf 'secret\\nmore\\n'"), "secret");
  EXPECT_EQ(of_command("printf 'sec'; printf 'ret'"), "secret");
  EXPECT_EQ(of_command("echo secret; echo more; exec >&-; i=0; "
                       "while [ $i -lt 20000 ]; do i=$((i+1)); done"),
            "secret");
}

TEST_F(PassphraseSource, IsThereWhenTheCommandEndsThoughItLeftSomethingBehind) {
  const std::string fifo = folder_.path() + "/fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(of_command("echo secret; cat < " + fifo + " &"), "secret");
  const Descriptor end(::open(fifo.c_str(), O_WRONLY | O_CLOEXEC));  // and that ends
}

TEST_F(PassphraseSource, IsNotThatOfACommandThatFailed) {
  EXPECT_THAT(of_command("echo secret; exit 3"), HasSubstr("failed with exit code 3"));
  EXPECT_THAT(of_command("kill -9 $$"), HasSubstr("was ended by signal 9"));
  EXPECT_THAT(of_command("true"), HasSubstr("the passphrase is empty"));
  EXPECT_THAT(of_command("head -c 100000 /dev/zero"), HasSubstr("longer than a passphrase"));
}

// The command waited for somebody to read the rest of it, and holdfast for the command.
TEST_F(PassphraseSource, OfACommandThatPrintsMoreThanAPipeHoldsHung) {
  EXPECT_THAT(of_command("yes secret"), HasSubstr("prints more than a passphrase"));
  EXPECT_THAT(of_command("head -c 1000000 /dev/zero"), HasSubstr("longer than a passphrase"));
}

TEST_F(PassphraseSource, SaysThatACommandCannotBeRun) {
  for (const long call : {SYS_pipe2, SYS_pidfd_open}) {
    std::string text;
    if (!testing::with_failing_system_calls({call}, EMFILE,
                                            [&] { text = of_command("echo secret"); }))
      GTEST_SKIP() << "this kernel takes no filter";
    EXPECT_THAT(text, HasSubstr("Too many open files")) << call;
  }
}

}  // namespace
}  // namespace holdfast::cli
