#include "agent/change_detector.h"

#include <utility>

#include "common/base/planted_bug.h"

namespace holdfast::agent {
namespace {

// Times of files are not brought to nanoseconds: their seconds may be any number.
Timestamp timestamp(UnixTime time) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  const std::int64_t within = (time.nanoseconds % kSecond + kSecond) % kSecond;
  return {(time.nanoseconds - within) / kSecond, static_cast<std::uint32_t>(within)};
}

}  // namespace

ChangeDetector::ChangeDetector(EntryStream& scan, CatalogFileReader* previous, UnixTime began)
    : scan_(scan), began_(timestamp(began)) {
  if (previous == nullptr) return;
  previous_.emplace(*previous);
  if (auto first = previous_->next())
    current_ = *first;
  else
    previous_.reset();
}

// The earlier entry of this path, null if there was none; goes forward only.
CatalogEntry* ChangeDetector::earlier(const std::string& path) {
  while (current_ != nullptr) {
    const auto order = compare_paths(current_->entry.path, path);
    if (order == 0) return current_;
    if (order > 0) return nullptr;
    auto next = previous_->next();
    current_ = next ? *next : nullptr;
  }
  return nullptr;
}

bool ChangeDetector::unchanged(const Entry& now, const Entry& then) const {
  if (HOLDFAST_PLANTED("take a file of the same inode for unchanged"))
    return now.mode == then.mode && now.inode == then.inode;
  return now.mode == then.mode && now.size == then.size && now.mtime == then.mtime &&
         now.ctime == then.ctime && now.inode == then.inode && now.device == then.device &&
         now.uid == then.uid && now.gid == then.gid && now.links == then.links &&
         then.condition == EntryCondition::kWhole && now.ctime < began_ && now.mtime < began_;
}

Result<std::vector<PlannedEntry>> ChangeDetector::next() {
  HOLDFAST_ASSIGN(auto entries, scan_.next());
  std::vector<PlannedEntry> planned;
  planned.reserve(entries.size());
  for (Entry& entry : entries) {
    PlannedEntry& plan = planned.emplace_back();
    CatalogEntry* then = earlier(entry.path);
    if (then != nullptr && unchanged(entry, then->entry)) {
      plan.kind = PlannedEntry::Kind::kUnchanged;
      plan.entry = std::move(*then);
      // Its path is what the search for the next one compares with.
      then->entry.path = plan.entry.entry.path;
      continue;
    }
    if (then != nullptr) {
      plan.kind = PlannedEntry::Kind::kChanged;
      if (!then->content.lists) plan.earlier_refs = then->content.refs;
    }
    plan.entry.entry = std::move(entry);
  }
  if (HOLDFAST_PLANTED("lose the last entry of a batch") && planned.size() > 1) planned.pop_back();
  return planned;
}

}  // namespace holdfast::agent
