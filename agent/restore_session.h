// A restore: from a catalog file, through an ObjectFetcher, into a target.
//
// Entries are taken in windows of bounded size. Of each window the frames are planned together, so
// that each is fetched and opened once and its chunks are written wherever they belong, by several
// workers. Two windows are on their way at once; they come to their end in order, which is when
// hard links are made and folders get their metadata. What goes wrong with one entry is written
// down, and the restore goes on.
//
// Loop thread only; files are touched on the executor alone.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/object_fetcher.h"
#include "agent/restore_options.h"
#include "agent/restore_steps.h"
#include "agent/target_view.h"
#include "common/ports/file_system.h"

namespace holdfast::agent {

class RestoreSession {
 public:
  // Fails if the catalog cannot be read or `below` is not in it. All else is in the result.
  using Done = std::function<void(Result<RestoreResult>)>;

  // `view` may be null unless the options overwrite less than always, remove or verify: that is
  // kInvalidArgument. The ports outlive the session and whatever it gave to the executor, so that
  // the executor is drained before they go; `keys` is for verifying.
  RestoreSession(ObjectFetcher& fetcher, FileSystem& files, RestoreTarget& target, TargetView* view,
                 std::shared_ptr<const ReaderKeys> keys, EventLoop& loop, Executor& executor);
  // Stops after what workers have in hand; what was begun of files is removed.
  ~RestoreSession();
  RestoreSession(const RestoreSession&) = delete;
  RestoreSession& operator=(const RestoreSession&) = delete;

  // Once per object. `done` comes from the loop and may destroy the session.
  void start(const std::string& catalog_path, RestoreOptions options, Done done,
             WindowLimits limits = {});
  // Changes as workers go; for whoever shows it, by a timer of theirs.
  RestoreProgress progress() const;

 private:
  // What workers use; they hold it as long as they need it.
  struct Shared;
  struct Window;
  struct Run;
  struct Lists;
  using WindowPtr = std::shared_ptr<Window>;

  template <typename Work, typename Then>
  void run(Work work, Then then);
  void advance();
  void end(Result<RestoreResult> result);
  // Planning.
  void plan();
  void take_planned(Result<WindowPtr> planned);
  // Contents.
  void write_content(const WindowPtr& window, const std::shared_ptr<RestoreContent>& content,
                     std::vector<ObjectId> ids);
  void fetch_lists(const WindowPtr& window);
  void take_lists(const WindowPtr& window, const std::vector<ObjectId>& ids, Lists& lists);
  void fail_huge(const WindowPtr& window, const Error& error);
  void settle(const WindowPtr& window);
  // What follows.
  void end_front();
  void copy_instead(const WindowPtr& window, std::vector<RestoreEntry> files);
  void pop_front();
  // The second pass.
  void begin_check();
  void check_files(const WindowPtr& window);
  void check_run(const WindowPtr& window, Run chunks, std::uint64_t offset, bool last);

  ObjectFetcher& fetcher_;
  FileSystem& files_;
  RestoreTarget& target_;
  TargetView* view_;
  std::shared_ptr<const ReaderKeys> keys_;
  EventLoop& loop_;
  Executor& executor_;
  std::string catalog_path_;
  WindowLimits limits_;
  Done done_;
  std::shared_ptr<Shared> shared_;
  std::deque<WindowPtr> windows_;  // in order of the catalog
  bool planning_ = false, all_planned_ = false, checking_ = false, ended_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace holdfast::agent
