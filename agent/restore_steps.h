// What a restore does with a window beside contents: folders, links, specials and files that are
// there already before it; hard links, removals and the metadata of folders behind it. Blocking; on
// one thread at a time.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/restore_content.h"
#include "agent/restore_ledger.h"
#include "agent/restore_planner.h"
#include "agent/restore_target.h"
#include "agent/target_view.h"

namespace holdfast::agent {

// A name that is to be linked to a file written before.
struct RestoreLink {
  RestoreEntry planned;
  std::string original;
};

struct PreparedWindow {
  std::shared_ptr<RestoreContent> content;
  std::vector<ObjectId> ids;           // of the content
  std::shared_ptr<RestoredFile> huge;  // of chunk lists
  std::vector<RestoreLink> links;
  std::vector<std::string> removals;
  std::vector<RestoreEntry> folders;
  bool last = false;
};

class RestoreSteps {
 public:
  // `view` may be null if the options need none of it. All outlive this.
  RestoreSteps(const RestoreOptions& options, RestoreTarget& target, TargetView* view,
               RestoreLedger& ledger)
      : options_(options), target_(target), view_(view), ledger_(ledger) {}

  PreparedWindow prepare(RestoreWindow window);
  // Once the content of this window and all before it is written. What could not be linked comes
  // back as files to be written.
  std::vector<RestoreEntry> link(PreparedWindow& window);
  void finish(PreparedWindow& window);

 private:
  // The names of one inode, as long as more may come.
  struct Inode {
    std::string original;
    std::uint64_t content;  // a digest of size and refs: the same inode number may come again
    std::uint64_t left;
  };
  void prepare(RestoreEntry planned, PreparedWindow& window);
  void prepare_file(RestoreEntry planned, PreparedWindow& window);
  void prepare_other(const RestoreEntry& planned);
  Result<bool> is_wanted(const RestoreEntry& planned);
  bool is_link(const RestoreEntry& planned, std::string& original);
  void note(const RestoreEntry& planned, const Status& status);

  const RestoreOptions& options_;
  RestoreTarget& target_;
  TargetView* view_;
  RestoreLedger& ledger_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, Inode> inodes_;  // by device and number
};

}  // namespace holdfast::agent
