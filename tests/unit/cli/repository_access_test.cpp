#include "cli/repository_access.h"

#include <gmock/gmock.h>

#include "cli/commands.h"
#include "tests/unit/cli/failing_workplace.h"

namespace holdfast::cli {
namespace {

using ::testing::HasSubstr;

// What is kept here of the newest charter, while others change it elsewhere.
class LocalCharter : public WorkplaceTest {
 protected:
  void SetUp() override {
    use_cache("here");
    Workplace work;
    Session session{work, output_, {repository(), {}}};
    InitOptions options;
    options.kdf_cost = "low";
    const auto made = init(session, options);
    ASSERT_TRUE(made) << made.error().message();
    ASSERT_TRUE(learn_charter());
  }
  std::string repository() const { return folder() + "/repository"; }
  void use_cache(const std::string& name) {
    cache_ = folder() + "/" + name;
    ::setenv("HOLDFAST_CACHE_DIR", cache_.c_str(), 1);
  }
  Result<int> add_agent_on(std::unique_ptr<FileSystem> files, const std::string& name) {
    Workplace work(std::move(files));
    Session session{work, output_, {repository(), {}}};
    return add_agent(session, {name, credential_of(name)});
  }
  std::string credential_of(const std::string& name) const { return folder() + "/" + name; }
  void add_agent_elsewhere(const std::string& name) {
    use_cache("elsewhere");
    const auto added = add_agent_on(std::make_unique<PosixFileSystem>(), name);
    ASSERT_TRUE(added) << added.error().message();
    use_cache("here");
  }
  Result<std::uint64_t> learn_charter(
      std::unique_ptr<FileSystem> files = std::make_unique<PosixFileSystem>()) {
    Workplace work(std::move(files));
    HOLDFAST_ASSIGN(auto access, RepositoryAccess::open(work, output_, {repository(), {}}));
    HOLDFAST_ASSIGN(const format::SignedCharter* charter, access->charter());
    const std::uint64_t version = charter->charter.version;
    HOLDFAST_TRY(access->close());
    return version;
  }
  std::string local_path() {
    PosixFileSystem files;
    const auto names = files.list(cache_);
    EXPECT_TRUE(names && names->size() == 1);
    return cache_ + "/" + names->front().name + "/charter";
  }
  std::string local_copy() {
    PosixFileSystem files;
    const auto bytes = read_file(files, local_path(), 1 << 20);
    return bytes ? to_string(*bytes) : bytes.error().message();
  }
  // Files of which `call` fails on the local copy, or what will become it.
  std::unique_ptr<FileSystem> failing_on_local_copy(std::string_view failing) {
    return std::make_unique<MachineFiles>(
        [failing, local = local_path()](std::string_view call, const std::string& path) -> Status {
          if (call == failing && path == local) return injected(call, path);
          return {};
        });
  }

 private:
  std::string cache_;
};

TEST_F(LocalCharter, IsReplacedByANewerOne) {
  const std::string before = local_copy();
  add_agent_elsewhere("another");
  EXPECT_EQ(learn_charter().value(), 2u);
  EXPECT_NE(local_copy(), before);
}

TEST_F(LocalCharter, ThatCannotBeReadIsLeftAsItIs) {
  const std::string before = local_copy();
  add_agent_elsewhere("another");
  EXPECT_EQ(learn_charter(failing_on_local_copy("read_at")).value(), 2u);
  EXPECT_EQ(local_copy(), before) << "it may have been newer than what the nodes have";
}

TEST_F(LocalCharter, ThatIsDamagedIsReplaced) {
  const std::string before = local_copy();
  PosixFileSystem files;
  ASSERT_TRUE(write_file_atomically(files, local_path(), as_bytes("damaged")));
  EXPECT_EQ(learn_charter().value(), 1u);
  EXPECT_EQ(local_copy(), before);
}

// The nodes that answer may have been rolled back behind what could not be read.
TEST_F(LocalCharter, ThatCouldNotBeReadWasWrittenOverByAChange) {
  const std::string before = local_copy();
  const auto added = add_agent_on(failing_on_local_copy("read_at"), "another");
  ASSERT_TRUE(added) << added.error().message();
  EXPECT_EQ(local_copy(), before);
}

// The nodes had taken the agent, and its keys were gone.
TEST_F(LocalCharter, ThatCouldNotBeWrittenTookTheCredentialOfANewAgentWithIt) {
  const std::string before = local_copy();
  const auto added = add_agent_on(failing_on_local_copy("rename"), "another");
  EXPECT_TRUE(added) << added.error().message();
  EXPECT_TRUE(PosixFileSystem().exists(credential_of("another")).value());
  EXPECT_EQ(local_copy(), before);
  EXPECT_EQ(learn_charter().value(), 2u);
}

}  // namespace
}  // namespace holdfast::cli
