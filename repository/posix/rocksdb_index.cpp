// Keys begin with a byte for their kind: 'o' and an object's id, 'n' and a note's name, 'c' for the
// checkpoint. One column family and one memtable order: what is flushed is always a prefix of the
// batches.
//
// RocksDB finds damage when it reads a block, which may be long after opening. What it finds is
// remembered in a file beside the tables, so that the next opening knows it.
#include "repository/posix/rocksdb_index.h"

#include <fmt/format.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <filesystem>
#include <fstream>
#include <numeric>

#include "common/base/text.h"
#include "repository/posix/index_values.h"
#include "repository/posix/rocksdb_options.h"

namespace holdfast::repository {
namespace {

constexpr char kObject = 'o', kNote = 'n', kCheckpoint = 'c';
constexpr std::size_t kKeySize = 1 + ObjectId::kSize;
constexpr std::size_t kBatch = 512;  // ids a MultiGet: its answers pin as many blocks
constexpr const char* kDamageFile = "/DAMAGED";

rocksdb::Slice slice(const std::string& text) { return {text.data(), text.size()}; }

std::array<char, kKeySize> key_of(const ObjectId& id) {
  std::array<char, kKeySize> key;
  key[0] = kObject;
  std::memcpy(key.data() + 1, id.bytes.data(), ObjectId::kSize);
  return key;
}

Code code_of(const rocksdb::Status& status) {
  if (status.IsNoSpace()) return Code::kNoSpace;
  if (status.IsCorruption() || status.IsNotFound()) return Code::kCorrupt;
  if (status.IsInvalidArgument() || status.IsNotSupported()) return Code::kCorrupt;
  if (status.IsBusy()) return Code::kConflict;
  if (status.IsMemoryLimit()) return Code::kResourceExhausted;
  return Code::kIo;
}

// Of an IOError RocksDB keeps the kind in its words alone. `existed`: there was an index before.
Code code_of_opening(const rocksdb::Status& status, bool existed) {
  const std::string text = status.ToString();
  if (status.IsIOError()) {
    if (text.find("lock ") != std::string::npos || text.find("/LOCK") != std::string::npos)
      return Code::kConflict;
    if (text.find("Permission denied") != std::string::npos) return Code::kPermissionDenied;
    // A table or manifest that is named and not there.
    if (existed && (status.IsPathNotFound() || text.find("No such file") != std::string::npos))
      return Code::kCorrupt;
  }
  return code_of(status);
}

// Everything of RocksDB is called through here: nothing that it throws gets out.
template <typename Call>
auto contained(Call&& call) -> decltype(call()) {
  try {
    return call();
  } catch (const std::exception& exception) {
    return Error(Code::kIo, fmt::format("index: {}", exception.what()));
  }
}

}  // namespace

RocksDbIndex::RocksDbIndex(std::string path, RocksDbLimits limits)
    : path_(std::move(path)), limits_(limits) {}

RocksDbIndex::~RocksDbIndex() = default;

Result<std::unique_ptr<RocksDbIndex>> RocksDbIndex::open(const std::string& path,
                                                         RocksDbLimits limits) {
  return contained([&]() -> Result<std::unique_ptr<RocksDbIndex>> {
    std::unique_ptr<RocksDbIndex> index(new RocksDbIndex(path, limits));
    std::error_code ignored;
    if (std::filesystem::exists(path + kDamageFile, ignored)) {
      index->damage_ = "it was found damaged before";
    } else if (Status opened = index->open_database(); !opened) {
      if (opened.error().code() != Code::kCorrupt) return std::move(opened).error();
      index->damage_ = opened.error().message();
    }
    return index;
  });
}

Status RocksDbIndex::open_database() {
  std::error_code ignored;
  const bool existed = std::filesystem::exists(path_ + "/CURRENT", ignored);
  if (Status enough = room(); !enough && existed && !reads_only_)
    return open_for_reading(std::move(enough).error());
  rocksdb::DB* database = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(rocksdb_options(limits_), path_, &database);
  if (status.ok()) {
    database_.reset(database);
    reads_only_ = false;
    return {};
  }
  const Code code = code_of_opening(status, existed);
  Error refusal(code, fmt::format("index {}: cannot open: {}", path_, status.ToString()));
  if (code != Code::kNoSpace || !existed || reads_only_) return refusal;
  return open_for_reading(std::move(refusal));
}

// Opening for writing begins new files; a full disk must not keep anybody from reading.
Status RocksDbIndex::open_for_reading(Error refusal) {
  rocksdb::DB* database = nullptr;
  const rocksdb::Status status =
      rocksdb::DB::OpenForReadOnly(rocksdb_options(limits_), path_, &database);
  if (!status.ok()) return std::move(refusal).with_context(status.ToString());
  database_.reset(database);
  reads_only_ = true;
  return {};
}

Status RocksDbIndex::writable() {
  HOLDFAST_TRY(usable());
  HOLDFAST_TRY(room());
  return reads_only_ ? open_database() : Status();
}

Status RocksDbIndex::room() const {
  std::error_code error;
  const auto space = std::filesystem::space(path_, error);
  // Where that cannot be told, writing will tell.
  if (error || space.available >= limits_.room_bytes) return {};
  return Error(Code::kNoSpace,
               fmt::format("index {}: {} are free, and it takes {} to write safely", path_,
                           human_bytes(space.available), human_bytes(limits_.room_bytes)));
}

Status RocksDbIndex::usable() const {
  if (database_ != nullptr) return {};
  return Error(Code::kCorrupt, fmt::format("index {}: {}", path_, damage_));
}

Error RocksDbIndex::failed(const rocksdb::Status& status, const char* doing) {
  const Code code = code_of(status);
  const std::string what = fmt::format("cannot {}: {}", doing, status.ToString());
  if (code == Code::kCorrupt) remember_damage(what);
  return Error(code, fmt::format("index {}: {}", path_, what));
}

void RocksDbIndex::remember_damage(const std::string& what) {
  damage_ = what;
  database_.reset();
  std::ofstream(path_ + kDamageFile) << what << '\n';
}

Result<std::vector<std::optional<ObjectEntry>>> RocksDbIndex::get(std::span<const ObjectId> ids) {
  using Entries = std::vector<std::optional<ObjectEntry>>;
  return contained([&]() -> Result<Entries> {
    HOLDFAST_TRY(usable());
    Entries entries(ids.size());
    // In order of key, so that neighbours share blocks and those are looked up once.
    std::vector<std::uint32_t> order(ids.size());
    std::iota(order.begin(), order.end(), 0u);
    std::sort(order.begin(), order.end(),
              [&](std::uint32_t a, std::uint32_t b) { return ids[a] < ids[b]; });
    const std::size_t most = std::min(ids.size(), kBatch);
    std::vector<std::array<char, kKeySize>> keys(most);
    std::vector<rocksdb::Slice> slices(most);
    std::vector<rocksdb::PinnableSlice> values(most);
    std::vector<rocksdb::Status> statuses(most);
    for (std::size_t begin = 0; begin < ids.size(); begin += kBatch) {
      const std::size_t count = std::min(kBatch, ids.size() - begin);
      for (std::size_t i = 0; i < count; ++i) {
        keys[i] = key_of(ids[order[begin + i]]);
        slices[i] = {keys[i].data(), keys[i].size()};
        values[i].Reset();
      }
      database_->MultiGet(rocksdb::ReadOptions(), database_->DefaultColumnFamily(), count,
                          slices.data(), values.data(), statuses.data(), true);
      for (std::size_t i = 0; i < count; ++i) {
        if (statuses[i].IsNotFound()) continue;
        if (!statuses[i].ok()) {
          for (auto& value : values) value.Reset();  // they pin blocks of what may be closed now
          return failed(statuses[i], "read");
        }
        auto& entry = entries[order[begin + i]];
        entry = decode_entry(as_bytes(values[i].ToStringView()));
        if (!entry) {
          for (auto& value : values) value.Reset();
          return failed(rocksdb::Status::Corruption("a malformed entry"), "read");
        }
      }
    }
    return entries;
  });
}

Status RocksDbIndex::write(std::span<const Put> puts, std::span<const ObjectId> removals,
                           std::span<const Note> notes, Checkpoint checkpoint) {
  return contained([&]() -> Status {
    HOLDFAST_TRY(writable());
    rocksdb::WriteBatch batch((puts.size() + removals.size()) * (kKeySize + kEntrySize + 4));
    for (const Put& put : puts) {
      const auto key = key_of(put.id);
      const auto value = encode_entry(put.entry);
      batch.Put({key.data(), key.size()},
                {reinterpret_cast<const char*>(value.data()), value.size()});
    }
    for (const ObjectId& id : removals) {
      const auto key = key_of(id);
      batch.Delete({key.data(), key.size()});
    }
    for (const Note& note : notes) {
      const std::string key = kNote + note.name;
      if (note.value)
        batch.Put(slice(key),
                  {reinterpret_cast<const char*>(note.value->data()), note.value->size()});
      else
        batch.Delete(slice(key));
    }
    const auto value = encode_checkpoint(checkpoint);
    batch.Put({&kCheckpoint, 1}, {reinterpret_cast<const char*>(value.data()), value.size()});

    rocksdb::WriteOptions options;
    options.disableWAL = true;
    rocksdb::Status status = database_->Write(options, &batch);
    // After a full disk RocksDB refuses writes until it has found room, for which it looks every
    // five seconds, or is told that there may be some.
    if (!status.ok() && !status.IsCorruption() && database_->Resume().ok())
      status = database_->Write(options, &batch);
    if (!status.ok()) return failed(status, "write");
    return {};
  });
}

Result<Checkpoint> RocksDbIndex::checkpoint() {
  return contained([&]() -> Result<Checkpoint> {
    HOLDFAST_TRY(usable());
    std::string value;
    const auto status = database_->Get(rocksdb::ReadOptions(), {&kCheckpoint, 1}, &value);
    if (status.IsNotFound()) return Checkpoint{};
    if (!status.ok()) return failed(status, "read");
    const auto decoded = decode_checkpoint(as_bytes(value));
    if (!decoded) return failed(rocksdb::Status::Corruption("a malformed checkpoint"), "read");
    return *decoded;
  });
}

bool RocksDbIndex::holds_unflushed() const {
  using Properties = rocksdb::DB::Properties;
  std::uint64_t entries = 0, tables = 0;
  database_->GetIntProperty(Properties::kNumEntriesActiveMemTable, &entries);
  database_->GetIntProperty(Properties::kNumImmutableMemTable, &tables);
  return entries + tables > 0;
}

Status RocksDbIndex::flush() {
  return contained([&]() -> Status {
    HOLDFAST_TRY(writable());
    rocksdb::Status status = database_->Flush(rocksdb::FlushOptions());
    if (!status.ok() && !status.IsCorruption() && database_->Resume().ok())
      status = database_->Flush(rocksdb::FlushOptions());
    // While RocksDB recovers from a full disk a flush may say that it is done and have left what
    // was written since (seen with 7.8).
    if (status.ok() && holds_unflushed()) status = database_->Flush(rocksdb::FlushOptions());
    if (status.ok() && holds_unflushed())
      status = rocksdb::Status::IOError("not all was taken; it is recovering");
    if (!status.ok()) return failed(status, "flush");
    return {};
  });
}

Status RocksDbIndex::scan(
    const std::string& first, const std::string& end,
    const std::function<Result<bool>(std::string_view, std::string_view)>& visit) {
  HOLDFAST_TRY(usable());
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  options.readahead_size = 1 << 20;
  const rocksdb::Slice bound = slice(end);
  options.iterate_upper_bound = &bound;
  std::unique_ptr<rocksdb::Iterator> at(database_->NewIterator(options));
  for (at->Seek(slice(first)); at->Valid(); at->Next()) {
    HOLDFAST_ASSIGN(const bool on, visit(at->key().ToStringView(), at->value().ToStringView()));
    if (!on) break;
  }
  const rocksdb::Status status = at->status();
  at.reset();
  if (!status.ok()) return failed(status, "read");
  return {};
}

Status RocksDbIndex::for_each(
    const std::function<bool(const ObjectId&, const ObjectEntry&)>& visit) {
  return contained([&]() -> Status {
    const auto visit_entry = [&](std::string_view key, std::string_view value) -> Result<bool> {
      const auto id = ObjectId::from(as_bytes(key.substr(1)));
      const auto entry = decode_entry(as_bytes(value));
      if (!id || !entry) return Error(Code::kCorrupt, "index: a malformed entry");
      return visit(*id, *entry);
    };
    Status scanned = scan(std::string(1, kObject), std::string(1, kObject + 1), visit_entry);
    if (!scanned && scanned.error().code() == Code::kCorrupt && database_ != nullptr)
      remember_damage(scanned.error().message());
    return scanned;
  });
}

Status RocksDbIndex::for_each_note(std::string_view prefix,
                                   const std::function<bool(std::string_view, ByteView)>& visit) {
  return contained([&]() -> Status {
    const std::string first = kNote + std::string(prefix);
    const auto visit_note = [&](std::string_view key, std::string_view value) -> Result<bool> {
      return key.starts_with(first) && visit(key.substr(1), as_bytes(value));
    };
    return scan(first, std::string(1, kNote + 1), visit_note);
  });
}

Status RocksDbIndex::clear() {
  return contained([&]() -> Status {
    database_.reset();
    reads_only_ = false;
    std::error_code error;
    std::filesystem::remove_all(path_, error);
    if (error)
      return Error(Code::kIo, fmt::format("index {}: cannot clear: {}", path_, error.message()));
    damage_ = "it could not be made anew";
    HOLDFAST_TRY(open_database());
    damage_.clear();
    return {};
  });
}

Result<std::uint64_t> RocksDbIndex::approximate_count() {
  return contained([&]() -> Result<std::uint64_t> {
    HOLDFAST_TRY(usable());
    std::uint64_t keys = 0;
    database_->GetIntProperty(rocksdb::DB::Properties::kEstimateNumKeys, &keys);
    return keys;
  });
}

}  // namespace holdfast::repository
