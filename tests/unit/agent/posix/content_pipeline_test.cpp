#include "agent/content_pipeline.h"

#include <deque>

#include "tests/unit/agent/posix/tree_fixture.h"
#include "tests/unit/agent/reader_fixture.h"

namespace holdfast::agent {
namespace {

// Work waits until it is told to run, as behind a busy pool.
class HeldExecutor final : public Executor {
 public:
  void submit(Task work) override { held_.push_back(std::move(work)); }
  unsigned concurrency() const override { return 2; }
  std::size_t held() const { return held_.size(); }
  void run_next() {
    Task work = std::move(held_.front());
    held_.pop_front();
    work();
  }

 private:
  std::deque<Task> held_;
};

class AbandonedPipeline : public testing::ReaderFixture {
 protected:
  AbandonedPipeline() {
    make_nodes(1);
    connect();
    feed_ = std::make_unique<NodeFeed>(*links_[0], loop_, [] {});
    feed_->activate();
    pipeline_ = std::make_unique<ContentPipeline>(
        loop_, executor_, *source_, writer_, repository_.run, repository_.counter,
        std::vector<NodeFeed*>{feed_.get()},
        [](std::span<const ObjectId>, std::span<const std::uint32_t>) { return ObjectId{}; },
        [this] { ++changes_; });
  }

  void submit(std::size_t size) {
    const std::string path = folder_.path() + "/" + std::to_string(size);
    {
      const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
      const Bytes content = repository_.random_bytes(size);
      ASSERT_EQ(::write(file.get(), content.data(), size), static_cast<ssize_t>(size));
    }
    Entry entry = scan(*source_).find(path.substr(1));
    pipeline_->submit(std::move(entry), {}, [this](ContentPipeline::FileOutcome&& outcome) {
      EXPECT_FALSE(outcome.problem) << outcome.problem->message();
      ++done_;
    });
  }
  // What was given to the executor runs, and posts to the loop, once the pipeline is gone.
  void expect_no_effect_any_more() {
    loop_.run_for(std::chrono::seconds(1));
    ASSERT_GT(executor_.held(), 0U);
    pipeline_.reset();
    const std::size_t done = done_, changes = changes_;
    while (executor_.held() > 0) executor_.run_next();
    loop_.run_for(std::chrono::seconds(1));
    EXPECT_EQ(executor_.held(), 0U);
    EXPECT_EQ(done_, done);
    EXPECT_EQ(changes_, changes);
  }

  TemporaryFolder folder_;
  std::unique_ptr<PosixSourceTree> source_ =
      PosixSourceTree::create({folder_.path()}, ScanOptions{}).value();
  WriterKeys writer_{repository_.id,
                     repository_.public_key,
                     crypto::SigningKey(repository_.agent.seed().clone()),
                     repository_.group_key.clone(),
                     content::Chunker::create(repository_.id_key, {}).value(),
                     3};
  HeldExecutor executor_;
  std::unique_ptr<NodeFeed> feed_;
  std::size_t done_ = 0, changes_ = 0;
  std::unique_ptr<ContentPipeline> pipeline_;
};

// A node left in the middle of being caught up, which ends the pipeline of the catching up while
// the workers are still at it: they used what was gone.
TEST_F(AbandonedPipeline, WorkOnSmallFilesOutlivesItWithoutHarm) {
  submit(1000);
  pipeline_->flush();
  expect_no_effect_any_more();
  EXPECT_EQ(done_, 0U);
}

TEST_F(AbandonedPipeline, WorkOnALargeFileOutlivesItWithoutHarm) {
  submit(std::size_t{3} << 20);
  expect_no_effect_any_more();
  EXPECT_EQ(done_, 0U);
}

TEST_F(AbandonedPipeline, SealingOutlivesItWithoutHarm) {
  submit(1000);
  pipeline_->flush();
  executor_.run_next();  // reads
  expect_no_effect_any_more();
}

}  // namespace
}  // namespace holdfast::agent
