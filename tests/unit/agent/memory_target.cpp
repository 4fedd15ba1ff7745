#include "tests/unit/agent/memory_target.h"

#include <algorithm>

#include "agent/catalog_node.h"
#include "common/ports/file_system.h"

namespace holdfast::testing {

using agent::Entry;

namespace {

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

}  // namespace

// As FileWriter says; what is not finished leaves nothing.
class MemoryTarget::Writer final : public agent::FileWriter {
 public:
  Writer(MemoryTarget& target, std::string path) : target_(target), path_(std::move(path)) {
    target_.most_open_writers = std::max(target_.most_open_writers, ++target_.open_writers);
  }
  ~Writer() override { --target_.open_writers; }

  Status write_at(std::uint64_t offset, ByteView bytes) override {
    ++target_.piece_writes;
    if (const auto error = target_.write_errors.find(path_); error != target_.write_errors.end())
      return error->second;
    if (content_.size() < offset + bytes.size()) content_.resize(offset + bytes.size());
    std::ranges::copy(bytes, content_.begin() + static_cast<std::ptrdiff_t>(offset));
    return {};
  }
  Status finish(const Entry& entry) override {
    if (content_.size() != entry.size) target_.broken_rules.push_back(path_ + ": another size");
    return target_.place(path_, entry, std::move(content_));
  }

 private:
  MemoryTarget& target_;
  std::string path_;
  Bytes content_;
};

void MemoryTarget::put_folder(const std::string& path) {
  nodes_[path] = {};
  nodes_[path].entry.mode = 0040755;
}

void MemoryTarget::put_file(const std::string& path, Bytes content, agent::Timestamp mtime) {
  Node& node = nodes_[path];
  node.entry.mode = 0100600;
  node.entry.size = content.size();
  node.entry.mtime = mtime;
  node.content = std::move(content);
}

const MemoryTarget::Node* MemoryTarget::find(const std::string& path) const {
  const auto found = nodes_.find(path);
  return found == nodes_.end() ? nullptr : &found->second;
}

std::vector<std::string> MemoryTarget::paths() const {
  std::vector<std::string> all;
  for (const auto& [path, node] : nodes_) all.push_back(path);
  return all;
}

// A path that may be written, in a folder that is there and not finished.
Status MemoryTarget::admit(const std::string& path) {
  if (path.empty() || !agent::is_valid_path(path))
    return Error(Code::kInvalidArgument, "a path that leaves the target");
  const std::string folder = folder_of(path);
  if (folder.empty()) return {};
  const Node* const parent = find(folder);
  if (parent == nullptr || !parent->entry.is_directory()) {
    if (parent == nullptr) broken_rules.push_back(path + ": its folder was not made before");
    return Error(Code::kNotFound, "no folder around it");
  }
  if (parent->finished) broken_rules.push_back(path + ": its folder was finished before");
  return {};
}

Status MemoryTarget::place(const std::string& path, const Entry& entry, Bytes content) {
  if (const auto error = write_errors.find(path); error != write_errors.end()) return error->second;
  Node& node = nodes_[path];
  node = {entry, std::move(content), next_inode_++, true, true};
  if (spoil) spoil(node);
  if (const auto error = attribute_errors.find(path); error != attribute_errors.end())
    return error->second;
  return {};
}

Status MemoryTarget::make_directory(const std::string& path) {
  HOLDFAST_TRY(admit(path));
  const Node* const there = find(path);
  if (there != nullptr && !there->entry.is_directory())
    return Error(Code::kAlreadyExists, "no folder");
  if (there == nullptr) put_folder(path);
  nodes_[path].made = true;
  nodes_[path].finished = false;
  return {};
}

Result<std::unique_ptr<agent::FileWriter>> MemoryTarget::create_file(const std::string& path,
                                                                     const Entry&) {
  HOLDFAST_TRY(admit(path));
  return std::unique_ptr<agent::FileWriter>(std::make_unique<Writer>(*this, path));
}

Status MemoryTarget::write_file(const std::string& path, const Entry& entry, ByteView content) {
  HOLDFAST_TRY(admit(path));
  ++whole_writes;
  return place(path, entry, {content.begin(), content.end()});
}

Status MemoryTarget::make_symlink(const std::string& path, const Entry& entry) {
  HOLDFAST_TRY(admit(path));
  return place(path, entry, {});
}

Status MemoryTarget::make_hard_link(const std::string& path, const std::string& existing) {
  HOLDFAST_TRY(admit(path));
  if (const auto error = link_errors.find(path); error != link_errors.end()) return error->second;
  const Node* const original = find(existing);
  if (original == nullptr) return Error(Code::kNotFound, "nothing to link to");
  ++links;
  Node node = *original;
  node.entry.path = path;
  nodes_[path] = std::move(node);
  return {};
}

Status MemoryTarget::make_special(const std::string& path, const Entry& entry) {
  HOLDFAST_TRY(admit(path));
  return place(path, entry, {});
}

Status MemoryTarget::finish_directory(const std::string& path, const Entry& entry) {
  const auto found = nodes_.find(path);
  if (found == nodes_.end()) return Error(Code::kNotFound, "no such folder");
  if (const auto error = finish_errors.find(path); error != finish_errors.end())
    return error->second;
  if (found->second.finished) broken_rules.push_back(path + ": finished twice");
  for (const auto& [below, node] : nodes_)
    if (below.starts_with(path + "/") && node.made && !node.finished)
      broken_rules.push_back(path + ": finished before " + below);
  found->second.entry = entry;
  found->second.finished = true;
  return {};
}

Result<bool> MemoryTarget::matches(const std::string& path, const Entry& entry) {
  if (const auto error = look_errors.find(path); error != look_errors.end()) return error->second;
  const Node* const there = find(path);
  return there != nullptr && there->entry.is_regular() && there->entry.size == entry.size &&
         there->entry.mtime == entry.mtime;
}

Result<std::optional<Entry>> MemoryTarget::look(const std::string& path) {
  if (const auto error = look_errors.find(path); error != look_errors.end()) return error->second;
  const Node* const there = find(path);
  return there == nullptr ? std::optional<Entry>() : there->entry;
}

Result<std::vector<std::string>> MemoryTarget::list(const std::string& path) {
  if (const auto error = list_errors.find(path); error != list_errors.end()) return error->second;
  std::vector<std::string> names;
  for (const auto& [below, node] : nodes_)
    if (folder_of(below) == path) names.push_back(below.substr(below.rfind('/') + 1));
  std::ranges::reverse(names);
  return names;
}

Status MemoryTarget::remove(const std::string& path) {
  if (const auto error = remove_errors.find(path); error != remove_errors.end())
    return error->second;
  if (nodes_.erase(path) == 0) return Error(Code::kNotFound, "nothing to remove");
  std::erase_if(nodes_, [&](const auto& entry) { return entry.first.starts_with(path + "/"); });
  return {};
}

Result<std::unique_ptr<agent::TargetFile>> MemoryTarget::open(const std::string& path) {
  class Reader final : public agent::TargetFile {
   public:
    explicit Reader(const Bytes& content) : content_(content) {}
    std::uint64_t size() const override { return content_.size(); }
    Result<std::size_t> read_at(std::uint64_t offset, MutableByteView out) override {
      if (offset >= content_.size()) return std::size_t{0};
      const std::size_t count = std::min(out.size(), content_.size() - offset);
      std::copy_n(content_.begin() + static_cast<std::ptrdiff_t>(offset), count, out.begin());
      return count;
    }

   private:
    const Bytes& content_;
  };
  const Node* const there = find(path);
  if (there == nullptr) return Error(Code::kNotFound, "no such file");
  return std::unique_ptr<agent::TargetFile>(std::make_unique<Reader>(there->content));
}

}  // namespace holdfast::testing
