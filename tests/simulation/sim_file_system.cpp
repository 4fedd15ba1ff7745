// Every call passes begin_call(), which counts it, fails it or stops the machine, and end_call(),
// where the machine may stop behind it.
#include "tests/simulation/sim_file_system.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "common/base/check.h"
#include "tests/simulation/sim_node.h"

namespace holdfast::simulation {
namespace {

constexpr std::uint64_t kUnlimited = std::uint64_t{1} << 50;
constexpr std::size_t kLongestName = 255;  // NAME_MAX of ext4, xfs and btrfs
constexpr std::uint64_t kLargestOffset = std::numeric_limits<std::int64_t>::max();

Error error(Code code, const std::string& what, std::string_view why) {
  return Error(code, what + ": " + std::string(why));
}

Error stopped_error(const std::string& what) {
  return error(Code::kInterrupted, what, "the machine has stopped");
}

// The path's components without empty ones and "."; nullopt if it cannot be a path.
std::optional<std::vector<std::string>> components(const std::string& path) {
  if (path.empty() || path.find('\0') != std::string::npos) return std::nullopt;
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    std::string part = path.substr(begin, end - begin);
    if (part.size() > kLongestName) return std::nullopt;
    if (!part.empty() && part != ".") parts.push_back(std::move(part));
    begin = end + 1;
  }
  return parts;
}

std::string last_component(const std::string& path) {
  const auto parts = components(path);
  return !parts || parts->empty() ? std::string() : parts->back();
}

bool lies_below(const std::string& path, const std::string& folder) {
  const auto parts = components(path), above = components(folder);
  return parts && above && parts->size() > above->size() &&
         std::equal(above->begin(), above->end(), parts->begin());
}

// Whether a rename may put `node` in the place of what is there.
Status may_replace(const SimNode& node, const SimNode& there, const std::string& path) {
  if (node.is_folder && !there.is_folder) return error(Code::kNotFound, path, "Not a directory");
  if (!node.is_folder && there.is_folder)
    return error(Code::kInvalidArgument, path, "Is a directory");
  if (!there.names.empty()) return error(Code::kAlreadyExists, path, "Directory not empty");
  return {};
}

Status check_offset(std::uint64_t offset, std::uint64_t length, const std::string& what) {
  if (offset <= kLargestOffset && length <= kLargestOffset - offset) return {};
  return error(Code::kInvalidArgument, what, "an offset beyond any file");
}

}  // namespace

class SimFile final : public File {
 public:
  SimFile(SimFileSystem& files, std::shared_ptr<SimNode> node, std::string path, bool writable)
      : files_(files),
        node_(std::move(node)),
        path_(std::move(path)),
        writable_(writable),
        generation_(files.generation_) {}

  Result<std::size_t> read_at(std::uint64_t offset, MutableByteView out) override {
    HOLDFAST_TRY(begin(SimFileSystem::Change::kNone, "read"));
    HOLDFAST_TRY(check_offset(offset, out.size(), path_));
    offset = files_.elsewhere(files_.misdirected_read_, *node_, offset, out.size());
    if (files_.broken_ == node_.get() && offset <= files_.broken_at_ &&
        files_.broken_at_ - offset < out.size())
      return error(Code::kIo, "read " + path_, "bad sector");
    if (offset >= node_->seen.size()) return std::size_t{0};
    const std::size_t size =
        std::min<std::size_t>(out.size(), node_->seen.size() - static_cast<std::size_t>(offset));
    if (size > 0) std::memcpy(out.data(), node_->seen.data() + offset, size);
    return size;
  }

  Status write_at(std::uint64_t offset, std::vector<ByteView> parts) override {
    HOLDFAST_TRY(begin(SimFileSystem::Change::kMutating, "write"));
    Bytes all;
    for (const ByteView part : parts) append(all, part);
    HOLDFAST_TRY(check_offset(offset, all.size(), path_));
    if (all.empty()) return files_.end_call();
    if (!writable_) return error(Code::kIo, "write " + path_, "Bad file descriptor");
    ByteView bytes = all;
    const auto stop = files_.stop_now();
    if (stop == StopPoint::kTorn)
      bytes = bytes.first(static_cast<std::size_t>(files_.stop_random_->below(bytes.size() + 1)));
    std::uint64_t room = 0;
    Status fits = files_.account(
        *node_, std::max<std::uint64_t>(offset + bytes.size(), node_->seen.size()), room);
    if (!fits) bytes = bytes.first(room > offset ? static_cast<std::size_t>(room - offset) : 0);
    const std::uint64_t end = offset + bytes.size();
    offset = files_.elsewhere(files_.misdirected_write_, *node_, offset, bytes.size());
    node_->write(offset, bytes);
    if (node_->seen.size() < end) node_->resize(end);
    HOLDFAST_TRY(files_.end_call());
    return fits;
  }

  Status sync_data() override {
    HOLDFAST_TRY(begin(SimFileSystem::Change::kMutating, "sync"));
    const auto stop = files_.stop_now();
    if (++files_.syncs_ == files_.failing_sync_) {
      ++files_.faults_;
      node_->forget_dirty();
      return error(Code::kIo, "sync " + path_, "Input/output error");
    }
    // Torn: the crash decides page by page, as if it had not been called.
    if (stop != StopPoint::kTorn) node_->sync_data();
    return files_.end_call();
  }

  Status forget_cached() override {
    HOLDFAST_TRY(begin(SimFileSystem::Change::kNone, "forget"));
    node_->forget_cached();
    return {};
  }

  Status truncate(std::uint64_t size) override {
    HOLDFAST_TRY(begin(SimFileSystem::Change::kMutating, "truncate"));
    HOLDFAST_TRY(check_offset(size, 0, path_));
    if (!writable_) return error(Code::kInvalidArgument, "truncate " + path_, "opened for reading");
    std::uint64_t room = 0;
    if (files_.stop_now() != StopPoint::kTorn) {
      HOLDFAST_TRY(files_.account(*node_, size, room));
      node_->resize(size);
    }
    return files_.end_call();
  }

  Result<std::uint64_t> size() override {
    HOLDFAST_TRY(begin(SimFileSystem::Change::kNone, "stat"));
    return static_cast<std::uint64_t>(node_->seen.size());
  }

  void start_writeback(std::uint64_t, std::uint64_t) override {}

 private:
  Status begin(SimFileSystem::Change change, std::string_view call) {
    const std::string what = std::string(call) + " " + path_;
    if (generation_ != files_.generation_)
      return error(Code::kIo, what, "it was open when the machine stopped");
    return files_.begin_call(change, what);
  }

  SimFileSystem& files_;
  std::shared_ptr<SimNode> node_;
  std::string path_;
  bool writable_;
  std::uint64_t generation_;
};

class SimFileLock final : public FileLock {
 public:
  SimFileLock(SimFileSystem& files, std::shared_ptr<SimNode> node)
      : files_(files), node_(std::move(node)), generation_(files.generation_) {}
  ~SimFileLock() override {
    if (generation_ == files_.generation_) files_.locks_.erase(node_.get());
  }

 private:
  SimFileSystem& files_;
  std::shared_ptr<SimNode> node_;  // as with flock(2): whatever its name is now
  std::uint64_t generation_;
};

SimFileSystem::SimFileSystem() : root_(std::make_shared<SimNode>(true)) {}
SimFileSystem::~SimFileSystem() { replace_root(nullptr); }

void SimFileSystem::replace_root(std::shared_ptr<SimNode> root) {
  root_->dismantle();
  for (const auto& made : folders_)
    if (const auto folder = made.lock()) folder->dismantle();
  folders_.clear();
  root_ = std::move(root);
}

Status SimFileSystem::begin_call(Change change, const std::string& what) {
  if (stopped_) return stopped_error(what);
  if (suspended_) return {};
  ++calls_;
  if (failing_call_ != 0 &&
      (calls_ == failing_call_ || (fails_for_good_ && calls_ > failing_call_))) {
    ++faults_;
    if (failed_call_.empty()) failed_call_ = what;
    return error(failing_code_, what, "injected fault");
  }
  if (change == Change::kNone) return {};
  ++mutating_calls_;
  if (mutating_calls_ != stopping_call_) return {};
  stopped_ = true;
  if (stop_point_ == StopPoint::kBefore) return stopped_error(what);
  return {};
}

// How the machine stops within the call that has begun; nullopt if it goes on.
std::optional<StopPoint> SimFileSystem::stop_now() {
  if (!stopped_) return std::nullopt;
  return stop_point_;
}

Status SimFileSystem::end_call() {
  if (stopped_) return stopped_error("call");
  return {};
}

Result<std::shared_ptr<SimNode>> SimFileSystem::find(const std::string& path) const {
  const auto parts = components(path);
  if (!parts) return error(Code::kInvalidArgument, path, "not a path");
  std::shared_ptr<SimNode> node = root_;
  for (const std::string& part : *parts) {
    const auto next = node->names.find(part);
    if (!node->is_folder || next == node->names.end())
      return error(Code::kNotFound, path, "No such file or directory");
    node = next->second;
  }
  return node;
}

Result<std::shared_ptr<SimNode>> SimFileSystem::find_folder(const std::string& path) const {
  HOLDFAST_ASSIGN(auto node, find(path));
  if (!node->is_folder) return error(Code::kNotFound, path, "Not a directory");
  return node;
}

Status SimFileSystem::account(SimNode& node, std::uint64_t new_size, std::uint64_t& grown) {
  const std::uint64_t old_size = node.seen.size();
  grown = new_size;
  Status fits;
  if (capacity_ && new_size > old_size && used_ + (new_size - old_size) > *capacity_) {
    grown = old_size + (*capacity_ > used_ ? *capacity_ - used_ : 0);
    fits = Error(Code::kNoSpace, "No space left on device");
  }
  used_ = used_ - old_size + grown;
  return fits;
}

Result<std::unique_ptr<File>> SimFileSystem::open(const std::string& path, OpenMode mode) {
  const bool creates = mode == OpenMode::kCreateNew;
  HOLDFAST_TRY(begin_call(creates ? Change::kMutating : Change::kNone, "open " + path));
  const auto stop = stop_now();
  auto node = find(path);
  if (creates) {
    if (node) return error(Code::kAlreadyExists, path, "File exists");
    if (node.error().code() != Code::kNotFound) return std::move(node).error();
    HOLDFAST_ASSIGN(const auto folder, find_folder(parent_path(path)));
    node = std::make_shared<SimNode>(false);
    if (stop != StopPoint::kTorn) folder->change_names({std::nullopt, last_component(path), *node});
    HOLDFAST_TRY(end_call());
  }
  if (!node) return std::move(node).error();
  if ((*node)->is_folder) return error(Code::kInvalidArgument, path, "Is a directory");
  return std::unique_ptr<File>(
      std::make_unique<SimFile>(*this, *node, path, mode != OpenMode::kRead));
}

Status SimFileSystem::make_directory(const std::string& path) {
  HOLDFAST_TRY(begin_call(Change::kMutating, "mkdir " + path));
  const auto stop = stop_now();
  const auto there = find(path);
  if (there) return error(Code::kAlreadyExists, path, "File exists");
  if (there.error().code() != Code::kNotFound) return there.error();
  HOLDFAST_ASSIGN(const auto folder, find_folder(parent_path(path)));
  const auto made = std::make_shared<SimNode>(true);
  folders_.push_back(made);
  if (stop != StopPoint::kTorn) folder->change_names({std::nullopt, last_component(path), made});
  return end_call();
}

Status SimFileSystem::rename(const std::string& from, const std::string& to, bool replaces) {
  HOLDFAST_TRY(begin_call(Change::kMutating, "rename " + from));
  const auto stop = stop_now();
  if (!components(to)) return error(Code::kInvalidArgument, to, "not a path");
  HOLDFAST_ASSIGN(const auto node, find(from));
  HOLDFAST_ASSIGN(const auto source, find_folder(parent_path(from)));
  HOLDFAST_ASSIGN(const auto target, find_folder(parent_path(to)));
  const auto replaced = find(to);
  if (!replaced && replaced.error().code() != Code::kNotFound) return replaced.error();
  if (replaced && !replaces) return error(Code::kAlreadyExists, to, "File exists");
  if (replaced && *replaced == node) return end_call();
  if (node->is_folder && lies_below(to, from))
    return error(Code::kInvalidArgument, from, "it would lie in itself");
  if (lies_below(from, to)) return error(Code::kAlreadyExists, to, "Directory not empty");
  if (replaced) HOLDFAST_TRY(may_replace(*node, **replaced, to));
  if (stop != StopPoint::kTorn) {
    if (replaced) used_ -= (*replaced)->seen.size();
    // Within a folder the device has both halves or none.
    if (source != target) source->change_names({last_component(from), std::nullopt, nullptr});
    target->change_names({source == target ? std::optional(last_component(from)) : std::nullopt,
                          last_component(to), node});
  }
  return end_call();
}

Status SimFileSystem::remove(const std::string& path) {
  HOLDFAST_TRY(begin_call(Change::kMutating, "remove " + path));
  const auto stop = stop_now();
  HOLDFAST_ASSIGN(const auto node, find(path));
  if (node->is_folder && !node->names.empty())
    return error(Code::kAlreadyExists, path, "Directory not empty");
  HOLDFAST_ASSIGN(const auto folder, find_folder(parent_path(path)));
  if (stop != StopPoint::kTorn) {
    used_ -= node->seen.size();
    folder->change_names({last_component(path), std::nullopt, nullptr});
  }
  return end_call();
}

Status SimFileSystem::sync_directory(const std::string& path) {
  HOLDFAST_TRY(begin_call(Change::kMutating, "sync " + path));
  const auto stop = stop_now();
  HOLDFAST_ASSIGN(const auto folder, find_folder(path));
  if (stop != StopPoint::kTorn) folder->sync_names();
  return end_call();
}

Result<std::vector<DirectoryEntry>> SimFileSystem::list(const std::string& path) {
  HOLDFAST_TRY(begin_call(Change::kNone, "list " + path));
  HOLDFAST_ASSIGN(const auto folder, find_folder(path));
  std::vector<DirectoryEntry> entries;
  for (const auto& [name, node] : folder->names) entries.push_back({name, node->is_folder});
  return entries;
}

Result<bool> SimFileSystem::exists(const std::string& path) {
  HOLDFAST_TRY(begin_call(Change::kNone, "stat " + path));
  const auto node = find(path);
  if (!node && node.error().code() != Code::kNotFound) return node.error();
  return node.has_value();
}

Result<std::uint64_t> SimFileSystem::free_bytes(const std::string& path) {
  HOLDFAST_TRY(begin_call(Change::kNone, "statfs " + path));
  HOLDFAST_TRY(find(path));
  if (!capacity_) return kUnlimited;
  return *capacity_ > used_ ? *capacity_ - used_ : 0;
}

std::string SimFileSystem::temporary_path(const std::string& path) {
  return fmt::format("{}.{:016x}.new", path, ++temporaries_);
}

Result<std::unique_ptr<FileLock>> SimFileSystem::lock(const std::string& path) {
  HOLDFAST_TRY(begin_call(Change::kMutating, "lock " + path));
  const auto stop = stop_now();
  auto node = find(path);
  if (!node) {
    if (node.error().code() != Code::kNotFound) return std::move(node).error();
    HOLDFAST_ASSIGN(const auto folder, find_folder(parent_path(path)));
    node = std::make_shared<SimNode>(false);
    if (stop != StopPoint::kTorn) folder->change_names({std::nullopt, last_component(path), *node});
  }
  HOLDFAST_TRY(end_call());
  if ((*node)->is_folder) return error(Code::kInvalidArgument, path, "Is a directory");
  if (!locks_.insert(node->get()).second)
    return error(Code::kConflict, path, "another process holds the lock");
  return std::unique_ptr<FileLock>(std::make_unique<SimFileLock>(*this, *node));
}

void SimFileSystem::crash(CrashKeeps keeps, Random& random) {
  root_->crash(keeps, random);
  begin_anew();
}

void SimFileSystem::kill() { begin_anew(); }

SimFileSystem::Image SimFileSystem::image() const { return root_->image(); }

void SimFileSystem::restore(const Image& image) {
  replace_root(image ? image->image() : std::make_shared<SimNode>(true));
  begin_anew();
}

std::uint64_t SimFileSystem::elsewhere(Random*& misdirected, const SimNode& node,
                                       std::uint64_t offset, std::uint64_t length) {
  if (misdirected == nullptr || suspended_ || length < kSectorSize) return offset;
  const std::uint64_t sectors = node.seen.size() / kSectorSize;
  if (sectors < 2) return offset;
  const std::uint64_t there = misdirected->below(sectors) * kSectorSize;
  misdirected = nullptr;
  ++faults_;
  return there;
}

void SimFileSystem::begin_anew() {
  ++generation_;
  clear_faults();
  locks_.clear();
  used_ = 0;
  std::vector<std::shared_ptr<SimNode>> folders{root_};
  while (!folders.empty()) {
    const auto folder = folders.back();
    folders.pop_back();
    for (const auto& [name, node] : folder->names) {
      used_ += node->seen.size();
      if (node->is_folder) folders.push_back(node);
    }
  }
}

void SimFileSystem::persist(const std::string& path) {
  const auto node = find(path);
  if (!node) return;
  (*node)->persist();
  const auto folder = find_folder(parent_path(path));
  if (folder) (*folder)->stored_names[last_component(path)] = *node;
}

SimFileSystem::Moment SimFileSystem::moment() const {
  SimNode::Copies copies;
  Moment moment;
  const auto root = root_->copy(copies);
  moment.temporaries_ = temporaries_;
  moment.root_ = {root.get(), [root](const SimNode*) { root->dismantle(); }};
  return moment;
}

void SimFileSystem::return_to(const Moment& moment) {
  SimNode::Copies copies;
  replace_root(moment.root_->copy(copies));
  temporaries_ = moment.temporaries_;
  begin_anew();
}

std::uint64_t SimFileSystem::fingerprint() const {
  std::uint64_t hash = 0;
  root_->mix_into(hash);
  return hash;
}

void SimFileSystem::fail_call(std::uint64_t nth, Code code, bool for_good) {
  failing_call_ = calls_ + nth;
  failed_call_.clear();
  failing_code_ = code;
  fails_for_good_ = for_good;
}

void SimFileSystem::fail_sync(std::uint64_t nth) { failing_sync_ = syncs_ + nth; }

void SimFileSystem::stop_at(std::uint64_t nth, StopPoint point, Random& random) {
  stopping_call_ = mutating_calls_ + nth;
  stop_point_ = point;
  stop_random_ = &random;
}

void SimFileSystem::clear_faults() {
  failing_call_ = failing_sync_ = stopping_call_ = 0;
  fails_for_good_ = stopped_ = false;
  stop_random_ = misdirected_read_ = misdirected_write_ = nullptr;
  broken_ = nullptr;
}

void SimFileSystem::flip_bit(const std::string& path, std::uint64_t offset, unsigned bit) {
  const auto node = find(path);
  check(node.has_value() && offset < (*node)->seen.size(), "a bit is flipped that is not there");
  const auto mask = static_cast<Byte>(1u << bit);
  (*node)->seen[static_cast<std::size_t>(offset)] ^= mask;
  if (offset < (*node)->stored.size()) (*node)->stored[static_cast<std::size_t>(offset)] ^= mask;
}

void SimFileSystem::break_byte(const std::string& path, std::uint64_t offset) {
  const auto node = find(path);
  check(node.has_value(), "a file has a bad sector that is not there");
  broken_ = node->get();
  broken_at_ = offset;
}

std::uint64_t SimFileSystem::size_of(const std::string& path) const {
  const auto node = find(path);
  return node ? (*node)->seen.size() : 0;
}

}  // namespace holdfast::simulation
