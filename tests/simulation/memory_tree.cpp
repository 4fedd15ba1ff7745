#include "tests/simulation/memory_tree.h"

#include <algorithm>

namespace holdfast::testing {
namespace {

class MemoryReader final : public agent::ContentReader {
 public:
  MemoryReader(std::string path, Bytes content, const MemorySource& source,
               std::shared_ptr<std::uint64_t> bytes_read)
      : path_(std::move(path)),
        content_(std::move(content)),
        source_(source),
        bytes_read_(std::move(bytes_read)) {}

  Result<std::size_t> read(MutableByteView out) override {
    HOLDFAST_TRY(source_.faults().begin("read", path_));
    const std::size_t count = std::min(out.size(), content_.size() - at_);
    if (count != 0) std::memcpy(out.data(), content_.data() + at_, count);
    at_ += count;
    *bytes_read_ += count;
    return count;
  }
  Result<std::optional<agent::Entry>> changed_since(const agent::Entry& scanned) override {
    HOLDFAST_TRY(source_.faults().begin("stat", path_));
    const agent::Entry* const now = source_.find(scanned.path);
    if (now == nullptr || (now->mtime == scanned.mtime && now->size == scanned.size))
      return std::optional<agent::Entry>();
    return std::optional(*now);
  }

 private:
  const std::string path_;
  Bytes content_;
  const MemorySource& source_;
  const std::shared_ptr<std::uint64_t> bytes_read_;
  std::size_t at_ = 0;
};

}  // namespace

void SourceFaults::fail_call(std::uint64_t nth, Code code, bool for_good) {
  failing_ = calls_ + nth;
  code_ = code;
  for_good_ = for_good;
}

Status SourceFaults::begin(const char* call, const std::string& path) {
  ++calls_;
  if (failing_ == 0 || (for_good_ ? calls_ < failing_ : calls_ != failing_)) return {};
  return Error(code_, std::string(call) + " /" + path + ": injected fault");
}

void MemorySource::touch(const std::string& path, std::uint32_t mode, std::uint64_t size) {
  for (std::size_t slash = 0; (slash = path.find('/', slash)) != std::string::npos; ++slash) {
    const std::string folder = path.substr(0, slash);
    if (!entries_.contains(folder)) touch(folder, 0040755, 0);
  }
  agent::Entry& entry = entries_[path];
  entry.path = path;
  entry.mode = mode;
  entry.size = size;
  entry.mtime = entry.ctime = {static_cast<std::int64_t>(clock_++), 0};
  if (entry.inode == 0) entry.inode = next_inode_++;
}

void MemorySource::put(const std::string& path, Bytes content) {
  touch(path, 0100644, content.size());
  contents_[path] = std::move(content);
}

void MemorySource::put_symlink(const std::string& path, const std::string& target) {
  touch(path, 0120777, target.size());
  entries_[path].target = target;
}

void MemorySource::remove(const std::string& path) {
  entries_.erase(path);
  contents_.erase(path);
}

std::vector<agent::Entry> MemorySource::entries() const {
  std::vector<agent::Entry> all;
  for (const auto& [path, entry] : entries_) all.push_back(entry);
  return all;
}

const agent::Entry* MemorySource::find(const std::string& path) const {
  const auto found = entries_.find(path);
  return found == entries_.end() ? nullptr : &found->second;
}

Status MemorySource::scan(const std::function<bool(agent::Entry&&)>& visit,
                          const std::function<void(agent::ScanProblem&&)>&) {
  for (agent::Entry& entry : entries())
    if (!visit(std::move(entry))) break;
  return {};
}

Status MemorySource::describe(agent::Entry& entry) {
  HOLDFAST_TRY(faults_->begin("describe", entry.path));
  if (!entries_.contains(entry.path)) return Error(Code::kNotFound, entry.path + ": vanished");
  return {};
}

Result<std::unique_ptr<agent::ContentReader>> MemorySource::open(const agent::Entry& entry) {
  HOLDFAST_TRY(faults_->begin("open", entry.path));
  const auto found = contents_.find(entry.path);
  if (found == contents_.end()) return Error(Code::kNotFound, entry.path + ": vanished");
  if (unreadable_.contains(entry.path))
    return Error(Code::kPermissionDenied, entry.path + ": permission denied");
  ++opened_;
  return std::unique_ptr<agent::ContentReader>(
      std::make_unique<MemoryReader>(entry.path, found->second, *this, bytes_read_));
}

Result<std::vector<agent::Entry>> MemoryScan::next() {
  std::vector<agent::Entry> batch;
  for (; at_ < entries_.size() && batch.size() < batch_; ++at_)
    if (sees(entries_[at_])) batch.push_back(std::move(entries_[at_]));
  return batch;
}

bool MemoryScan::sees(const agent::Entry& entry) {
  if (!hidden_.empty() && entry.path.starts_with(hidden_)) return false;
  for (const char* const call : {"stat", "list"}) {
    if (call[0] == 'l' && !entry.is_directory()) break;
    Status done = source_.faults().begin(call, entry.path);
    if (done) continue;
    problems_.push_back({"/" + entry.path, std::move(done).error()});
    if (entry.is_directory()) hidden_ = entry.path + "/";
    return call[0] == 'l';
  }
  return true;
}

}  // namespace holdfast::testing
