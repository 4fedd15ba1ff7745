// `holdfast init` from its beginning to its end, while one call of the file system after the other
// fails: whatever it says, there is a repository that its passphrase opens, or none.
#include <gmock/gmock.h>

#include <optional>

#include "cli/commands.h"
#include "tests/unit/cli/failing_workplace.h"

namespace holdfast::cli {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

class Init : public WorkplaceTest {
 protected:
  // `path` does not exist.
  Result<int> init_at(const std::string& path, const std::vector<std::string>& nodes, Fault fault) {
    Workplace work(files_with(fault));
    Session session{work, output_, {path, {}}};
    InitOptions options;
    options.nodes = nodes;
    options.kdf_cost = "low";
    return init(session, options);
  }
  // The passphrase opens what is there.
  Status opens(const std::string& path) {
    Workplace work;
    HOLDFAST_ASSIGN(auto access, RepositoryAccess::open(work, output_, {path, {}}));
    HOLDFAST_TRY(access->secrets());
    return access->close();
  }
  // Calls 1, 2, ... fail until there is none. `least` is fewer than there are.
  void each_call(bool for_good, std::uint64_t least, const std::function<bool(Fault)>& run) {
    for (std::uint64_t call = 1;; ++call) {
      SCOPED_TRACE(fmt::format("call {} failed {}", call, for_good ? "for good" : "once"));
      const bool reached = run({call, for_good});
      if (HasFailure()) return;
      if (reached) continue;
      EXPECT_GT(call, least);
      return;
    }
  }
};

TEST_F(Init, OfAFolderLeavesARepositoryOrNoneWhicheverCallFails) {
  int rounds = 0;
  for (const bool for_good : {false, true}) {
    each_call(for_good, 40, [&](Fault fault) {
      const std::string path = folder() + "/" + std::to_string(++rounds);
      const auto done = init_at(path, {}, fault);
      const bool reached = calls() >= fault.call;
      const Status opened = opens(path);
      if (done) {
        EXPECT_TRUE(opened) << opened.error().message();
        return reached;
      }
      EXPECT_THAT(done.error().message(), HasSubstr("injected fault"));
      // Its folder may be left without a charter, which no command takes for a repository.
      if (!opened) {
        EXPECT_THAT(opened.error().code(), AnyOf(Code::kNoRepository, Code::kUnavailable))
            << opened.error().message();
      }
      return reached;
    });
  }
}

// The credential names nodes that all have the repository, or it is not there.
TEST_F(Init, OnTwoNodesLeavesACredentialThatOpensOrNoneWhicheverCallFails) {
  int rounds = 0;
  each_call(false, 80, [&](Fault fault) {
    const std::string here = folder() + "/" + std::to_string(++rounds);
    PosixFileSystem files;
    EXPECT_TRUE(files.make_directory(here));
    const std::string path = here + "/owner.credential";
    const std::vector<std::string> nodes = {here + "/a", here + "/b"};
    const auto done = init_at(path, nodes, fault);
    const bool reached = calls() >= fault.call;
    if (done) {
      const Status opened = opens(path);
      EXPECT_TRUE(opened) << opened.error().message();
      return reached;
    }
    EXPECT_THAT(done.error().message(), HasSubstr("injected fault"));
    if (const Status opened = opens(path); !opened) {
      EXPECT_EQ(opened.error().code(), Code::kNoRepository) << opened.error().message();
      EXPECT_FALSE(files.exists(path).value());
    }
    const std::string next = here + "/next.credential";
    const auto again = init_at(next, nodes, {});
    EXPECT_TRUE(again) << again.error().message();
    const Status opened = opens(next);
    EXPECT_TRUE(opened) << opened.error().message();
    return reached;
  });
}

}  // namespace
}  // namespace holdfast::cli
