// The walk's nodes are gathered on the loop and written in pieces on the executor, one at a time;
// the walk pauses while a full piece waits for the one before.
#include "agent/catalog_fetch.h"

#include <utility>

namespace holdfast::agent {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{4} << 20;

bool is_below(std::string_view path, std::string_view folder) {
  return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}

}  // namespace

CatalogFetch::CatalogFetch(ObjectFetcher& fetcher, FileSystem& files, EventLoop& loop,
                           Executor& executor)
    : files_(files), loop_(loop), executor_(executor), walk_(fetcher, loop) {}

CatalogFetch::~CatalogFetch() { *alive_ = false; }

void CatalogFetch::start(const ObjectId& root, Bytes signed_manifest, std::string path,
                         CatalogScope scope, Done done) {
  root_ = root;
  manifest_ = std::move(signed_manifest);
  path_ = std::move(path);
  scope_ = std::move(scope);
  done_ = std::move(done);
  walk_.start(root, *this, nullptr, [this] {
    walked_ = true;
    write(true);
  });
}

// A child holds the paths from its first up to `end`; those at or below `below` lie together.
bool CatalogFetch::wants(const CatalogChild& child, const std::string* end) {
  if (scope_.whole || scope_.below.empty()) return true;
  if (end != nullptr && compare_paths(*end, scope_.below) <= 0) return false;
  return compare_paths(child.first_path, scope_.below) <= 0 ||
         is_below(child.first_path, scope_.below);
}

void CatalogFetch::visit(WalkedNode&& node, const std::string&) {
  if (node.object.kind == ListKind::kLeaf) {
    fetched_.entries += node.entries;
    fetched_.bytes += node.bytes;
  } else if (!scope_.whole) {
    return;
  }
  pending_bytes_ += node.object.payload.size() + node.object.refs.size() * ObjectId::kSize;
  pending_.push_back(std::move(node.object));
  if (pending_bytes_ < kPieceBytes) return;
  if (writing_)
    walk_.pause();
  else
    write(false);
}

void CatalogFetch::lost(const ObjectId& id, const std::string& path, const Error& error) {
  if (scope_.whole || id == root_) {
    failure_ = error;
    walk_.stop();
  } else {
    fetched_.lost.push_back({path, error});
  }
}

void CatalogFetch::write(bool last) {
  if (writing_) return;
  // The unfinished file is no catalog file; what was there before is gone, as announced.
  if (failure_) return std::exchange(done_, nullptr)(*failure_);
  writing_ = true;
  pending_bytes_ = 0;
  auto status = std::make_shared<Status>();
  executor_.submit([this, alive = alive_, &loop = loop_, &files = files_, path = path_, last,
                    status, writer = std::move(writer_), pieces = std::exchange(pending_, {}),
                    root = root_, manifest = last ? manifest_ : Bytes()]() mutable {
    *status = [&]() -> Status {
      if (!writer) {
        HOLDFAST_ASSIGN(auto created, CatalogFileWriter::create(files, path));
        writer = std::make_shared<CatalogFileWriter>(std::move(created));
      }
      for (const ListObject& object : pieces) HOLDFAST_TRY(writer->add(object));
      return last ? writer->finish(root, manifest) : Status();
    }();
    loop.post([this, alive, last, status, writer = std::move(writer)]() mutable {
      if (!*alive) return;
      writer_ = std::move(writer);
      writing_ = false;
      if (!*status) {
        failure_ = status->error();
        walk_.stop();
      }
      if (walked_ && (last || failure_)) {
        if (failure_)
          std::exchange(done_, nullptr)(*failure_);
        else
          std::exchange(done_, nullptr)(std::move(fetched_));
      } else if (walked_) {
        write(true);
      } else {
        if (!failure_ && pending_bytes_ >= kPieceBytes) write(false);
        walk_.resume();
      }
    });
  });
}

}  // namespace holdfast::agent
