// What `holdfast ls` and `snapshots` show of everything that a folder can hold.
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <filesystem>
#include <map>

#include "tests/unit/cli/command_fixture.h"
#include "tests/unit/cli/redirected.h"

namespace holdfast::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class Listing : public CommandTest {
 protected:
  void SetUp() override {
    write_source("setuid", "");
    write_source("setuid x", "");
    write_source("folder/below", "below");
    write_source("folder.txt", "beside");
    write_source("not \xff text", "");
    set_mode("setuid", 04644);
    set_mode("setuid x", 06755);
    set_mode("folder", 01777);
    std::filesystem::create_symlink("to\xff", source() + "/link");
    ASSERT_EQ(::mkfifo(path_of("fifo").c_str(), 0600), 0);
    const Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_of("socket").copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    set_mode("socket", 0600);
    // Without a name; only the superuser can give files away.
    if (::geteuid() == 0) {
      ASSERT_EQ(::chown(path_of("folder.txt").c_str(), 4'242'424, 4'242'425), 0);
    }
    make_repository_with_a_snapshot();
  }
  void write_source(const std::string& name, const std::string& content) {
    PosixFileSystem files;
    ASSERT_TRUE(make_directories(files, parent_path(path_of(name))));
    ASSERT_TRUE(write_file_atomically(files, path_of(name), as_bytes(content)));
  }
  std::string path_of(const std::string& name) const { return source() + "/" + name; }
  void set_mode(const std::string& name, mode_t mode) {
    ASSERT_EQ(::chmod(path_of(name).c_str(), mode), 0) << name;
  }
  Command list(const std::string& below = {}, bool long_form = false) const {
    return [=](Session& session) {
      return list_entries(session, {"latest" + below, {}, long_form});
    };
  }
};

TEST_F(Listing, InItsLongFormIsAsOfLs) {
  const std::string text = run(list("", true)).printed;
  EXPECT_THAT(text,
              AllOf(HasSubstr("-rwSr--r-- "), HasSubstr("-rwsr-sr-x "), HasSubstr("drwxrwxrwt "),
                    HasSubstr("prw------- "), HasSubstr("srw------- "),
                    HasSubstr("/link -> to\\xff\n"), HasSubstr("/not \\xff text\n")));
  if (::geteuid() == 0) {
    EXPECT_THAT(text, HasSubstr(" 4242424  4242425 "));
  }
  EXPECT_THAT(run(list()).printed, AllOf(HasSubstr("/link\n"), Not(HasSubstr("->"))));
}

TEST_F(Listing, NamesEachTypeToPrograms) {
  std::map<std::string, Json> found;
  for (const Json& object : objects_of(list()))
    found[std::filesystem::path(object["path"].get<std::string>()).filename()] = object;
  EXPECT_EQ(found["setuid"]["type"], "file");
  EXPECT_EQ(found["setuid"]["mode"], 04644);
  EXPECT_EQ(found["folder"]["type"], "dir");
  EXPECT_EQ(found["fifo"]["type"], "fifo");
  EXPECT_EQ(found["socket"]["type"], "socket");
  EXPECT_EQ(found["link"]["type"], "symlink");
  EXPECT_EQ(found["link"]["linktarget"], "to\\xff");
  EXPECT_TRUE(found["link"].contains("linktarget_base64"));
  EXPECT_FALSE(found["setuid"].contains("linktarget"));
  EXPECT_FALSE(found["setuid"].contains("condition"));
}

TEST_F(Listing, OfAPathIsThatAndWhatIsBelow) {
  EXPECT_EQ(run(list(":" + path_of("folder"))).printed,
            path_of("folder") + "\n" + path_of("folder/below") + "\n");
  const Outcome none = run(list(":" + path_of("fold")));
  EXPECT_EQ(none.code, kFailed);
  EXPECT_THAT(none.said, HasSubstr("/fold is not in snapshot"));
  EXPECT_THAT(run([](Session& session) {
                return list_entries(session, {"0000", {}, false});
              }).said,
              HasSubstr("no snapshot's id begins with \"0000\""));
}

// The first that reads a pipe may have gone: the rest is of no use.
TEST_F(Listing, EndsWhereNobodyTakesItsOutput) {
  for (int number = 0; number < 200; ++number)
    write_source(fmt::format("{}{:03}", std::string(100, 'x'), number), "");
  ASSERT_EQ(run(backup_it()).code, kDone);
  const Descriptor full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  const Redirected here(stdout, full.get());
  ::testing::internal::CaptureStderr();
  Workplace work;
  Session session{work, output_, {repository_, {}}};
  EXPECT_EQ(run_command(session, list()), kFailed);
  EXPECT_FALSE(output_.is_open());
  ::testing::internal::GetCapturedStderr();
}

TEST_F(Listing, OfSnapshotsIsOfThoseThatTheFilterPasses) {
  BackupOptions options;
  options.source.paths = {source()};
  options.tags = {",b,,a", "a", ""};
  options.host = "elsewhere";
  ASSERT_EQ(run([&](Session& session) { return backup(session, options); }).code, kDone);
  const auto objects = [&](const FilterOptions& filter) {
    return objects_of([&](Session& session) { return list_snapshots(session, filter); });
  };
  EXPECT_EQ(objects({}).size(), 2U);
  ASSERT_EQ(objects({{"elsewhere"}, {}, {}}).size(), 1U);
  EXPECT_EQ(objects({{"elsewhere"}, {}, {}})[0]["tags"], (Json{"a", "b"}));
  EXPECT_EQ(objects({{}, {",a,,b,"}, {}}).size(), 1U);
  EXPECT_EQ(objects({{}, {"a,c"}, {}}).size(), 0U);
  const auto shown = [&](const FilterOptions& filter) {
    return run([&](Session& session) { return list_snapshots(session, filter); }).printed;
  };
  EXPECT_THAT(shown({}), HasSubstr("\n2 snapshots\n"));
  EXPECT_THAT(shown({{"elsewhere"}, {}, {}}),
              AllOf(HasSubstr("elsewhere  a, b  1/1"), HasSubstr("\n1 snapshot\n")));
}

}  // namespace
}  // namespace holdfast::cli
