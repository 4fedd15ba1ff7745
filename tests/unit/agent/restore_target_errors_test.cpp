// A restore in which one call of its target after the other fails, once or for good. What failed is
// among the problems, by its path; everything else is there and whole; nothing half-written stays.
#include <gmock/gmock.h>

#include "agent/catalog_fetch.h"
#include "agent/restore_session.h"
#include "tests/unit/agent/made_snapshot.h"
#include "tests/unit/agent/memory_target.h"

namespace holdfast::agent {
namespace {

using holdfast::testing::MadeObject;
using holdfast::testing::MadeSnapshot;
using holdfast::testing::MemoryTarget;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A target whose `nth` call fails, and if `for_good` all behind it.
class FailingTarget final : public RestoreTarget {
 public:
  FailingTarget(RestoreTarget& target, std::uint64_t nth, Code code, bool for_good)
      : target_(target), nth_(nth), code_(code), for_good_(for_good) {}
  bool reached() const { return calls_ >= nth_; }

  Status make_directory(const std::string& path) override {
    HOLDFAST_TRY(begin(path));
    return target_.make_directory(path);
  }
  Result<std::unique_ptr<FileWriter>> create_file(const std::string& path,
                                                  const Entry& entry) override {
    HOLDFAST_TRY(begin(path));
    HOLDFAST_ASSIGN(auto writer, target_.create_file(path, entry));
    return std::unique_ptr<FileWriter>(
        std::make_unique<FailingWriter>(*this, std::move(writer), path));
  }
  Status write_file(const std::string& path, const Entry& entry, ByteView content) override {
    HOLDFAST_TRY(begin(path));
    return target_.write_file(path, entry, content);
  }
  Status make_symlink(const std::string& path, const Entry& entry) override {
    HOLDFAST_TRY(begin(path));
    return target_.make_symlink(path, entry);
  }
  Status make_hard_link(const std::string& path, const std::string& existing) override {
    HOLDFAST_TRY(begin(path));
    return target_.make_hard_link(path, existing);
  }
  Status make_special(const std::string& path, const Entry& entry) override {
    HOLDFAST_TRY(begin(path));
    return target_.make_special(path, entry);
  }
  Status finish_directory(const std::string& path, const Entry& entry) override {
    HOLDFAST_TRY(begin(path));
    return target_.finish_directory(path, entry);
  }
  Result<bool> matches(const std::string& path, const Entry& entry) override {
    HOLDFAST_TRY(begin(path));
    return target_.matches(path, entry);
  }

 private:
  class FailingWriter final : public FileWriter {
   public:
    FailingWriter(FailingTarget& target, std::unique_ptr<FileWriter> writer, std::string path)
        : target_(target), writer_(std::move(writer)), path_(std::move(path)) {}
    Status write_at(std::uint64_t offset, ByteView bytes) override {
      HOLDFAST_TRY(target_.begin(path_));
      return writer_->write_at(offset, bytes);
    }
    Status finish(const Entry& entry) override {
      HOLDFAST_TRY(target_.begin(path_));
      return writer_->finish(entry);
    }

   private:
    FailingTarget& target_;
    std::unique_ptr<FileWriter> writer_;
    std::string path_;
  };
  Status begin(const std::string& path) {
    ++calls_;
    if (calls_ != nth_ && !(for_good_ && calls_ > nth_)) return {};
    return Error(code_, path + ": injected fault");
  }

  RestoreTarget& target_;
  const std::uint64_t nth_;
  const Code code_;
  const bool for_good_;
  std::uint64_t calls_ = 0;
};

class RestoreTargetErrors : public holdfast::testing::ReaderFixture {
 protected:
  MadeObject chunk(std::size_t size) {
    const ObjectId id = add_random_chunk(size);
    return {id, chunks_.at(id)};
  }
  void make_snapshot() {
    made_.folder("home");
    made_.folder("home/ann");
    made_.file("home/ann/one", {chunk(1000)});
    made_.file("home/ann/many", {chunk(1000), chunk(2000), chunk(500)});
    made_.huge_file("home/huge", {chunk(900), chunk(800), chunk(700), chunk(600)}, 2);
    made_.file("home/none", {});
    made_.symlink("home/ann/link", "../elsewhere");
    made_.folder("home/empty");
    end_frame();
    const ObjectId root = made_.finish(nodes_);
    connect();
    make_fetcher();
    CatalogFetch fetch(*fetcher_, files_, loop_, loop_);
    bool done = false;
    fetch.start(root, {}, path_, {}, [&](auto fetched) {
      ASSERT_TRUE(fetched) << fetched.error().message();
      done = true;
    });
    ASSERT_TRUE(loop_.run_until([&] { return done; }));
  }
  // A path that is named, or lies in a folder that is.
  static bool is_named(const std::string& path, const RestoreResult& result) {
    return std::any_of(result.problems.begin(), result.problems.end(), [&](const auto& problem) {
      return problem.path == path || path.starts_with(problem.path + "/");
    });
  }
  void expect_the_rest(MemoryTarget& whole, MemoryTarget& target, const RestoreResult& result) {
    for (const auto& [path, node] : whole.nodes()) {
      if (is_named(path, result)) continue;
      const auto* restored = target.find(path);
      ASSERT_NE(restored, nullptr) << path << " is neither there nor named";
      EXPECT_EQ(restored->content, node.content) << path;
      EXPECT_EQ(restored->entry, node.entry) << path;
      EXPECT_TRUE(restored->finished) << path;
    }
  }
  std::optional<Result<RestoreResult>> restore(RestoreTarget& target) {
    RestoreSession session(*fetcher_, files_, target, nullptr, keys_, loop_, loop_);
    std::optional<Result<RestoreResult>> result;
    session.start(path_, {}, [&](auto restored) { result = std::move(restored); });
    EXPECT_TRUE(loop_.run_until([&] { return result.has_value(); })) << "it never ends";
    return result;
  }

  PosixFileSystem files_;
  TemporaryFolder folder_;
  std::string path_ = folder_.path() + "/catalog";
  MadeSnapshot made_{repository_};
};

TEST_F(RestoreTargetErrors, WhicheverCallFailsIsNamedAndTheRestIsWhole) {
  make_nodes(1);
  make_snapshot();
  MemoryTarget whole;
  ASSERT_TRUE(restore(whole)->has_value());
  for (const Code code : {Code::kIo, Code::kNoSpace, Code::kPermissionDenied}) {
    for (const bool for_good : {false, true}) {
      for (std::uint64_t nth = 1;; ++nth) {
        SCOPED_TRACE("call " + std::to_string(nth) + " failed with " + std::string(name(code)) +
                     (for_good ? " for good" : " once"));
        MemoryTarget target;
        FailingTarget failing(target, nth, code, for_good);
        const auto result = restore(failing);
        ASSERT_TRUE(result);
        EXPECT_EQ(target.open_writers, 0u);
        if (!failing.reached()) {
          EXPECT_THAT(target.broken_rules, IsEmpty());
          EXPECT_GT(nth, 10u);
          break;
        }
        if (!*result) {
          EXPECT_THAT(result->error().message(), HasSubstr("injected fault"));
          continue;
        }
        ASSERT_GE((*result)->problem_count, 1u);
        // What lies in a folder that could not be made fails for want of it.
        EXPECT_TRUE(
            std::any_of((*result)->problems.begin(), (*result)->problems.end(), [&](auto& problem) {
              return problem.error.code() == code &&
                     problem.error.message().find("injected fault") != std::string::npos;
            }));
        expect_the_rest(whole, target, **result);
        if (HasFailure()) return;
      }
    }
  }
}

}  // namespace
}  // namespace holdfast::agent
