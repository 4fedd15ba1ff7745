// A node whose index fails: whoever asks is told so, and answered the next time.
#include <list>

#include "repository/store/memory_index.h"
#include "tests/unit/repository/node_fixture.h"
#include "tests/unit/repository/store/failing_index.h"

namespace holdfast::repository {
namespace {

class NodeIndexErrors : public NodeTest {
 protected:
  NodeIndexErrors() {
    shelf = std::make_unique<FolderShelf>(
        files, files.root() + "/repositories", options.id,
        [this](const std::string&) -> Result<std::unique_ptr<ObjectIndex>> {
          auto opened = std::make_unique<FailingIndex>(contents_.emplace_back());
          index_ = opened.get();
          return std::unique_ptr<ObjectIndex>(std::move(opened));
        });
    restart();
    create_repository();
    root = put_tree(repository.writer, "content");
    manifest = repository.manifest(repository.writer, root.id);
    EXPECT_EQ(commit(embedder, manifest), "ok");
  }
  ~NodeIndexErrors() override {
    executor.forget_everything();
    node.reset();
  }
  // Of a request for which the index is asked `calls` times: each time it fails, it says so.
  void expect_told(const wire::RequestProto& proto, std::uint64_t calls = 1,
                   const SharedBytes& body = {}, const std::string& otherwise = "ok") {
    SCOPED_TRACE(proto.what_case());
    for (std::uint64_t nth = 1; nth <= calls; ++nth) {
      index_->fail(nth);
      const auto reply = ask(embedder, proto, body);
      EXPECT_EQ(outcome_of(reply), "io") << "call " << nth;
      EXPECT_NE(reply.error().message().find("injected fault"), std::string::npos);
      index_->fail(0);
    }
    EXPECT_EQ(outcome_of(ask(embedder, proto, body)), otherwise);
  }

  std::list<MemoryIndex> contents_;
  FailingIndex* index_ = nullptr;
  TestObject root;
  format::SignedManifest manifest;
};

TEST_F(NodeIndexErrors, AreToldToWhoeverAsksWhatOnlyTheIndexKnows) {
  wire::RequestProto proto = request();
  proto.mutable_present()->set_ids(root.id.str());
  expect_told(proto);
  proto.mutable_locate()->set_ids(root.id.str());
  expect_told(proto);
  proto.mutable_get_frame()->set_id(root.id.str());
  expect_told(proto);
  proto.mutable_report_damage()->set_id(root.id.str());
  expect_told(proto);
  proto.mutable_prepare()->set_root(root.id.str());
  expect_told(proto);
  proto.mutable_head()->set_agent(repository.writer.id().str());
  expect_told(proto);
  proto.mutable_status();
  expect_told(proto);
  proto.mutable_verify();
  expect_told(proto);
  expect_told(commit_request(repository.manifest(repository.writer, root.id, &manifest)));
}

TEST_F(NodeIndexErrors, AreToldToWhoSendsAFrameEvenWhereIdsAreMissing) {
  const TestObject absent = repository.data("absent");
  const TestObject list = repository.list({absent.id}, "above what is absent");
  wire::RequestProto proto = request();
  proto.mutable_put_frame();
  // The frame's ids and their refs; and both once more to name those that are missing.
  expect_told(proto, 4, repository.frame(repository.writer, {list}), "missing_objects");
}

TEST_F(NodeIndexErrors, LeaveOutTheFigureOfWhatIsComplete) {
  EXPECT_EQ(node->figures().repositories.at(0).complete_snapshots, 1U);
  index_->fail(2);  // behind the count of objects
  const NodeFigures figures = node->figures();
  EXPECT_FALSE(figures.repositories.at(0).complete_snapshots);
  EXPECT_EQ(figures.repositories.at(0).snapshots, 1U);
}

// So many snapshots that a page does not hold them, and that the complete ones are not counted
// every time.
TEST_F(NodeIndexErrors, ManySnapshotsAreCountedOnceASecondAndListedInPages) {
  constexpr std::uint64_t kSnapshots = 4'100;
  format::Manifest body = manifest.manifest;
  const std::string path = files.root() + "/repositories/" + repository.id().hex();
  executor.forget_everything();
  node.reset();
  {
    MemoryIndex index;
    auto store = Store::open(files, path, index, options.id).value();
    body.previous = manifest.id;
    for (body.sequence = 2; body.sequence <= kSnapshots; ++body.sequence) {
      const auto next = format::sign_again(body, repository.writer.signing);
      ASSERT_TRUE(store->append_manifest(next.id, root.id, UnixTime{1}, next.bytes));
      body.previous = next.id;
    }
    ASSERT_TRUE(store->sync());
  }
  restart();
  wire::RequestProto proto = request();
  proto.mutable_list_manifests();
  const auto page = ask(embedder, proto).list_manifests();
  EXPECT_EQ(page.manifests_size(), 4'096);
  EXPECT_TRUE(page.more());

  const auto counted = [&] { return node->figures().repositories.at(0).complete_snapshots; };
  EXPECT_EQ(counted(), kSnapshots);
  index_->fail(2);
  EXPECT_EQ(counted(), kSnapshots) << "as it was lately";
  clock.advance(std::chrono::seconds(1));
  index_->fail(2);
  EXPECT_FALSE(counted()) << "looked up, in vain";
  EXPECT_EQ(counted(), kSnapshots);
  const auto last = format::sign_again(body, repository.writer.signing);
  ASSERT_EQ(commit(embedder, last), "ok");
  EXPECT_EQ(counted(), kSnapshots + 1) << "one more was there at once";
}

}  // namespace
}  // namespace holdfast::repository
