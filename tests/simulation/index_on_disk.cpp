// log   := batch*
// batch := length u32 | checksum u64 (of the chain so far and what follows) | put count u32 | put*
//          | removal count u32 | id* | note count u32 | note* | segment u32 | offset u64
// put   := id | segment u32 | offset u64 | length u32 | kind u8 | position u16 | flags u8
// note  := name length u32 | name | has value u8 | value length u32 | value
//
// The chain keeps a batch that was cut off from coming back to life behind another one.
#include "tests/simulation/index_on_disk.h"

#include "common/base/endian.h"
#include "common/content/checksum.h"

namespace holdfast::repository {
namespace {

constexpr std::size_t kHeadSize = 12;
constexpr std::size_t kMostBytes = std::size_t{1} << 30;

template <typename T>
void put(Bytes& to, T value) {
  Byte bytes[sizeof value];
  store_le(bytes, value);
  append(to, bytes);
}

// Takes values off the front; what was written whole is read whole.
class Cursor {
 public:
  explicit Cursor(ByteView rest) : rest_(rest) {}
  template <typename T>
  T number() {
    return load_le<T>(bytes(sizeof(T)).data());
  }
  ByteView bytes(std::size_t size) {
    const ByteView taken = rest_.first(size);
    rest_ = rest_.subspan(size);
    return taken;
  }

 private:
  ByteView rest_;
};

Bytes encode_entry(const ObjectEntry& entry) {
  Bytes bytes;
  put(bytes, entry.location.segment);
  put(bytes, entry.location.offset);
  put(bytes, entry.location.length);
  put(bytes, static_cast<std::uint8_t>(entry.kind));
  put(bytes, entry.position);
  put(bytes, static_cast<std::uint8_t>((entry.incomplete ? 1 : 0) | (entry.damaged ? 2 : 0)));
  return bytes;
}

ObjectEntry decode_entry(Cursor& from) {
  ObjectEntry entry;
  entry.location.segment = from.number<std::uint32_t>();
  entry.location.offset = from.number<std::uint64_t>();
  entry.location.length = from.number<std::uint32_t>();
  entry.kind = static_cast<format::ObjectKind>(from.number<std::uint8_t>());
  entry.position = from.number<std::uint16_t>();
  const auto flags = from.number<std::uint8_t>();
  entry.incomplete = (flags & 1) != 0;
  entry.damaged = (flags & 2) != 0;
  return entry;
}

std::uint64_t chained(std::uint64_t chain, ByteView body) {
  Bytes bytes;
  put(bytes, chain);
  append(bytes, body);
  return content::checksum64(bytes);
}

}  // namespace

Result<std::unique_ptr<IndexOnDisk>> IndexOnDisk::open(FileSystem& files, const std::string& path) {
  std::unique_ptr<IndexOnDisk> index(new IndexOnDisk(files, path));
  HOLDFAST_ASSIGN(const bool there, files.exists(path));
  HOLDFAST_TRY(there ? index->replay() : index->start_empty());
  return index;
}

Status IndexOnDisk::start_empty() {
  HOLDFAST_ASSIGN(file_, files_.open(path_, OpenMode::kCreateNew));
  log_.clear();
  chain_ = 0;
  broken_ = false;
  return {};
}

Status IndexOnDisk::repair() {
  if (!broken_) return {};
  HOLDFAST_TRY(write_file_atomically(files_, path_, log_));
  HOLDFAST_ASSIGN(file_, files_.open(path_, OpenMode::kReadWrite));
  broken_ = false;
  return {};
}

Status IndexOnDisk::replay() {
  HOLDFAST_ASSIGN(file_, files_.open(path_, OpenMode::kReadWrite));
  HOLDFAST_ASSIGN(const Buffer log, read_file(files_, path_, kMostBytes));
  for (bool whole = true; whole;) {
    HOLDFAST_ASSIGN(whole, take_batch(log.view().subspan(log_.size())));
  }
  HOLDFAST_TRY(memory_.flush());
  return log_.size() == log.size() ? Status() : file_->truncate(log_.size());
}

Result<bool> IndexOnDisk::take_batch(ByteView log) {
  if (log.size() < kHeadSize) return false;
  const auto length = load_le<std::uint32_t>(log.data());
  const auto sum = load_le<std::uint64_t>(log.data() + 4);
  if (length > log.size() - kHeadSize) return false;
  const ByteView body = log.subspan(kHeadSize, length);
  if (chained(chain_, body) != sum) return false;

  Cursor from(body);
  std::vector<Put> puts(from.number<std::uint32_t>());
  for (Put& put : puts) {
    put.id = *ObjectId::from(from.bytes(ObjectId::kSize));
    put.entry = decode_entry(from);
  }
  std::vector<ObjectId> removals(from.number<std::uint32_t>());
  for (ObjectId& id : removals) id = *ObjectId::from(from.bytes(ObjectId::kSize));
  std::vector<Note> notes(from.number<std::uint32_t>());
  for (Note& note : notes) {
    note.name = to_string(from.bytes(from.number<std::uint32_t>()));
    const bool has_value = from.number<std::uint8_t>() != 0;
    const ByteView value = from.bytes(from.number<std::uint32_t>());
    if (has_value) note.value = Bytes(value.begin(), value.end());
  }
  Checkpoint checkpoint;
  checkpoint.segment = from.number<std::uint32_t>();
  checkpoint.offset = from.number<std::uint64_t>();
  HOLDFAST_TRY(memory_.write(puts, removals, notes, checkpoint));
  chain_ = sum;
  append(log_, log.first(kHeadSize + length));
  return true;
}

Status IndexOnDisk::write(std::span<const Put> puts, std::span<const ObjectId> removals,
                          std::span<const Note> notes, Checkpoint checkpoint) {
  HOLDFAST_TRY(repair());
  Bytes body;
  put(body, static_cast<std::uint32_t>(puts.size()));
  for (const Put& one : puts) {
    append(body, one.id.view());
    append(body, encode_entry(one.entry));
  }
  put(body, static_cast<std::uint32_t>(removals.size()));
  for (const ObjectId& id : removals) append(body, id.view());
  put(body, static_cast<std::uint32_t>(notes.size()));
  for (const Note& note : notes) {
    put(body, static_cast<std::uint32_t>(note.name.size()));
    append(body, as_bytes(note.name));
    put(body, static_cast<std::uint8_t>(note.value.has_value()));
    put(body, static_cast<std::uint32_t>(note.value ? note.value->size() : 0));
    if (note.value) append(body, *note.value);
  }
  put(body, checkpoint.segment);
  put(body, checkpoint.offset);
  const std::uint64_t sum = chained(chain_, body);
  Bytes head;
  put(head, static_cast<std::uint32_t>(body.size()));
  put(head, sum);
  if (Status written = file_->write_at(log_.size(), {head, body}); !written) {
    broken_ = true;
    return written;
  }
  chain_ = sum;
  append(log_, head);
  append(log_, body);
  HOLDFAST_TRY(memory_.write(puts, removals, notes, checkpoint));
  return memory_.flush();
}

Status IndexOnDisk::flush() {
  HOLDFAST_TRY(repair());
  Status synced = file_->sync_data();
  if (synced) synced = files_.sync_directory(parent_path(path_));
  broken_ = !synced;
  return synced;
}

Status IndexOnDisk::clear() {
  file_.reset();
  broken_ = true;
  log_.clear();
  chain_ = 0;
  HOLDFAST_TRY(memory_.clear());
  Status removed = files_.remove(path_);
  if (!removed && removed.error().code() != Code::kNotFound) return removed;
  return start_empty();
}

Result<std::vector<std::optional<ObjectEntry>>> IndexOnDisk::get(std::span<const ObjectId> ids) {
  return memory_.get(ids);
}

Status IndexOnDisk::for_each(
    const std::function<bool(const ObjectId&, const ObjectEntry&)>& visit) {
  return memory_.for_each(visit);
}

Status IndexOnDisk::for_each_note(std::string_view prefix,
                                  const std::function<bool(std::string_view, ByteView)>& visit) {
  return memory_.for_each_note(prefix, visit);
}

}  // namespace holdfast::repository
