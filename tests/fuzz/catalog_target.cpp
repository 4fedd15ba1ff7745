// What lists of objects say: the payloads of catalog nodes and chunk lists, which any agent of the
// trust group can write as it likes, and the local file that catalogs are kept in.
//
// A catalog node: refs u8, payload. A catalog file: 0 as it is, 1 with its checksums made to fit.
#include "agent/catalog_codec.h"
#include "agent/catalog_file.h"
#include "agent/catalog_node.h"
#include "common/base/endian.h"
#include "common/content/checksum.h"
#include "tests/fuzz/allocation_budget.h"
#include "tests/fuzz/one_file.h"
#include "tests/fuzz/promises.h"
#include "tests/fuzz/targets.h"

namespace holdfast::fuzz {
namespace {

using agent::ListKind;

std::span<const ObjectId> some_refs(std::size_t count) {
  static const std::vector<ObjectId> refs = [] {
    std::vector<ObjectId> all(256);
    for (std::size_t i = 0; i < all.size(); ++i) all[i].bytes[0] = static_cast<Byte>(i);
    return all;
  }();
  return std::span(refs).first(count);
}

// An entry's own memory: 400 bytes with its strings, of which the least takes two in a message.
template <typename Decode>
auto decode(std::span<const ObjectId> refs, ByteView payload, Decode decode_payload) {
  const AllocationBudget budget(payload.size() + refs.size_bytes(), 64 << 10, 512);
  auto decoded = decode_payload(refs, payload);
  succeeded(decoded, {Code::kCorrupt});
  return decoded;
}

void read_leaf(std::span<const ObjectId> refs, ByteView payload) {
  const auto entries = decode(refs, payload, agent::decode_leaf);
  if (!entries) return;
  agent::LeafEncoder encoder;
  std::size_t used = 0;
  for (const agent::CatalogEntry& entry : *entries) {
    check(agent::is_valid_path(entry.entry.path), "a path that no file can have");
    used += entry.content.refs.size();
    encoder.add(entry);
  }
  check(used <= refs.size(), "entries with more refs than their leaf");
  const auto [refs_again, payload_again] = encoder.take();
  const auto again = agent::decode_leaf(refs_again, payload_again);
  check(again.has_value() && *again == *entries, "a leaf that does not come back");
}

void read_index(std::span<const ObjectId> refs, ByteView payload) {
  const auto index = decode(refs, payload, agent::decode_index);
  if (!index) return;
  for (const agent::CatalogChild& child : index->children)
    check(agent::is_valid_path(child.first_path), "a path that no file can have");
  const auto again = agent::decode_index(refs, agent::encode_index(*index));
  check(again.has_value() && again->level == index->level && again->children == index->children,
        "an index node that does not come back");
}

void read_chunk_list(std::span<const ObjectId> refs, ByteView payload) {
  const auto lengths = decode(refs, payload, agent::decode_chunk_list);
  if (!lengths) return;
  const auto again = agent::decode_chunk_list(refs, agent::encode_chunk_list(*lengths));
  check(again.has_value() && *again == *lengths, "a chunk list that does not come back");
}

constexpr std::size_t kFileBegin = 16, kObjectHead = 20, kTail = 16;

// Goes over the objects as far as their lengths lead, then the trailer.
void fit_checksums(Bytes& file) {
  if (file.size() < kFileBegin + ObjectId::kSize + kTail) return;
  const std::size_t manifest = load_le<std::uint32_t>(file.data() + file.size() - kTail);
  const std::size_t trailer = ObjectId::kSize + manifest + kTail;
  if (trailer > file.size() - kFileBegin) return;
  store_le(file.data() + file.size() - 8,
           content::checksum64(
               ByteView(file).subspan(file.size() - trailer, trailer - sizeof(std::uint64_t))));
  const std::size_t end = file.size() - trailer;
  for (std::size_t at = kFileBegin; end - at >= kObjectHead;) {
    const std::size_t refs = load_le<std::uint32_t>(file.data() + at + 4);
    const std::size_t payload = load_le<std::uint32_t>(file.data() + at + 8);
    const std::size_t body = ObjectId::kSize * (1 + refs) + payload;
    if (body > end - at - kObjectHead) return;
    store_le(file.data() + at + 12,
             content::checksum64(ByteView(file).subspan(at + kObjectHead, body)));
    at += kObjectHead + body;
  }
}

void copy_catalog(agent::CatalogFileReader& reader, ByteView bytes) {
  OneFile copy({});
  auto writer = agent::CatalogFileWriter::create(copy, "/copy");
  check(writer.has_value(), "a catalog file cannot be created");
  reader.rewind();
  while (auto object = *reader.next())
    check(writer->add(*object).has_value(), "it cannot be added");
  check(writer->finish(reader.root(), reader.signed_manifest()).has_value(), "it cannot be ended");
  // The bytes behind the magic mean nothing, and are written as zeros.
  check(std::ranges::equal(ByteView(copy.content()).subspan(kFileBegin), bytes.subspan(kFileBegin)),
        "a catalog file that does not come back");
}

}  // namespace

void catalog_node(ByteView input) {
  const Input parts(input);
  const Input inner(parts.rest);
  const auto refs = some_refs(inner.mode);
  const auto kind = agent::list_kind(inner.rest);
  if (!succeeded(kind, {Code::kCorrupt})) return;
  switch (*kind) {
    case ListKind::kLeaf:
      return read_leaf(refs, inner.rest);
    case ListKind::kIndex:
      return read_index(refs, inner.rest);
    case ListKind::kChunkList:
      return read_chunk_list(refs, inner.rest);
  }
}

void catalog_file(ByteView input) {
  const Input parts(input);
  Bytes bytes(parts.rest.begin(), parts.rest.end());
  if (parts.mode == 1) fit_checksums(bytes);
  OneFile file(bytes);
  const AllocationBudget budget(bytes.size());
  auto reader = agent::CatalogFileReader::open(file, "/catalog");
  if (!succeeded(reader, {Code::kCorrupt})) return;
  for (;;) {
    const auto object = reader->next();
    if (!succeeded(object, {Code::kCorrupt})) return;
    if (!*object) break;
  }
  reader->rewind();
  agent::CatalogEntryReader entries(*reader);
  for (;;) {
    const auto entry = entries.next();
    if (!succeeded(entry, {Code::kCorrupt}) || *entry == nullptr) break;
  }
  copy_catalog(*reader, bytes);
}

}  // namespace holdfast::fuzz
