// What any agent of a trust group can write as a catalog node, and must not cost a reader more than
// it is worth.
#include "agent/catalog_node.h"

#include <gtest/gtest.h>

#include <functional>

#include "agent/catalog_codec.h"
#include "common/format/catalog.pb.h"

namespace holdfast::agent {
namespace {

Bytes leaf_of(const format::CatalogLeafProto& proto) {
  Bytes payload{static_cast<Byte>(ListKind::kLeaf)};
  append(payload, as_bytes(proto.SerializeAsString()));
  return payload;
}

std::string refusal_of_leaf(const std::vector<ObjectId>& refs, const Bytes& payload) {
  const auto entries = decode_leaf(refs, payload);
  if (entries) return "none";
  EXPECT_EQ(entries.error().code(), Code::kCorrupt);
  return entries.error().message();
}

format::EntryProto& add_entry(format::CatalogLeafProto& leaf, std::uint32_t shared,
                              const std::string& suffix) {
  format::EntryProto& entry = *leaf.add_entries();
  entry.set_shared(shared);
  entry.set_suffix(suffix);
  return entry;
}

// A thousand entries of ten bytes that each name the same 60,000 refs were two gigabytes.
TEST(DecodeLeaf, EntriesThatAllNameAllRefsAreRefused) {
  const std::vector<ObjectId> refs(100);
  format::CatalogLeafProto leaf;
  for (const char* const name : {"a", "b"}) {
    format::EntryProto& entry = add_entry(leaf, 0, name);
    entry.set_ref_count(100);
    entry.set_content_lists(true);
  }
  EXPECT_EQ(refusal_of_leaf(refs, leaf_of(leaf)),
            "catalog: its entries' contents are more than its refs");
  leaf.mutable_entries(0)->set_ref_count(40);
  leaf.mutable_entries(1)->set_first_ref(40);
  leaf.mutable_entries(1)->set_ref_count(60);
  EXPECT_EQ(refusal_of_leaf(refs, leaf_of(leaf)), "none");
}

// Twenty thousand entries of eight bytes that each share a path of a mebibyte were twenty
// gigabytes.
TEST(DecodeLeaf, ShortEntriesThatShareALongPathAreRefused) {
  constexpr std::uint32_t kLong = 1 << 19;
  const auto leaf_of_entries = [](int count) {
    format::CatalogLeafProto leaf;
    add_entry(leaf, 0, std::string(kLong, 'x'));
    for (int i = 1; i < count; ++i)
      add_entry(leaf, kLong, std::string(1, static_cast<char>('0' + i)));
    return leaf_of(leaf);
  };
  EXPECT_EQ(refusal_of_leaf({}, leaf_of_entries(20)), "none");
  EXPECT_EQ(refusal_of_leaf({}, leaf_of_entries(40)), "catalog: longer paths than a leaf may have");
}

// Two bytes an entry, each of which became an object of hundreds.
TEST(DecodeLeaf, CountlessEmptyEntriesAreRefusedBeforeTheyAreMade) {
  Bytes payload{static_cast<Byte>(ListKind::kLeaf)};
  for (int i = 0; i < 2'000'000; ++i) append(payload, as_bytes(std::string_view("\x0A\x00", 2)));
  EXPECT_EQ(refusal_of_leaf({}, payload),
            "catalog: malformed, or more entries than a leaf may have");
}

TEST(DecodeLeaf, CountlessEmptyAttributesAreRefusedBeforeTheyAreMade) {
  format::CatalogLeafProto leaf;
  format::EntryProto& entry = add_entry(leaf, 0, "a");
  for (int i = 0; i < 100'000; ++i) entry.add_xattrs();
  EXPECT_EQ(refusal_of_leaf({}, leaf_of(leaf)),
            "catalog: malformed, or more entries than a leaf may have");
}

TEST(DecodeLeaf, AnEmptyFileWhoseContentIsSaidToBeListsIsJustEmpty) {
  format::CatalogLeafProto leaf;
  add_entry(leaf, 0, "a").set_content_lists(true);
  const auto entries = decode_leaf({}, leaf_of(leaf));
  ASSERT_TRUE(entries);
  EXPECT_EQ(entries->at(0).content, Content());
}

TEST(DecodeLeaf, AnEntryThatCannotBeIsRefusedAndSaysWhy) {
  const std::vector<ObjectId> refs(3);
  struct Case {
    const char* reason;
    std::function<void(format::EntryProto&)> spoil;
  };
  const std::vector<Case> cases = {
      {"an entry shares more than the path before has", [](auto& e) { e.set_shared(2); }},
      {"a path longer than any may be",
       [](auto& e) { e.set_suffix(std::string((1 << 20) + 1, 'x')); }},
      {"a path that no file can have", [](auto& e) { e.set_suffix("b/../c"); }},
      {"a path that no file can have", [](auto& e) { e.set_suffix("b/./c"); }},
      {"a path that no file can have", [](auto& e) { e.set_suffix("b//c"); }},
      {"a path that no file can have", [](auto& e) { e.set_suffix(std::string("b\0c", 3)); }},
      {"a time out of range", [](auto& e) { e.set_mtime_ns(1'000'000'000); }},
      {"a time out of range", [](auto& e) { e.set_ctime_ns(1'000'000'000); }},
      {"unknown condition", [](auto& e) { e.set_condition(3); }},
      {"an entry's content is outside its refs", [](auto& e) { e.set_first_ref(2); }},
      {"an entry's content is outside its refs", [](auto& e) { e.set_first_ref(~0U); }},
      {"an entry has other than one length a chunk", [](auto& e) { e.clear_lengths(); }},
      {"an entry has other than one length a chunk", [](auto& e) { e.set_content_lists(true); }},
      {"an entry's chunks do not add up to its size", [](auto& e) { e.set_size(4); }},
      {"entries out of order", [](auto& e) { e.set_suffix("A"); }},
      {"entries out of order", [](auto& e) { e.set_suffix("a"); }},
  };
  for (const Case& one : cases) {
    format::CatalogLeafProto leaf;
    add_entry(leaf, 0, "a");
    format::EntryProto& entry = add_entry(leaf, 0, "b");
    entry.set_ref_count(2);
    entry.add_lengths(2);
    entry.add_lengths(3);
    entry.set_size(5);
    ASSERT_EQ(refusal_of_leaf(refs, leaf_of(leaf)), "none");
    one.spoil(entry);
    EXPECT_EQ(refusal_of_leaf(refs, leaf_of(leaf)), std::string("catalog: ") + one.reason);
  }
}

TEST(DecodeLeaf, FieldsOfALaterVersionArePassedOver) {
  format::CatalogLeafProto leaf;
  add_entry(leaf, 0, "a");
  Bytes payload = leaf_of(leaf);
  append(payload, as_bytes(std::string_view("\x78\x05", 2)));  // field 15, a number
  append(payload, as_bytes(std::string_view("\x08\x05", 2)));  // an entry that is a number
  const auto entries = decode_leaf({}, payload);
  ASSERT_TRUE(entries) << entries.error().message();
  ASSERT_EQ(entries->size(), 1U);
  EXPECT_EQ(entries->at(0).entry.path, "a");
}

TEST(ListKind, IsOneOfThree) {
  for (const Byte kind : Bytes{1, 2, 3})
    EXPECT_EQ(static_cast<Byte>(list_kind(Bytes{kind, 7}).value()), kind);
  for (const Bytes& none : {Bytes{}, Bytes{0}, Bytes{4}})
    EXPECT_EQ(list_kind(none).error().code(), Code::kCorrupt);
}

TEST(DecodeLeaf, WhatIsNoLeafIsRefused) {
  EXPECT_EQ(refusal_of_leaf({}, {}), "catalog: malformed, or more entries than a leaf may have");
  EXPECT_EQ(refusal_of_leaf({}, {4}), "catalog: unknown kind of list object");
  EXPECT_EQ(refusal_of_leaf({}, {static_cast<Byte>(ListKind::kIndex)}),
            "catalog: another kind of list object than expected");
  // A field that ends behind the bytes there are; one of another type than the grammar has.
  EXPECT_EQ(refusal_of_leaf({}, {static_cast<Byte>(ListKind::kLeaf), 0x0A, 0x05, 0x12}),
            "catalog: malformed, or more entries than a leaf may have");
  EXPECT_EQ(refusal_of_leaf({}, {static_cast<Byte>(ListKind::kLeaf), 0x0A, 0x02, 0x12, 0x05}),
            "catalog: malformed, or more entries than a leaf may have");
  // The grammar's group ends are no part of it.
  EXPECT_EQ(refusal_of_leaf({}, {static_cast<Byte>(ListKind::kLeaf), 0x0C}),
            "catalog: malformed, or more entries than a leaf may have");
}

TEST(DecodeChunkList, HasOneLengthARef) {
  const std::vector<ObjectId> refs(2);
  const std::vector<std::uint32_t> lengths = {1, 2};
  const Bytes payload = encode_chunk_list(lengths);
  EXPECT_EQ(decode_chunk_list(refs, payload).value(), lengths);
  const auto fewer = decode_chunk_list(std::span(refs).first(1), payload);
  ASSERT_FALSE(fewer);
  EXPECT_EQ(fewer.error().message(), "catalog: a chunk list has other than one length a chunk");
  // A packed field that ends behind the bytes there are.
  const auto torn = decode_chunk_list(refs, {{static_cast<Byte>(ListKind::kChunkList), 0x0A, 9}});
  ASSERT_FALSE(torn);
  EXPECT_EQ(torn.error().message(), "catalog: malformed");
}

TEST(DecodeIndex, HasOneChildARefAndALevelThatThereCanBe) {
  const std::vector<ObjectId> refs(1);
  const auto refusal = [&](std::span<const ObjectId> of, const CatalogIndex& index) {
    const auto decoded = decode_index(of, encode_index(index));
    return decoded ? "none" : decoded.error().message();
  };
  const CatalogIndex good{1, {{refs[0], "a", 1, 1}}};
  EXPECT_EQ(refusal(refs, good), "none");
  EXPECT_EQ(refusal({}, good), "catalog: an index node has other than one child a ref");
  EXPECT_EQ(refusal({}, {1, {}}), "catalog: an index node has other than one child a ref");
  EXPECT_EQ(refusal(refs, {0, good.children}), "catalog: an index node's level is out of range");
  EXPECT_EQ(refusal(refs, {kMaxCatalogLevels + 1, good.children}),
            "catalog: an index node's level is out of range");
  EXPECT_EQ(decode_index(refs, {}).error().message(),
            "catalog: malformed, or more children than refs");
  EXPECT_EQ(decode_index(refs, {{static_cast<Byte>(ListKind::kLeaf)}}).error().message(),
            "catalog: another kind of list object than expected");
}

TEST(DecodeIndex, CountlessEmptyChildrenAreRefusedBeforeTheyAreMade) {
  Bytes payload{static_cast<Byte>(ListKind::kIndex)};
  for (int i = 0; i < 2'000'000; ++i) append(payload, as_bytes(std::string_view("\x12\x00", 2)));
  const std::vector<ObjectId> refs(1);
  const auto index = decode_index(refs, payload);
  ASSERT_FALSE(index);
  EXPECT_EQ(index.error().message(), "catalog: malformed, or more children than refs");
}

TEST(DecodeIndex, AChildThatBeginsWhereNoFileCanBeIsRefused) {
  const std::vector<ObjectId> refs(1);
  const CatalogIndex index{1, {{refs[0], "a/../b", 1, 1}}};
  EXPECT_FALSE(decode_index(refs, encode_index(index)));
}

}  // namespace
}  // namespace holdfast::agent
