#include "tests/unit/agent/reader_fixture.h"

namespace holdfast::testing {

using agent::NodeLink;
using agent::ObjectFetcher;

ReaderFixture::ReaderFixture() : sealer_(repository_.sealer(1)) {
  keys_ = std::make_shared<agent::ReaderKeys>();
  keys_->repository = repository_.id;
  keys_->private_key = repository_.private_key.clone();
  keys_->id_key = repository_.group_key.clone();
}

void ReaderFixture::make_nodes(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const std::string name(1, static_cast<char>('a' + i));
    nodes_.push_back(std::make_unique<ScriptedNode>(loop_, name));
    dialer_.add(*nodes_.back());
    links_.push_back(std::make_unique<NodeLink>(
        format::CharterNode{NodeId{{static_cast<Byte>(i)}}, name, {name, {}}}, repository_.id,
        loop_, loop_, repository_.random));
  }
}

void ReaderFixture::connect() {
  for (auto& link : links_) ASSERT_TRUE(link->start(dialer_));
  loop_.run_for(std::chrono::milliseconds(10));
}

ObjectFetcher& ReaderFixture::make_fetcher(agent::FetchPolicy policy) {
  std::vector<NodeLink*> links;
  for (auto& link : links_) links.push_back(link.get());
  fetcher_ = std::make_unique<ObjectFetcher>(links, keys_, loop_, loop_, loop_, policy);
  return *fetcher_;
}

void ReaderFixture::end_frame() {
  if (content_.empty()) return;
  frames_.push_back(sealer_.seal(content_));
  for (auto& node : nodes_) node->put_frame(frames_.back());
}

ObjectId ReaderFixture::add_chunk(ByteView payload) {
  Bytes bytes(payload.begin(), payload.end());
  const ObjectId id = repository_.identify(format::FrameRole::kData, {{}, bytes});
  if (!chunks_.contains(id)) content_.add(id, {}, bytes);
  chunks_.emplace(id, std::move(bytes));
  return id;
}

ObjectId ReaderFixture::add_random_chunk(std::size_t size) {
  return add_chunk(repository_.random_bytes(size));
}

std::vector<ObjectId> ReaderFixture::add_frames(std::size_t count, std::size_t chunks,
                                                std::size_t size) {
  std::vector<ObjectId> ids;
  for (std::size_t frame = 0; frame < count; ++frame) {
    for (std::size_t i = 0; i < chunks; ++i) ids.push_back(add_random_chunk(size));
    end_frame();
  }
  return ids;
}

std::shared_ptr<ReaderFixture::Fetched> ReaderFixture::begin_fetch(
    const std::vector<ObjectId>& ids) {
  if (!fetcher_) make_fetcher();
  auto fetched = std::make_shared<Fetched>();
  fetcher_->fetch(
      ids,
      [fetched](const format::OpenedFrame&, auto wanted) {
        ++fetched->frames;
        for (const format::OpenedObject* object : wanted) {
          ++fetched->handed_out;
          fetched->objects[object->id].assign(object->payload.begin(), object->payload.end());
        }
      },
      [fetched](auto missing) {
        EXPECT_FALSE(fetched->done);
        fetched->missing = std::move(missing);
        fetched->done = true;
      });
  return fetched;
}

ReaderFixture::Fetched ReaderFixture::fetch(const std::vector<ObjectId>& ids) {
  const auto fetched = begin_fetch(ids);
  EXPECT_TRUE(loop_.run_until([&] { return fetched->done; })) << "the fetch never ends";
  return *fetched;
}

void ReaderFixture::expect_all(const Fetched& fetched, const std::vector<ObjectId>& ids) {
  EXPECT_TRUE(fetched.missing.empty())
      << fetched.missing.size() << " missing: " << fetched.missing.front().reason.message();
  EXPECT_EQ(fetched.objects.size(), ids.size());
  EXPECT_EQ(fetched.handed_out, ids.size()) << "each once";
  for (const ObjectId& id : ids) {
    const auto found = fetched.objects.find(id);
    ASSERT_NE(found, fetched.objects.end());
    EXPECT_EQ(found->second, chunks_.at(id));
  }
}

}  // namespace holdfast::testing
