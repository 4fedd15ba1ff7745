#include "agent/catalog_fetch.h"

#include <gmock/gmock.h>

#include "agent/catalog_codec.h"
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
  auto later = leaf;
  later.first_path = "usr";
  connect();
  for (const auto& root : {root_of({renamed}, 1), root_of({counted}, 1), root_of({leaf}, 2),
                           root_of({leaf, later}, 1)}) {
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
    make_nodes(1);
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
  // A leaf of folders.
  CatalogChild put_leaf(const std::vector<std::string>& paths) {
    LeafEncoder leaf;
    for (const std::string& path : paths) {
      CatalogEntry entry;
      entry.entry.path = path;
      entry.entry.mode = 0040755;
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

}  // namespace
}  // namespace holdfast::agent
