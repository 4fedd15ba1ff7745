// file    := magic "HFCATF01" | reserved (8) | object* | trailer
// object  := kind u32 | refs u32 | payload length u32 | XXH3-64 of what follows (8) | id | refs |
// payload trailer := root (32) | manifest | manifest length u32 | end magic u32 | XXH3-64 of the
// trailer so far (8)
#include "agent/catalog_file.h"

#include <algorithm>

#include "common/base/endian.h"
#include "common/content/checksum.h"
#include "common/format/frame.h"

namespace holdfast::agent {
namespace {

constexpr std::string_view kMagic = "HFCATF01";
constexpr std::uint32_t kEndMagic = 0x444E4548;
constexpr std::size_t kHeadSize = 20;
constexpr std::size_t kTailSize = 16;
constexpr std::size_t kBufferSize = 1 << 20;
constexpr std::size_t kMaxPayload = std::size_t{64} << 20;
constexpr std::size_t kMaxManifest = 1 << 20;

Error corrupt(std::string_view what) {
  return Error(Code::kCorrupt, "catalog file: " + std::string(what));
}

Status read_whole(File& file, std::uint64_t offset, MutableByteView out) {
  HOLDFAST_ASSIGN(const std::size_t got, file.read_at(offset, out));
  return got == out.size() ? Status() : corrupt("it became shorter");
}

template <typename T>
void put(Bytes& to, T value) {
  Byte bytes[sizeof value];
  store_le(bytes, value);
  append(to, bytes);
}

}  // namespace

Result<CatalogFileWriter> CatalogFileWriter::create(FileSystem& files, const std::string& path) {
  HOLDFAST_ASSIGN(const bool there, files.exists(path));
  if (there) HOLDFAST_TRY(files.remove(path));
  HOLDFAST_ASSIGN(auto file, files.open(path, OpenMode::kCreateNew));
  CatalogFileWriter writer(std::move(file));
  append(writer.buffer_, as_bytes(kMagic));
  put<std::uint64_t>(writer.buffer_, 0);
  return writer;
}

Status CatalogFileWriter::add(const ListObject& object) {
  const std::size_t at = buffer_.size();
  put(buffer_, static_cast<std::uint32_t>(object.kind));
  put(buffer_, static_cast<std::uint32_t>(object.refs.size()));
  put(buffer_, static_cast<std::uint32_t>(object.payload.size()));
  put<std::uint64_t>(buffer_, 0);
  append(buffer_, object.id.view());
  append(buffer_,
         {reinterpret_cast<const Byte*>(object.refs.data()), object.refs.size() * ObjectId::kSize});
  append(buffer_, object.payload);
  store_le(buffer_.data() + at + 12,
           content::checksum64(ByteView(buffer_).subspan(at + kHeadSize)));
  return buffer_.size() >= kBufferSize ? flush() : Status();
}

Status CatalogFileWriter::finish(const ObjectId& root, ByteView signed_manifest) {
  HOLDFAST_TRY(flush());
  append(buffer_, root.view());
  append(buffer_, signed_manifest);
  put(buffer_, static_cast<std::uint32_t>(signed_manifest.size()));
  put(buffer_, kEndMagic);
  put(buffer_, content::checksum64(buffer_));
  return flush();
}

Status CatalogFileWriter::flush() {
  HOLDFAST_TRY(file_->write_at(written_, {buffer_}));
  written_ += buffer_.size();
  buffer_.clear();
  return {};
}

Result<CatalogFileReader> CatalogFileReader::open(FileSystem& files, const std::string& path) {
  CatalogFileReader reader;
  HOLDFAST_ASSIGN(reader.file_, files.open(path, OpenMode::kRead));
  HOLDFAST_ASSIGN(const std::uint64_t size, reader.file_->size());
  if (size < kBegin + ObjectId::kSize + kTailSize) return corrupt("too short");
  Byte magic[kMagic.size()];
  HOLDFAST_TRY(read_whole(*reader.file_, 0, magic));
  if (as_text(magic) != kMagic) return corrupt("it is none, or of another version");
  Byte tail[kTailSize];
  HOLDFAST_TRY(read_whole(*reader.file_, size - kTailSize, tail));
  const auto manifest_size = load_le<std::uint32_t>(tail);
  const std::uint64_t trailer_size = std::uint64_t{ObjectId::kSize} + manifest_size + kTailSize;
  if (load_le<std::uint32_t>(tail + 4) != kEndMagic || manifest_size > kMaxManifest ||
      trailer_size > size - kBegin)
    return corrupt("it was not finished");
  Bytes trailer(trailer_size);
  HOLDFAST_TRY(read_whole(*reader.file_, size - trailer_size, trailer));
  if (load_le<std::uint64_t>(trailer.data() + trailer_size - 8) !=
      content::checksum64(ByteView(trailer).first(trailer_size - 8)))
    return corrupt("its end does not match its checksum");
  std::memcpy(reader.root_.bytes.data(), trailer.data(), ObjectId::kSize);
  reader.manifest_.assign(trailer.begin() + ObjectId::kSize,
                          trailer.begin() + ObjectId::kSize + manifest_size);
  reader.end_ = size - trailer_size;
  return reader;
}

// `size` bytes from position_, which they move.
Result<ByteView> CatalogFileReader::take(std::size_t size) {
  const std::size_t offset = static_cast<std::size_t>(position_ - buffer_at_);
  if (buffer_.empty() || offset + size > buffer_.size()) {
    if (size > end_ - position_) return corrupt("an object reaches beyond its end");
    buffer_.resize(static_cast<std::size_t>(
        std::min<std::uint64_t>(std::max(size, kBufferSize), end_ - position_)));
    buffer_at_ = position_;
    HOLDFAST_TRY(read_whole(*file_, buffer_at_, buffer_));
  }
  const ByteView view =
      ByteView(buffer_).subspan(static_cast<std::size_t>(position_ - buffer_at_), size);
  position_ += size;
  return view;
}

Result<std::optional<ListObject>> CatalogFileReader::next() {
  if (position_ >= end_) return std::optional<ListObject>();
  HOLDFAST_ASSIGN(const ByteView head, take(kHeadSize));
  const auto kind = load_le<std::uint32_t>(head.data());
  const auto refs = load_le<std::uint32_t>(head.data() + 4);
  const auto payload = load_le<std::uint32_t>(head.data() + 8);
  const auto sum = load_le<std::uint64_t>(head.data() + 12);
  if (kind < 1 || kind > 3 || refs > format::kMaxFrameRefs || payload > kMaxPayload)
    return corrupt("malformed object");
  HOLDFAST_ASSIGN(const ByteView body, take(ObjectId::kSize * (std::size_t{1} + refs) + payload));
  if (content::checksum64(body) != sum) return corrupt("an object does not match its checksum");
  ListObject object;
  object.kind = static_cast<ListKind>(kind);
  std::memcpy(object.id.bytes.data(), body.data(), ObjectId::kSize);
  object.refs.resize(refs);
  if (refs != 0)
    std::memcpy(object.refs.data(), body.data() + ObjectId::kSize, refs * ObjectId::kSize);
  const ByteView rest = body.subspan(ObjectId::kSize * (std::size_t{1} + refs));
  object.payload.assign(rest.begin(), rest.end());
  return std::optional<ListObject>(std::move(object));
}

Result<CatalogEntry*> CatalogEntryReader::next() {
  while (at_ >= leaf_.size()) {
    HOLDFAST_ASSIGN(auto object, file_.next());
    if (!object) return static_cast<CatalogEntry*>(nullptr);
    if (object->kind != ListKind::kLeaf) continue;
    HOLDFAST_ASSIGN(leaf_, decode_leaf(object->refs, object->payload));
    at_ = 0;
  }
  return &leaf_[at_++];
}

}  // namespace holdfast::agent
