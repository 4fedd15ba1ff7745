#include "agent/restore_steps.h"

#include <utility>

#include "common/content/checksum.h"

namespace holdfast::agent {
namespace {

std::uint64_t digest_of(const CatalogEntry& entry) {
  const Content& content = entry.content;
  return content::checksum64({reinterpret_cast<const Byte*>(content.refs.data()),
                              content.refs.size() * ObjectId::kSize}) ^
         entry.entry.size;
}

}  // namespace

PreparedWindow RestoreSteps::prepare(RestoreWindow window) {
  PreparedWindow prepared;
  prepared.content = std::make_shared<RestoreContent>();
  for (RestoreProblem& problem : window.problems)
    ledger_.problem(problem.path, std::move(problem.error));
  for (RestoreEntry& planned : window.entries) prepare(std::move(planned), prepared);
  prepared.ids = prepared.content->close();
  prepared.removals = std::move(window.removals);
  prepared.folders = std::move(window.folders);
  prepared.last = window.last;
  if (window.last) ledger_.found_all();
  return prepared;
}

void RestoreSteps::prepare(RestoreEntry planned, PreparedWindow& window) {
  const Entry& entry = planned.from.entry;
  if (entry.is_regular()) return prepare_file(std::move(planned), window);
  if (!entry.is_directory()) return prepare_other(planned);
  if (options_.dry_run) return ledger_.folder();
  if (const Status made = target_.make_directory(planned.path); !made) {
    ledger_.failed_other();
    ledger_.problem(planned.path, made.error());
  } else {
    ledger_.folder();
  }
}

void RestoreSteps::prepare_file(RestoreEntry planned, PreparedWindow& window) {
  const Entry& entry = planned.from.entry;
  ledger_.found_file(entry.size);
  const auto end = [&](RestoreLedger::Outcome outcome) {
    ledger_.file(outcome, planned.ordinal, entry.size);
  };
  Result<bool> wanted = is_wanted(planned);
  if (wanted && *wanted && planned.from.content.refs.empty()) {
    // Its size is recorded as that of what is there: none.
    if (entry.condition == EntryCondition::kUnreadable)
      wanted = Error(Code::kNotFound, "it could not be read when it was backed up");
    else if (entry.size > 0)
      wanted = Error(Code::kCorrupt, "its entry has a size and no content");
  }
  if (!wanted) {
    ledger_.problem(planned.path, wanted.error());
    return end(RestoreLedger::Outcome::kFailed);
  }
  if (!*wanted) return end(RestoreLedger::Outcome::kSkipped);
  if (std::string original; entry.links > 1 && is_link(planned, original)) {
    if (options_.dry_run) return end(RestoreLedger::Outcome::kLinked);
    window.links.push_back({std::move(planned), std::move(original)});
    return;
  }
  if (options_.dry_run) return end(RestoreLedger::Outcome::kWritten);
  const bool lists = planned.from.content.lists;
  auto file = std::make_shared<RestoredFile>(std::move(planned), target_, ledger_);
  if (lists)
    window.huge = std::move(file);
  else
    window.content->add(std::move(file));
}

void RestoreSteps::prepare_other(const RestoreEntry& planned) {
  const Result<bool> wanted = is_wanted(planned);
  if (!wanted) return note(planned, wanted.error());
  if (!*wanted) return ledger_.skipped_other();
  if (options_.dry_run) return ledger_.other();
  note(planned, planned.from.entry.is_symlink()
                    ? target_.make_symlink(planned.path, planned.from.entry)
                    : target_.make_special(planned.path, planned.from.entry));
}

void RestoreSteps::note(const RestoreEntry& planned, const Status& status) {
  if (!status) ledger_.problem(planned.path, status.error());
  if (status || status.error().code() == Code::kPermissionDenied)
    ledger_.other();
  else
    ledger_.failed_other();
}

// Whether what is there, if anything, gives way.
Result<bool> RestoreSteps::is_wanted(const RestoreEntry& planned) {
  const Entry& entry = planned.from.entry;
  if (options_.overwrite == Overwrite::kAlways) return true;
  if (options_.overwrite == Overwrite::kIfChanged && entry.is_regular()) {
    HOLDFAST_ASSIGN(const bool same, target_.matches(planned.path, entry));
    return !same;
  }
  HOLDFAST_ASSIGN(const auto there, view_->look(planned.path));
  if (!there) return true;
  if (options_.overwrite == Overwrite::kNever) return false;
  if (options_.overwrite == Overwrite::kIfNewer) return entry.mtime > there->mtime;
  return there->mode != entry.mode || there->mtime != entry.mtime;  // of a link or a special
}

bool RestoreSteps::is_link(const RestoreEntry& planned, std::string& original) {
  const Entry& entry = planned.from.entry;
  const auto key = std::pair(entry.device, entry.inode);
  const std::uint64_t content = digest_of(planned.from);
  const auto found = inodes_.find(key);
  if (found == inodes_.end() || found->second.content != content) {
    inodes_[key] = {planned.path, content, entry.links - 1};
    return false;
  }
  original = found->second.original;
  if (--found->second.left == 0) inodes_.erase(found);
  return true;
}

std::vector<RestoreEntry> RestoreSteps::link(PreparedWindow& window) {
  std::vector<RestoreEntry> to_copy;
  for (RestoreLink& link : window.links) {
    if (target_.make_hard_link(link.planned.path, link.original))
      ledger_.file(RestoreLedger::Outcome::kLinked, link.planned.ordinal,
                   link.planned.from.entry.size);
    else
      to_copy.push_back(std::move(link.planned));
  }
  window.links.clear();
  return to_copy;
}

void RestoreSteps::finish(PreparedWindow& window) {
  for (const std::string& path : window.removals) {
    const Status removed = options_.dry_run ? Status() : view_->remove(path);
    if (removed)
      ledger_.removed();
    else
      ledger_.problem(path, removed.error());
  }
  window.removals.clear();
  if (!options_.dry_run)
    for (const RestoreEntry& folder : window.folders)
      if (const Status done = target_.finish_directory(folder.path, folder.from.entry); !done)
        ledger_.problem(folder.path, done.error());
  window.folders.clear();
}

}  // namespace holdfast::agent
