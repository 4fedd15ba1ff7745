#include "agent/catalog_node.h"

#include <fmt/format.h>

#include "agent/catalog_codec.h"
#include "common/format/catalog.pb.h"
#include "common/format/field_scan.h"

namespace holdfast::agent {
namespace {

Error corrupt(std::string_view what) {
  return Error(Code::kCorrupt, fmt::format("catalog: {}", what));
}

constexpr std::size_t kMaxPath = 1 << 20;
// Far more than the builder puts into one.
constexpr std::size_t kMaxLeafEntries = 16'384;
constexpr std::size_t kMaxLeafXattrs = 65'536;
constexpr std::size_t kMaxLeafPathBytes = std::size_t{16} << 20;

// Whether a leaf has few enough entries and extended attributes; it is asked before anything is
// made of them, since one of two bytes becomes an object of hundreds.
bool is_bounded_leaf(ByteView message) {
  constexpr std::uint32_t kEntry = format::CatalogLeafProto::kEntriesFieldNumber;
  constexpr std::uint32_t kXattr = format::EntryProto::kXattrsFieldNumber;
  std::size_t entries = 0, xattrs = 0;
  format::FieldScan fields(message);
  while (const auto field = fields.next()) {
    if (field->number != kEntry || !field->is_delimited) continue;
    if (++entries > kMaxLeafEntries) return false;
    format::FieldScan inner(field->content);
    while (const auto part = inner.next())
      if (part->number == kXattr && ++xattrs > kMaxLeafXattrs) return false;
    if (inner.malformed()) return false;
  }
  return !fields.malformed();
}

template <typename Proto>
Status parse(Proto& proto, ListKind kind, ByteView payload) {
  HOLDFAST_ASSIGN(const ListKind actual, list_kind(payload));
  if (actual != kind) return corrupt("another kind of list object than expected");
  if (!proto.ParseFromArray(payload.data() + 1, static_cast<int>(payload.size() - 1)))
    return corrupt("malformed");
  return {};
}

template <typename Proto>
Bytes serialize(ListKind kind, const Proto& proto) {
  Bytes payload(1 + proto.ByteSizeLong());
  payload[0] = static_cast<Byte>(kind);
  proto.SerializeWithCachedSizesToArray(payload.data() + 1);
  return payload;
}

Status decode_content(Content& content, const format::EntryProto& proto,
                      std::span<const ObjectId> refs) {
  const std::size_t first = proto.first_ref(), count = proto.ref_count();
  if (count > refs.size() || first > refs.size() - count)
    return corrupt("an entry's content is outside its refs");
  content.refs.assign(refs.begin() + static_cast<std::ptrdiff_t>(first),
                      refs.begin() + static_cast<std::ptrdiff_t>(first + count));
  content.lists = proto.content_lists() && count > 0;
  content.lengths.assign(proto.lengths().begin(), proto.lengths().end());
  if (content.lengths.size() != (count > 1 && !content.lists ? count : 0))
    return corrupt("an entry has other than one length a chunk");
  std::uint64_t total = 0;
  for (const auto length : content.lengths) total += length;
  if (!content.lengths.empty() && total != proto.size())
    return corrupt("an entry's chunks do not add up to its size");
  return {};
}

Status decode_entry(CatalogEntry& to, format::EntryProto& proto, std::string_view path_before) {
  Entry& entry = to.entry;
  if (proto.shared() > path_before.size())
    return corrupt("an entry shares more than the path before has");
  if (proto.shared() + proto.suffix().size() > kMaxPath)
    return corrupt("a path longer than any may be");
  entry.path.reserve(proto.shared() + proto.suffix().size());
  entry.path.append(path_before.substr(0, proto.shared())).append(proto.suffix());
  if (!is_valid_path(entry.path)) return corrupt("a path that no file can have");
  entry.mode = proto.mode();
  entry.uid = proto.uid();
  entry.gid = proto.gid();
  entry.mtime = {proto.mtime_s(), proto.mtime_ns()};
  entry.ctime = {proto.ctime_s(), proto.ctime_ns()};
  if (proto.mtime_ns() >= 1'000'000'000 || proto.ctime_ns() >= 1'000'000'000)
    return corrupt("a time out of range");
  entry.size = proto.size();
  entry.inode = proto.inode();
  entry.device = proto.device();
  entry.links = proto.links() == 0 ? 1 : proto.links();
  entry.special_device = proto.special_device();
  entry.target = std::move(*proto.mutable_target());
  entry.user = std::move(*proto.mutable_user());
  entry.group = std::move(*proto.mutable_group());
  for (auto& xattr : *proto.mutable_xattrs())
    entry.xattrs.push_back({std::move(*xattr.mutable_name()), std::move(*xattr.mutable_value())});
  if (proto.condition() > static_cast<unsigned>(EntryCondition::kUnreadable))
    return corrupt("unknown condition");
  entry.condition = static_cast<EntryCondition>(proto.condition());
  return {};
}

}  // namespace

bool is_valid_path(std::string_view path) {
  if (path.empty()) return true;  // the root of the file system
  if (path.find('\0') != std::string_view::npos) return false;
  for (;;) {
    const auto slash = path.find('/');
    const auto component = path.substr(0, slash);
    if (component.empty() || component == "." || component == "..") return false;
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
}

Result<ListKind> list_kind(ByteView payload) {
  if (payload.empty() || payload[0] < 1 || payload[0] > 3)
    return corrupt("unknown kind of list object");
  return static_cast<ListKind>(payload[0]);
}

Result<std::vector<CatalogEntry>> decode_leaf(std::span<const ObjectId> refs, ByteView payload) {
  if (payload.empty() || !is_bounded_leaf(payload.subspan(1)))
    return corrupt("malformed, or more entries than a leaf may have");
  format::CatalogLeafProto proto;
  HOLDFAST_TRY(parse(proto, ListKind::kLeaf, payload));
  std::vector<CatalogEntry> entries;
  std::size_t path_bytes = 0, used_refs = 0;
  entries.reserve(static_cast<std::size_t>(proto.entries_size()));
  for (auto& from : *proto.mutable_entries()) {
    const std::string_view before =
        entries.empty() ? std::string_view() : entries.back().entry.path;
    CatalogEntry entry;
    HOLDFAST_TRY(decode_entry(entry, from, before));
    // An entry of a few bytes can share a long path, or name all refs, as others before it do.
    path_bytes += entry.entry.path.size();
    if (path_bytes > kMaxLeafPathBytes) return corrupt("longer paths than a leaf may have");
    if (from.ref_count() > refs.size() - used_refs)
      return corrupt("its entries' contents are more than its refs");
    used_refs += from.ref_count();
    HOLDFAST_TRY(decode_content(entry.content, from, refs));
    if (!entries.empty() && compare_paths(before, entry.entry.path) >= 0)
      return corrupt("entries out of order");
    entries.push_back(std::move(entry));
  }
  return entries;
}

Result<CatalogIndex> decode_index(std::span<const ObjectId> refs, ByteView payload) {
  constexpr std::size_t kOtherFields = 16;
  if (payload.empty() ||
      !format::has_at_most_fields(payload.subspan(1), refs.size() + kOtherFields))
    return corrupt("malformed, or more children than refs");
  format::CatalogIndexProto proto;
  HOLDFAST_TRY(parse(proto, ListKind::kIndex, payload));
  if (static_cast<std::size_t>(proto.children_size()) != refs.size() || refs.empty())
    return corrupt("an index node has other than one child a ref");
  if (proto.level() == 0 || proto.level() > kMaxCatalogLevels)
    return corrupt("an index node's level is out of range");
  CatalogIndex index{proto.level(), {}};
  index.children.reserve(refs.size());
  for (std::size_t i = 0; i < refs.size(); ++i) {
    auto& child = *proto.mutable_children(static_cast<int>(i));
    if (!is_valid_path(child.first_path())) return corrupt("a path that no file can have");
    index.children.push_back(
        {refs[i], std::move(*child.mutable_first_path()), child.entries(), child.bytes()});
  }
  return index;
}

Result<std::vector<std::uint32_t>> decode_chunk_list(std::span<const ObjectId> refs,
                                                     ByteView payload) {
  format::ChunkListProto proto;
  HOLDFAST_TRY(parse(proto, ListKind::kChunkList, payload));
  if (static_cast<std::size_t>(proto.lengths_size()) != refs.size())
    return corrupt("a chunk list has other than one length a chunk");
  return std::vector<std::uint32_t>(proto.lengths().begin(), proto.lengths().end());
}

Bytes encode_index(const CatalogIndex& index) {
  format::CatalogIndexProto proto;
  proto.set_level(index.level);
  for (const CatalogChild& child : index.children) {
    auto* to = proto.add_children();
    to->set_first_path(child.first_path);
    to->set_entries(child.entries);
    to->set_bytes(child.bytes);
  }
  return serialize(ListKind::kIndex, proto);
}

Bytes encode_chunk_list(std::span<const std::uint32_t> lengths) {
  format::ChunkListProto proto;
  proto.mutable_lengths()->Add(lengths.begin(), lengths.end());
  return serialize(ListKind::kChunkList, proto);
}

// One leaf in the making.
struct LeafEncoder::State {
  format::CatalogLeafProto proto;
  std::vector<ObjectId> refs;
  std::string last_path;
  std::size_t bytes = 0, path_bytes = 0;
};

LeafEncoder::LeafEncoder() : state_(std::make_unique<State>()) {}
LeafEncoder::~LeafEncoder() = default;

void LeafEncoder::add(const CatalogEntry& from) {
  const Entry& entry = from.entry;
  State& state = *state_;
  const bool first = state.proto.entries_size() == 0;
  check(first || compare_paths(state.last_path, entry.path) < 0, "catalog entries out of order");
  const std::size_t most = first ? 0 : std::min(state.last_path.size(), entry.path.size());
  std::size_t shared = 0;
  while (shared < most && state.last_path[shared] == entry.path[shared]) ++shared;

  format::EntryProto& to = *state.proto.add_entries();
  to.set_shared(static_cast<std::uint32_t>(shared));
  to.set_suffix(entry.path.data() + shared, entry.path.size() - shared);
  to.set_mode(entry.mode);
  to.set_uid(entry.uid);
  to.set_gid(entry.gid);
  to.set_mtime_s(entry.mtime.seconds);
  to.set_mtime_ns(entry.mtime.nanoseconds);
  to.set_ctime_s(entry.ctime.seconds);
  to.set_ctime_ns(entry.ctime.nanoseconds);
  to.set_size(entry.size);
  to.set_inode(entry.inode);
  to.set_device(entry.device);
  if (entry.links > 1) to.set_links(entry.links);
  if (!entry.target.empty()) to.set_target(entry.target);
  if (entry.special_device != 0) to.set_special_device(entry.special_device);
  if (!entry.user.empty()) to.set_user(entry.user);
  if (!entry.group.empty()) to.set_group(entry.group);
  std::size_t size = 64 + entry.path.size() - shared + entry.target.size();
  for (const Xattr& xattr : entry.xattrs) {
    auto* attribute = to.add_xattrs();
    attribute->set_name(xattr.name);
    attribute->set_value(xattr.value);
    size += xattr.name.size() + xattr.value.size();
  }
  to.set_condition(static_cast<std::uint32_t>(entry.condition));
  if (!from.content.refs.empty()) {
    to.set_first_ref(static_cast<std::uint32_t>(state.refs.size()));
    to.set_ref_count(static_cast<std::uint32_t>(from.content.refs.size()));
    to.set_content_lists(from.content.lists);
    to.mutable_lengths()->Add(from.content.lengths.begin(), from.content.lengths.end());
    state.refs.insert(state.refs.end(), from.content.refs.begin(), from.content.refs.end());
    size += 4 * from.content.lengths.size();
  }
  state.last_path = entry.path;
  state.bytes += size;
  state.path_bytes += entry.path.size();
}

std::size_t LeafEncoder::refs() const { return state_->refs.size(); }
std::size_t LeafEncoder::approximate_bytes() const { return state_->bytes; }
std::size_t LeafEncoder::path_bytes() const { return state_->path_bytes; }

std::pair<std::vector<ObjectId>, Bytes> LeafEncoder::take() {
  State& state = *state_;
  std::pair<std::vector<ObjectId>, Bytes> leaf{std::move(state.refs),
                                               serialize(ListKind::kLeaf, state.proto)};
  state.proto.Clear();
  state.refs.clear();
  state.bytes = state.path_bytes = 0;
  return leaf;
}

}  // namespace holdfast::agent
