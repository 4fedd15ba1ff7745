#include "agent/catalog_fetch.h"

#include <gmock/gmock.h>

#include "agent/catalog_codec.h"
#include "tests/testing/observed_files.h"
#include "tests/unit/agent/made_snapshot.h"

namespace holdfast::agent {
namespace {

using holdfast::testing::MadeObject;
using holdfast::testing::MadeSnapshot;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class CatalogFetching : public holdfast::testing::ReaderFixture {
 protected:
  MadeObject chunk(std::size_t size) {
    const ObjectId id = add_random_chunk(size);
    return {id, chunks_.at(id)};
  }
  // Folders and files, enough for a tree of several levels, and two huge files.
  void make_tree(std::size_t folders, std::size_t files) {
    const MadeObject shared = chunk(3);
    for (std::size_t i = 0; i < folders; ++i) {
      const std::string folder = "home/f" + std::to_string(1000 + i);
      made_.folder(folder);
      for (std::size_t j = 0; j < files; ++j) {
        const std::string path = folder + "/x" + std::to_string(j);
        if (j % 100 == 50)
          made_.huge_file(path, {chunk(10), chunk(20), chunk(30), chunk(40), chunk(50)}, 2);
        else
          made_.file(path, {shared});
      }
    }
    made_.folder("home");
    end_frame();
  }
  Result<FetchedCatalog> fetch_catalog(const ObjectId& root, CatalogScope scope = {}) {
    if (!fetcher_) make_fetcher();
    CatalogFetch fetch(*fetcher_, files_, loop_, loop_);
    std::optional<Result<FetchedCatalog>> result;
    fetch.start(root, to_bytes("manifest"), path_, std::move(scope),
                [&](auto fetched) { result = std::move(fetched); });
    EXPECT_TRUE(loop_.run_until([&] { return result.has_value(); }));
    return std::move(*result);
  }
  std::vector<CatalogEntry> read_entries() {
    auto file = CatalogFileReader::open(files_, path_);
    EXPECT_TRUE(file) << file.error().message();
    CatalogEntryReader reader(*file);
    std::vector<CatalogEntry> entries;
    for (;;) {
      auto entry = reader.next();
      EXPECT_TRUE(entry);
      if (!entry || *entry == nullptr) return entries;
      entries.push_back(**entry);
    }
  }

  PosixFileSystem files_;
  TemporaryFolder folder_;
  std::string path_ = folder_.path() + "/catalog";
  MadeSnapshot made_{repository_};
};

TEST_F(CatalogFetching, AWholeCatalogComesInTheOrderOfItsBuilderDownToTheBytes) {
  make_nodes(2);
  make_tree(300, 120);
  const ObjectId root = made_.finish(nodes_);
  connect();
  const auto fetched = fetch_catalog(root, {"", true});
  ASSERT_TRUE(fetched) << fetched.error().message();
  EXPECT_EQ(fetched->entries, made_.entries().size());
  auto file = CatalogFileReader::open(files_, path_);
  ASSERT_TRUE(file);
  EXPECT_EQ(file->root(), root);
  EXPECT_EQ(file->signed_manifest(), to_bytes("manifest"));
  std::vector<ListObject> lists;
  for (;;) {
    auto object = file->next();
    ASSERT_TRUE(object);
    if (!*object) break;
    lists.push_back(std::move(**object));
  }
  EXPECT_EQ(lists, made_.lists());
  std::size_t kinds[4] = {};
  for (const ListObject& list : lists) ++kinds[static_cast<std::size_t>(list.kind)];
  EXPECT_GT(kinds[1], 20u);  // leaves
  EXPECT_GE(kinds[2], 1u);   // index nodes: how many is drawn
  EXPECT_GT(kinds[3], 20u);  // chunk lists
}

TEST_F(CatalogFetching, EntriesAreReadFromTheFileAsTheyWere) {
  make_nodes(1);
  make_tree(20, 60);
  const ObjectId root = made_.finish(nodes_);
  connect();
  ASSERT_TRUE(fetch_catalog(root));
  EXPECT_EQ(read_entries(), made_.entries());
}

TEST_F(CatalogFetching, AnEmptyCatalogIsOne) {
  make_nodes(1);
  const ObjectId root = made_.finish(nodes_);
  connect();
  ASSERT_TRUE(fetch_catalog(root));
  EXPECT_THAT(read_entries(), IsEmpty());
}

TEST_F(CatalogFetching, APartTakesOnlyTheLeavesThatMayHoldIt) {
  make_nodes(1);
  make_tree(60, 60);
  const ObjectId root = made_.finish(nodes_, 1);
  connect();
  const auto fetched = fetch_catalog(root, {"home/f1030", false});
  ASSERT_TRUE(fetched);
  EXPECT_LT(fetched->entries, 1500u);
  std::size_t inside = 0;
  for (const CatalogEntry& entry : read_entries())
    inside += entry.entry.path.starts_with("home/f1030") ? 1 : 0;
  EXPECT_EQ(inside, 61u);
  EXPECT_LT(nodes_[0]->frames_served, made_.lists().size() / 4);
}

TEST_F(CatalogFetching, APartThatIsOneFileOrNotThereIsNoError) {
  make_nodes(1);
  make_tree(30, 60);
  const ObjectId root = made_.finish(nodes_);
  connect();
  ASSERT_TRUE(fetch_catalog(root, {"home/f1003/x7", false}));
  const auto entries = read_entries();
  EXPECT_TRUE(std::ranges::any_of(
      entries, [](const auto& entry) { return entry.entry.path == "home/f1003/x7"; }));
  ASSERT_TRUE(fetch_catalog(root, {"zzz", false}));
  ASSERT_TRUE(fetch_catalog(root, {"home/f1003", false}));
}

TEST_F(CatalogFetching, ALostLeafIsNamedAndTheRestIsThere) {
  make_nodes(1);
  make_tree(30, 60);
  const ObjectId root = made_.finish(nodes_, 1);
  const auto leaf = std::ranges::find_if(
      made_.lists(), [](const ListObject& list) { return list.kind == ListKind::kLeaf; });
  nodes_[0]->remove_frame_of(leaf->id);
  connect();
  const auto fetched = fetch_catalog(root);
  ASSERT_TRUE(fetched);
  ASSERT_THAT(fetched->lost, SizeIs(1));
  EXPECT_EQ(fetched->lost[0].first_path, "home");
  const auto first = *decode_leaf(leaf->refs, leaf->payload);
  EXPECT_EQ(read_entries().size(), made_.entries().size() - first.size());
}

TEST_F(CatalogFetching, AWholeOneFailsIfAnythingIsLostAndLeavesNoCatalogFile) {
  make_nodes(1);
  make_tree(30, 120);
  const ObjectId root = made_.finish(nodes_, 1);
  const auto list = std::ranges::find_if(made_.lists(), [](const ListObject& candidate) {
    return candidate.kind == ListKind::kChunkList;
  });
  nodes_[0]->remove_frame_of(list->id);
  connect();
  const auto fetched = fetch_catalog(root, {"", true});
  ASSERT_FALSE(fetched);
  EXPECT_EQ(fetched.error().code(), Code::kNotFound);
  EXPECT_FALSE(CatalogFileReader::open(files_, path_));
}

TEST_F(CatalogFetching, ARootThatCannotBeHadIsAnError) {
  make_nodes(1);
  connect();
  EXPECT_EQ(fetch_catalog(repository_.random_id()).error().code(), Code::kNotFound);
}

TEST_F(CatalogFetching, AnIndexThatLiesAboutWhatIsBelowIsNotBelieved) {
  make_nodes(1);
  format::ObjectIdentifier identifier(repository_.group_key);
  std::vector<ListObject> lists;
  CatalogBuilder builder(identifier, [&](ListObject&& list) { lists.push_back(std::move(list)); });
  CatalogEntry entry;
  entry.entry.path = "etc";
  entry.entry.mode = 0040755;
  builder.add(entry);
  const CatalogChild leaf = builder.finish();
  const auto root_of = [&](std::vector<CatalogChild> children, std::uint32_t level) {
    format::FrameContent content(format::FrameRole::kMetadata);
    for (const ListObject& list : lists) content.add(list.id, list.refs, list.payload);
    std::vector<ObjectId> refs;
    for (const auto& child : children) refs.push_back(child.id);
    const Bytes payload = encode_index({level, std::move(children)});
    const ObjectId id = identifier.identify(format::ObjectKind::kList, refs, payload);
    content.add(id, refs, payload);
    nodes_[0]->put_frame(repository_.sealer().seal(content));
    return id;
  };
  auto renamed = leaf;
  renamed.first_path = "boot";
  auto counted = leaf;
  counted.entries = 7;
  auto weighed = leaf;
  weighed.bytes = 7;
  auto later = leaf;
  later.first_path = "usr";
  connect();
  for (const auto& root : {root_of({renamed}, 1), root_of({counted}, 1), root_of({weighed}, 1),
                           root_of({leaf}, 2), root_of({leaf, later}, 1)}) {
    const auto fetched = fetch_catalog(root, {"", true});
    ASSERT_FALSE(fetched);
    EXPECT_EQ(fetched.error().code(), Code::kCorrupt);
  }
  EXPECT_TRUE(fetch_catalog(root_of({leaf}, 1), {"", true}));
}

// Catalogs that no builder makes, object by object.
class ForgedCatalog : public CatalogFetching {
 protected:
  ForgedCatalog() {
    make_nodes(2);
    connect();
  }
  ObjectId put(const std::vector<ObjectId>& refs, const Bytes& payload) {
    format::FrameContent content(format::FrameRole::kMetadata);
    const ObjectId id = identifier_.identify(format::ObjectKind::kList, refs, payload);
    content.add(id, refs, payload);
    nodes_[0]->put_frame(sealer_.seal(content));
    return id;
  }
  ObjectId put_index(const std::vector<CatalogChild>& children, std::uint32_t level = 1) {
    std::vector<ObjectId> refs;
    for (const CatalogChild& child : children) refs.push_back(child.id);
    return put(refs, encode_index({level, children}));
  }
  // A leaf of folders, each with so much beside its name.
  CatalogChild put_leaf(const std::vector<std::string>& paths, std::size_t xattr_bytes = 0) {
    LeafEncoder leaf;
    for (const std::string& path : paths) {
      CatalogEntry entry;
      entry.entry.path = path;
      entry.entry.mode = 0040755;
      if (xattr_bytes > 0) entry.entry.xattrs.push_back({"user.x", std::string(xattr_bytes, 'x')});
      leaf.add(entry);
    }
    return {put({}, leaf.take().second), paths.front(), paths.size(), 0};
  }
  // The root of a catalog with one file, whose content is these lists.
  ObjectId put_file(std::uint64_t size, const std::vector<ObjectId>& lists) {
    LeafEncoder leaf;
    CatalogEntry entry;
    entry.entry.path = "file";
    entry.entry.mode = 0100644;
    entry.entry.size = size;
    entry.content = {lists, {}, true};
    leaf.add(entry);
    return put(lists, leaf.take().second);
  }
  void expect_refused(const ObjectId& root, const char* reason) {
    const auto fetched = fetch_catalog(root, {"", true});
    ASSERT_FALSE(fetched);
    EXPECT_EQ(fetched.error().code(), Code::kCorrupt);
    EXPECT_THAT(fetched.error().message(), HasSubstr(reason));
  }

  format::ObjectIdentifier identifier_{repository_.group_key};
  format::FrameSealer sealer_ = repository_.sealer();
};

TEST_F(ForgedCatalog, WhoseChildrenAreOutOfOrderIsRefused) {
  const CatalogChild a = put_leaf({"a"}), b = put_leaf({"b"});
  EXPECT_TRUE(fetch_catalog(put_index({a, b}), {"", true}));
  expect_refused(put_index({b, a}), "an index node's children out of order");
  expect_refused(put_index({a, a}), "an index node's children out of order");
}

TEST_F(ForgedCatalog, WhoseLeavesOverlapIsRefused) {
  const CatalogChild wide = put_leaf({"a", "x"}), within = put_leaf({"m"});
  expect_refused(put_index({wide, within}), "leaves out of order");
}

TEST_F(ForgedCatalog, WhoseRootIsNoCatalogIsRefused) {
  expect_refused(put({}, encode_chunk_list({})), "its root is a list of chunks");
  const ObjectId chunk = add_random_chunk(10);
  end_frame();
  expect_refused(chunk, "a chunk where a list belongs");
}

TEST_F(ForgedCatalog, WhoseFilesAreMadeOfAnythingButListsOfTheirChunksIsRefused) {
  const ObjectId chunk = add_random_chunk(10);
  end_frame();
  const std::vector<std::uint32_t> lengths = {10};
  const ObjectId list = put({chunk}, encode_chunk_list(lengths));
  EXPECT_TRUE(fetch_catalog(put_file(20, {list, list}), {"", true}));
  expect_refused(put_file(11, {list}), "a file's chunks do not add up to its size");
  expect_refused(put_file(10, {list, list}), "a file's chunks do not add up to its size");
  expect_refused(put_file(10, {put_leaf({"a"}).id}), "a file's content is no list of chunks");
  expect_refused(put_file(10, {chunk}), "a chunk where a list belongs");
}

TEST_F(ForgedCatalog, OfWhichANodeIsMalformedIsRefused) {
  const ObjectId chunk = add_random_chunk(10);
  end_frame();
  expect_refused(put({}, {9}), "unknown kind of list object");
  expect_refused(put({}, {static_cast<Byte>(ListKind::kLeaf), 0x0A, 0x05}), "malformed");
  expect_refused(put({}, {static_cast<Byte>(ListKind::kIndex)}), "other than one child a ref");
  expect_refused(put_file(10, {put({chunk}, {static_cast<Byte>(ListKind::kChunkList)})}),
                 "other than one length a chunk");
}

TEST_F(ForgedCatalog, OfWhichAListOfChunksStandsForALeafIsRefused) {
  const std::vector<std::uint32_t> lengths = {10};
  const ObjectId list = put({repository_.random_id()}, encode_chunk_list(lengths));
  expect_refused(put_index({{list, "", 1, 10}}), "a node at another level than its parent says");
}

TEST_F(ForgedCatalog, WithAnEmptyLeafInFrontIsReadFromTheNext) {
  const CatalogChild empty{put({}, {static_cast<Byte>(ListKind::kLeaf)}), "", 0, 0};
  const auto fetched = fetch_catalog(put_index({empty, put_leaf({"a"})}), {"", true});
  ASSERT_TRUE(fetched) << fetched.error().message();
  EXPECT_EQ(fetched->entries, 1u);
}

TEST_F(ForgedCatalog, OfWhichABadLeafComesBeforeAGoodOneIsRefused) {
  const CatalogChild bad{put({}, {static_cast<Byte>(ListKind::kLeaf), 0x0A, 0x05}), "b", 1, 0};
  const CatalogChild good = put_leaf({"a"});
  expect_refused(put_index({good, bad}), "malformed");
}

TEST_F(ForgedCatalog, IsNotFetchedForANameThatOnlyBeginsAlike) {
  const ObjectId root = put_index({put_leaf({"a", "a/x"}), put_leaf({"a/y"}), put_leaf({"ab"})});
  const auto fetched = fetch_catalog(root, {"a", false});
  ASSERT_TRUE(fetched) << fetched.error().message();
  EXPECT_EQ(fetched->entries, 3u);
}

// Else it would wait for ever: memory is full of what comes behind it.
TEST_F(ForgedCatalog, WhatIsNeededNowIsAskedForThoughMoreThanEnoughCameAhead) {
  std::vector<CatalogChild> front, behind;
  for (const char* const path : {"a1", "a2", "a3"}) front.push_back(put_leaf({path}));
  for (int i = 10; i < 22; ++i) behind.push_back(put_leaf({"b" + std::to_string(i)}, 1 << 20));
  // What comes first takes most of a second, in a frame with much else.
  std::vector<ObjectId> refs;
  for (const CatalogChild& child : front) refs.push_back(child.id);
  const Bytes payload = encode_index({1, front}), much = repository_.random_bytes(100'000);
  const ObjectId first = identifier_.identify(format::ObjectKind::kList, refs, payload);
  format::FrameContent content(format::FrameRole::kMetadata);
  content.add(identifier_.identify(format::ObjectKind::kList, {}, much), {}, much);
  content.add(first, refs, payload);
  nodes_[1]->put_frame(sealer_.seal(content));
  nodes_[1]->bytes_per_second = 125'000;
  const ObjectId root = put_index({{first, "a1", 3, 0}, {put_index(behind), "b10", 12, 0}}, 2);
  const auto fetched = fetch_catalog(root, {"", true});
  ASSERT_TRUE(fetched) << fetched.error().message();
  EXPECT_EQ(fetched->entries, 15u);
}

// Catalogs that are written in more than one piece.
class LargeCatalogFetching : public CatalogFetching {
 protected:
  // A disk that takes a second for each piece, while frames come.
  class SlowDisk final : public Executor {
   public:
    explicit SlowDisk(EventLoop& loop) : loop_(loop) {}
    void submit(Task work) override {
      loop_.after(std::chrono::seconds(1), [this, work = std::move(work)]() mutable {
        if (before) before();
        work();
        if (after) after();
      });
    }
    unsigned concurrency() const override { return 1; }

    std::function<void()> before, after;

   private:
    EventLoop& loop_;
  };

  // A leaf for each entry.
  ObjectId make_tree_of_large_leaves(std::size_t leaves, std::size_t bytes) {
    make_nodes(1);
    for (std::size_t i = 0; i < leaves; ++i)
      made_.folder("f" + std::to_string(100 + i))
          .xattrs.push_back({"user.x", std::string(bytes, 'x')});
    const ObjectId root = made_.finish(nodes_, 1);
    connect();
    make_fetcher();
    return root;
  }
  // All of it, or an error and no catalog file.
  void expect_good_or_told(const ObjectId& root, FileSystem& files, Executor& executor,
                           bool may_fail) {
    ASSERT_TRUE(write_file_atomically(files_, path_, to_bytes("the half of another")));
    CatalogFetch fetch(*fetcher_, files, loop_, executor);
    std::optional<Result<FetchedCatalog>> result;
    fetch.start(root, {}, path_, {"", true}, [&](auto fetched) {
      EXPECT_FALSE(result) << "done twice";
      result = std::move(fetched);
    });
    ASSERT_TRUE(loop_.run_until([&] { return result.has_value(); }));
    loop_.run_for(std::chrono::seconds(5));
    if (*result) {
      EXPECT_EQ(read_entries(), made_.entries());
      return;
    }
    EXPECT_TRUE(may_fail) << result->error().message();
    EXPECT_EQ(result->error().code(), Code::kNoSpace);
    EXPECT_FALSE(CatalogFileReader::open(files_, path_));
  }
  void expect_good_or_told_whichever_call_fails(const ObjectId& root) {
    SlowDisk slow(loop_);
    for (Executor* const executor : {static_cast<Executor*>(&loop_), static_cast<Executor*>(&slow)})
      for (int failing = 0, calls = 1; failing <= calls; ++failing) {
        SCOPED_TRACE("call " + std::to_string(failing));
        calls = 0;
        holdfast::testing::ObservedFiles files(files_,
                                               [&](std::string_view, const std::string&) -> Status {
                                                 if (++calls == failing)
                                                   return Error(Code::kNoSpace, "the disk is full");
                                                 return {};
                                               });
        expect_good_or_told(root, files, *executor, failing > 0);
        if (HasFailure()) return;
        if (failing == 0) {
          EXPECT_GT(calls, 4);
        }
      }
  }
};

TEST_F(LargeCatalogFetching, ComesWholeOrFailsWhicheverCallOfTheDiskFails) {
  expect_good_or_told_whichever_call_fails(make_tree_of_large_leaves(14, 1 << 20));
}

TEST_F(LargeCatalogFetching, OfOneLeafThatIsAPieceAloneComesWholeOrFailsToo) {
  expect_good_or_told_whichever_call_fails(make_tree_of_large_leaves(1, 5 << 20));
}

TEST_F(LargeCatalogFetching, GivenUpWhileAPieceIsBeingWrittenEndsWithoutAWord) {
  const ObjectId root = make_tree_of_large_leaves(14, 1 << 20);
  for (const bool is_written : {false, true}) {
    SlowDisk disk(loop_);
    auto fetch = std::make_unique<CatalogFetch>(*fetcher_, files_, loop_, disk);
    if (is_written)
      disk.after = [&] { loop_.post([&] { fetch.reset(); }); };
    else
      disk.before = [&] { fetch.reset(); };
    fetch->start(root, {}, path_, {"", true}, [](const auto&) { ADD_FAILURE() << "it is gone"; });
    loop_.run_for(std::chrono::seconds(5));
    EXPECT_EQ(fetch, nullptr);
    EXPECT_FALSE(CatalogFileReader::open(files_, path_));
  }
}

}  // namespace
}  // namespace holdfast::agent
