#include "agent/catalog_builder.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "common/content/checksum.h"

namespace holdfast::agent {
namespace {

// What a catalog is made of, and what a reader finds in it.
class BuildingACatalog : public ::testing::Test {
 protected:
  static CatalogEntry file(const std::string& path) {
    CatalogEntry entry;
    entry.entry.path = path;
    entry.entry.mode = 0100644;
    return entry;
  }
  // One that ends its leaf at once.
  static CatalogEntry large(const std::string& path) {
    CatalogEntry entry = file(path);
    entry.entry.xattrs.push_back({"user.large", std::string(256 << 10, 'x')});
    return entry;
  }
  void add(const CatalogEntry& entry) {
    builder_.add(entry);
    added_.push_back(entry.entry.path);
  }
  // Everything is found from the root, in order, and nothing was made that is not.
  void finish() {
    const CatalogChild root = builder_.finish();
    EXPECT_EQ(root.entries, added_.size());
    std::vector<std::string> found;
    std::size_t reached = 0;
    const std::function<void(const ObjectId&)> visit = [&](const ObjectId& id) {
      ++reached;
      const ListObject& object = objects_.at(id);
      if (object.kind == ListKind::kIndex) {
        const auto index = decode_index(object.refs, object.payload);
        ASSERT_TRUE(index) << index.error().message();
        for (const CatalogChild& child : index->children) visit(child.id);
        return;
      }
      const auto entries = decode_leaf(object.refs, object.payload);
      ASSERT_TRUE(entries) << entries.error().message();
      for (const CatalogEntry& entry : *entries) found.push_back(entry.entry.path);
    };
    visit(root.id);
    EXPECT_EQ(found, added_);
    EXPECT_EQ(reached, objects_.size());
  }
  std::size_t count(ListKind kind) const {
    std::size_t objects = 0;
    for (const auto& [id, object] : objects_) objects += object.kind == kind ? 1 : 0;
    return objects;
  }

  format::ObjectIdentifier identifier_{crypto::SecretKey()};
  std::map<ObjectId, ListObject> objects_;
  CatalogBuilder builder_{identifier_, [this](ListObject&& object) {
                            const ObjectId id = object.id;
                            objects_.emplace(id, std::move(object));
                          }};
  std::vector<std::string> added_;
};

// What the builder writes, a reader takes: deep trees make leaves of fewer entries.
TEST_F(BuildingACatalog, CutsALeafBeforeItsPathsAreLongerThanAReaderTakes) {
  const std::string folder(200'000, 'x');
  for (int i = 100; i < 200; ++i) add(file(folder + "/" + std::to_string(i)));
  finish();
  EXPECT_GE(count(ListKind::kLeaf), 4U);
  EXPECT_LT(count(ListKind::kLeaf), 10U);
}

TEST_F(BuildingACatalog, CutsALeafThatNoPathEndsWhenItIsFull) {
  for (int i = 10'000; added_.size() < 2'500; ++i) {
    const std::string path = std::to_string(i);
    if ((content::checksum64(as_bytes(path)) & 127) != 0) add(file(path));
  }
  finish();
  EXPECT_EQ(count(ListKind::kLeaf), 3U);
}

TEST_F(BuildingACatalog, CutsALeafBeforeItRefersToMoreThanAFrameMay) {
  std::uint32_t chunk = 0;
  for (int i = 100; i < 120; ++i) {
    CatalogEntry entry = file(std::to_string(i));
    for (int j = 0; j < 1000; ++j) {
      ObjectId id;
      std::memcpy(id.bytes.data(), &++chunk, sizeof chunk);
      entry.content.refs.push_back(id);
      entry.content.lengths.push_back(1);
    }
    entry.entry.size = 1000;
    add(entry);
  }
  finish();
  for (const auto& [id, object] : objects_) EXPECT_LT(object.refs.size(), 10'000U);
  EXPECT_EQ(count(ListKind::kLeaf), 3U);
}

// The node of indexes that ends with the last leaf has no other beside it.
TEST_F(BuildingACatalog, EndsWithALeafThatEndsItsIndexNodeToo) {
  int i = 1000;
  for (; added_.size() < 40; ++i) add(large(std::to_string(i)));
  const auto ends_index = [](const std::string& path) {
    return (content::checksum64(as_bytes(path)) >> 8 & 63) == 0;
  };
  while (!ends_index(std::to_string(i))) ++i;
  add(large(std::to_string(i)));
  finish();
  EXPECT_EQ(count(ListKind::kLeaf), 41U);
}

}  // namespace
}  // namespace holdfast::agent
