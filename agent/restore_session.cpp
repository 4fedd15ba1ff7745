// One planning runs at a time, then a window's content is fetched and written, then the window at
// the front comes to its end. A second pass over the catalog, with the same plan and no effects,
// verifies what the first one wrote.
#include "agent/restore_session.h"

#include <atomic>
#include <optional>
#include <utility>

#include "agent/catalog_file.h"
#include "agent/content_check.h"

namespace holdfast::agent {
namespace {

constexpr std::size_t kMostWindows = 4;        // planned and not ended
constexpr std::size_t kMostWindowsInWork = 2;  // whose content is on its way
constexpr std::size_t kListsPerRun = 16;       // of 1,024 chunks each
constexpr std::size_t kMostRuns = 2;           // of one huge file on their way

}  // namespace

struct RestoreSession::Shared {
  RestoreOptions options;
  RestoreLedger ledger;
  std::unique_ptr<RestorePlanner> planner;  // made by the first planning
  std::unique_ptr<RestoreSteps> steps;
};

// Chunks of a file, one behind the other.
struct RestoreSession::Run {
  std::vector<ObjectId> chunks;
  std::vector<std::uint32_t> lengths;
};

// Chunk lists that are being fetched, filled by workers.
struct RestoreSession::Lists {
  std::mutex mutex;
  std::map<ObjectId, Result<Run>> come;
};

struct RestoreSession::Window {
  PreparedWindow prepared;
  std::vector<RestoreEntry> to_check;  // in the second pass, instead
  std::optional<RestoreEntry> huge_to_check;
  std::size_t works = 0;  // on contents, on their way
  bool written = false;   // all contents are
  bool linked = false, ending = false;
  // Of the file of chunk lists, if there is one.
  std::size_t next_list = 0;
  std::uint64_t offset = 0;  // behind the runs that were begun
  bool lists_on_their_way = false, lists_ended = true;
  const RestoreEntry* huge() const {
    if (huge_to_check) return &*huge_to_check;
    return prepared.huge ? &prepared.huge->planned() : nullptr;
  }
};

RestoreSession::RestoreSession(ObjectFetcher& fetcher, FileSystem& files, RestoreTarget& target,
                               TargetView* view, std::shared_ptr<const ReaderKeys> keys,
                               EventLoop& loop, Executor& executor)
    : fetcher_(fetcher),
      files_(files),
      target_(target),
      view_(view),
      keys_(std::move(keys)),
      loop_(loop),
      executor_(executor),
      shared_(std::make_shared<Shared>()) {}

RestoreSession::~RestoreSession() { *alive_ = false; }

RestoreProgress RestoreSession::progress() const { return shared_->ledger.progress(); }

// Runs work(shared) on the executor, then then(its result) here.
template <typename Work, typename Then>
void RestoreSession::run(Work work, Then then) {
  executor_.submit([alive = alive_, &loop = loop_, shared = shared_, work = std::move(work),
                    then = std::move(then)]() mutable {
    auto result = std::make_shared<decltype(work(*shared))>(work(*shared));
    loop.post([alive = std::move(alive), result, then = std::move(then)]() mutable {
      if (*alive) then(std::move(*result));
    });
  });
}

void RestoreSession::start(const std::string& catalog_path, RestoreOptions options, Done done,
                           WindowLimits limits) {
  catalog_path_ = catalog_path;
  limits_ = limits;
  done_ = std::move(done);
  shared_->options = std::move(options);
  shared_->steps =
      std::make_unique<RestoreSteps>(shared_->options, target_, view_, shared_->ledger);
  const RestoreOptions& chosen = shared_->options;
  if (view_ == nullptr &&
      (chosen.overwrite != Overwrite::kAlways || chosen.remove_others || chosen.verify))
    return end(Error(Code::kInvalidArgument, "this restore needs to read its target"));
  advance();
}

void RestoreSession::end(Result<RestoreResult> result) {
  if (std::exchange(ended_, true)) return;
  loop_.post([this, alive = alive_, result = std::move(result)]() mutable {
    if (*alive) std::exchange(done_, nullptr)(std::move(result));
  });
}

void RestoreSession::advance() {
  if (ended_) return;
  std::size_t in_work = 0;
  for (const WindowPtr& window : windows_) in_work += window->written ? 0 : 1;
  if (!planning_ && !all_planned_ && in_work < kMostWindowsInWork && windows_.size() < kMostWindows)
    plan();
  if (!windows_.empty() && windows_.front()->written && !windows_.front()->ending) end_front();
  if (!windows_.empty() || !all_planned_) return;
  if (!checking_ && shared_->options.verify && !shared_->options.dry_run) return begin_check();
  end(shared_->ledger.take_result());
}

void RestoreSession::plan() {
  planning_ = true;
  run(
      [&files = files_, path = catalog_path_, view = view_, limits = limits_,
       checking = checking_](Shared& shared) -> Result<WindowPtr> {
        if (!shared.planner) {
          HOLDFAST_ASSIGN(auto catalog, CatalogFileReader::open(files, path));
          shared.planner =
              std::make_unique<RestorePlanner>(std::move(catalog), shared.options, view, limits);
        }
        HOLDFAST_ASSIGN(RestoreWindow planned, shared.planner->next());
        auto window = std::make_shared<Window>();
        if (!checking) {
          window->prepared = shared.steps->prepare(std::move(planned));
          return window;
        }
        window->prepared.last = planned.last;
        for (RestoreEntry& entry : planned.entries) {
          if (!entry.from.entry.is_regular() || !shared.ledger.was_written(entry.ordinal)) continue;
          if (entry.from.content.lists)
            window->huge_to_check = std::move(entry);
          else
            window->to_check.push_back(std::move(entry));
        }
        return window;
      },
      [this](Result<WindowPtr> planned) { take_planned(std::move(planned)); });
}

void RestoreSession::take_planned(Result<WindowPtr> planned) {
  planning_ = false;
  if (!planned) {
    // What is on its way comes to its end in the ledger; nobody hears of it.
    windows_.clear();
    return end(planned.error());
  }
  const WindowPtr window = std::move(*planned);
  all_planned_ = window->prepared.last;
  windows_.push_back(window);
  if (window->huge() != nullptr) {
    window->lists_ended = false;
    if (window->prepared.huge) window->prepared.huge->expect(1);
    fetch_lists(window);
  }
  if (!window->prepared.ids.empty())
    write_content(window, window->prepared.content, std::move(window->prepared.ids));
  if (!window->to_check.empty()) check_files(window);
  settle(window);
}

void RestoreSession::settle(const WindowPtr& window) {
  window->written = window->works == 0 && window->lists_ended;
  advance();
}

void RestoreSession::write_content(const WindowPtr& window,
                                   const std::shared_ptr<RestoreContent>& content,
                                   std::vector<ObjectId> ids) {
  ++window->works;
  fetcher_.fetch(
      std::move(ids),
      [content, shared = shared_](const format::OpenedFrame&, auto wanted) {
        content->write(wanted);
      },
      [this, alive = alive_, window, content](std::vector<ObjectFetcher::Missing> missing) {
        if (!*alive) return;
        const auto work_done = [this, window] {
          --window->works;
          fetch_lists(window);
          settle(window);
        };
        if (missing.empty()) return work_done();
        // Failing a file removes what was written of it.
        run(
            [content, missing = std::move(missing)](Shared&) {
              for (const auto& [id, reason] : missing) content->fail(id, reason);
              return true;
            },
            [work_done](bool) { work_done(); });
      });
}

void RestoreSession::fetch_lists(const WindowPtr& window) {
  const RestoreEntry* const huge = window->huge();
  if (huge == nullptr || window->lists_ended || window->lists_on_their_way ||
      window->works >= kMostRuns)
    return;
  window->lists_on_their_way = true;
  const std::vector<ObjectId>& refs = huge->from.content.refs;
  const std::size_t count = std::min(kListsPerRun, refs.size() - window->next_list);
  const auto first = refs.begin() + static_cast<std::ptrdiff_t>(window->next_list);
  window->next_list += count;
  std::vector<ObjectId> ids(first, first + static_cast<std::ptrdiff_t>(count));
  auto lists = std::make_shared<Lists>();
  fetcher_.fetch(
      ids,
      [lists](const format::OpenedFrame&, auto wanted) {
        for (const format::OpenedObject* object : wanted) {
          auto lengths = decode_chunk_list(object->refs, object->payload);
          Result<Run> run = lengths ? Result<Run>(Run{object->refs, std::move(*lengths)})
                                    : Result<Run>(lengths.error());
          const std::lock_guard lock(lists->mutex);
          lists->come.insert_or_assign(object->id, std::move(run));
        }
      },
      [this, alive = alive_, window, ids, lists](std::vector<ObjectFetcher::Missing> missing) {
        if (!*alive) return;
        for (auto& [id, reason] : missing) lists->come.insert_or_assign(id, std::move(reason));
        window->lists_on_their_way = false;
        take_lists(window, ids, *lists);
      });
}

// Puts the lists together to one run of chunks and begins with it.
void RestoreSession::take_lists(const WindowPtr& window, const std::vector<ObjectId>& ids,
                                Lists& lists) {
  if (window->lists_ended) return settle(window);  // a run before did not verify
  const RestoreEntry& huge = *window->huge();
  const bool last = window->next_list == huge.from.content.refs.size();
  const std::uint64_t size = huge.from.entry.size;
  const std::uint64_t offset = window->offset;
  const Status whole = [&]() -> Status {
    for (const ObjectId& id : ids) {
      const Result<Run>& run = lists.come.at(id);
      if (!run) return run.error();
      for (const std::uint32_t length : run->lengths) window->offset += length;
      if (window->offset > size) break;
    }
    if (window->offset > size || (last && window->offset < size))
      return Error(Code::kCorrupt, "its chunks do not add up to its size");
    return {};
  }();
  window->lists_ended =
      last || !whole || (window->prepared.huge && window->prepared.huge->failed());
  if (!whole) fail_huge(window, whole.error());
  if (whole) {
    Run run;
    for (const ObjectId& id : ids) {
      const Run& part = *lists.come.at(id);
      run.chunks.insert(run.chunks.end(), part.chunks.begin(), part.chunks.end());
      run.lengths.insert(run.lengths.end(), part.lengths.begin(), part.lengths.end());
    }
    if (window->prepared.huge) {
      auto content = std::make_shared<RestoreContent>();
      content->add(window->prepared.huge, run.chunks, run.lengths, offset);
      auto chunk_ids = content->close();
      if (!chunk_ids.empty()) write_content(window, content, std::move(chunk_ids));
    } else {
      check_run(window, std::move(run), offset, last);
    }
  }
  if (window->lists_ended && window->prepared.huge) {
    // No more pieces will be expected; the last one written ends the file.
    ++window->works;
    run(
        [file = window->prepared.huge](Shared&) {
          file->release();
          return true;
        },
        [this, window](bool) {
          --window->works;
          settle(window);
        });
  }
  fetch_lists(window);
  settle(window);
}

void RestoreSession::fail_huge(const WindowPtr& window, const Error& error) {
  if (window->prepared.huge)
    window->prepared.huge->fail(error);
  else
    shared_->ledger.problem(window->huge()->path, error);
}

void RestoreSession::check_files(const WindowPtr& window) {
  auto next = std::make_shared<std::atomic<std::size_t>>(0);
  for (unsigned worker = 0; worker < executor_.concurrency(); ++worker) {
    ++window->works;
    run(
        [window, next, view = view_, keys = keys_](Shared& shared) {
          ContentCheck check(*view, keys->id_key);
          for (std::size_t at; (at = next->fetch_add(1)) < window->to_check.size();) {
            const RestoreEntry& planned = window->to_check[at];
            const Content& content = planned.from.content;
            const Status good = check.check_file(planned.path, planned.from.entry.size,
                                                 content.refs, content.lengths);
            if (good)
              shared.ledger.verified();
            else
              shared.ledger.problem(planned.path, good.error());
          }
          return true;
        },
        [this, window](bool) {
          --window->works;
          settle(window);
        });
  }
}

void RestoreSession::check_run(const WindowPtr& window, Run chunks, std::uint64_t offset,
                               bool last) {
  ++window->works;
  run(
      [window, chunks = std::move(chunks), offset, last, view = view_,
       keys = keys_](Shared& shared) {
        const RestoreEntry& planned = *window->huge();
        const Status good = ContentCheck(*view, keys->id_key)
                                .check_file(planned.path, planned.from.entry.size, chunks.chunks,
                                            chunks.lengths, offset);
        if (!good)
          shared.ledger.problem(planned.path, good.error());
        else if (last)
          shared.ledger.verified();
        return good.has_value();
      },
      [this, window](bool good) {
        --window->works;
        if (!good) window->lists_ended = true;
        fetch_lists(window);
        settle(window);
      });
}

// The window at the front, and all before it, are written: what needs that.
void RestoreSession::end_front() {
  const WindowPtr window = windows_.front();
  window->ending = true;
  if (checking_) return pop_front();
  run(
      [window](Shared& shared) {
        std::vector<RestoreEntry> to_copy;
        if (!std::exchange(window->linked, true)) to_copy = shared.steps->link(window->prepared);
        if (to_copy.empty()) shared.steps->finish(window->prepared);
        return to_copy;
      },
      [this, window](std::vector<RestoreEntry> to_copy) {
        if (to_copy.empty()) return pop_front();
        window->ending = false;
        window->written = false;
        copy_instead(window, std::move(to_copy));
      });
}

// Names that could not be linked become files of their own.
void RestoreSession::copy_instead(const WindowPtr& window, std::vector<RestoreEntry> files) {
  ++window->works;
  run(
      [this_target = &target_, window, files = std::move(files)](Shared& shared) mutable {
        auto content = std::make_shared<RestoreContent>();
        for (RestoreEntry& planned : files) {
          auto file =
              std::make_shared<RestoredFile>(std::move(planned), *this_target, shared.ledger);
          if (file->entry().content.lists)
            file->fail(Error(Code::kIo,
                             "it could not be linked to the file that it is a name of, "
                             "and is too large to be written twice"));
          else
            content->add(std::move(file));
        }
        window->prepared.ids = content->close();
        return content;
      },
      [this, window](std::shared_ptr<RestoreContent> content) {
        --window->works;
        if (!window->prepared.ids.empty())
          write_content(window, content, std::move(window->prepared.ids));
        settle(window);
      });
}

void RestoreSession::pop_front() {
  windows_.pop_front();
  advance();
}

void RestoreSession::begin_check() {
  checking_ = true;
  all_planned_ = false;
  shared_->planner.reset();
  // The second plan is to have the same entries and to remove nothing.
  shared_->options.remove_others = false;
  plan();
}

}  // namespace holdfast::agent
