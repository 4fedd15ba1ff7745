// Content and details are asked for by path, mostly folder by folder in catalog order. The open
// folders used last are kept, so that a file costs one lookup of its name; a folder itself is
// reached from its source by a walk that follows no link.
//
// What plain stat does not give are the extended attributes, ACLs and capabilities among them, and
// the names of owners. libarchive's disk reader would add only the inode flags (chattr), which an
// Entry does not keep yet.
#include "agent/posix/posix_source_tree.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

#include "agent/posix/extended_attributes.h"
#include "agent/posix/file_reader.h"
#include "agent/posix/open_beneath.h"
#include "common/base/text.h"
#include "common/posix/system_call.h"

namespace holdfast::agent {
namespace {

constexpr std::size_t kCachedFolders = 32;
// A fifo must not make the opening wait, nor a terminal become ours.
constexpr int kReadFlags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;

Error changed(const Entry& entry, std::string_view what) {
  return Error(Code::kChanged, "/" + printable(entry.path) + " " + std::string(what));
}

// A name that was there when it was scanned.
Error lookup_error(int value, const Entry& entry) {
  if (value == ENOENT || value == ENOTDIR) return changed(entry, "vanished");
  if (value == ELOOP) return changed(entry, "became a symbolic link or lies behind one");
  return error_from_errno(value, "/" + printable(entry.path));
}

std::string_view folder_path(std::string_view path) {
  const auto slash = path.rfind('/');
  return path.substr(0, slash == path.npos ? 0 : slash);
}

}  // namespace

Result<std::unique_ptr<PosixSourceTree>> PosixSourceTree::create(
    const std::vector<std::string>& sources, ScanOptions options, KernelFeatures features) {
  HOLDFAST_ASSIGN(SourcePaths paths, SourcePaths::from(sources));
  return std::unique_ptr<PosixSourceTree>(
      new PosixSourceTree(std::move(paths), std::move(options), features));
}

PosixSourceTree::PosixSourceTree(SourcePaths sources, ScanOptions options, KernelFeatures features)
    : sources_(std::move(sources)),
      options_(std::move(options)),
      features_(features),
      folders_(kCachedFolders) {}

Status PosixSourceTree::scan(const std::function<bool(Entry&&)>& visit,
                             const std::function<void(ScanProblem&&)>& problem) {
  HOLDFAST_TRY(sources_.check_reachable());
  folders_.clear();  // of an earlier scan
  TreeWalk(sources_, options_, features_).run(visit, problem);
  return {};
}

Descriptor PosixSourceTree::open_folder(std::string_view path) const {
  constexpr int kFlags = O_PATH | O_DIRECTORY;
  const std::string* source = sources_.covering(path);
  if (source == nullptr) return open_absolute(path, kFlags);  // above the sources
  Descriptor base = open_absolute(*source, kFlags | O_NOFOLLOW);
  if (!base || path.size() == source->size()) return base;
  const std::size_t begin = source->size() + (source->empty() ? 0 : 1);
  return open_beneath(base.get(), path.substr(begin), kFlags, features_);
}

// The folder that `path` lies in.
Result<std::shared_ptr<Descriptor>> PosixSourceTree::folder_of(std::string_view path) {
  const std::string_view folder = folder_path(path);
  if (auto known = folders_.find(folder)) return known;
  auto opened = std::make_shared<Descriptor>(open_folder(folder));
  if (!*opened) {
    Entry entry;
    entry.path = path;
    return lookup_error(errno, entry);
  }
  folders_.insert(folder, opened);
  return opened;
}

Result<std::unique_ptr<ContentReader>> PosixSourceTree::open(const Entry& entry) {
  HOLDFAST_ASSIGN(const std::shared_ptr<Descriptor> folder, folder_of(entry.path));
  const std::string name(entry.name());
  Descriptor file = open_without_atime(entry.uid, kReadFlags, [&](int flags) {
    return Descriptor(::openat(folder->get(), name.c_str(), flags));
  });
  if (!file) return lookup_error(errno, entry);
  struct stat stat;
  if (::fstat(file.get(), &stat) != 0) return lookup_error(errno, entry);
  if (!S_ISREG(stat.st_mode)) return changed(entry, "is no regular file any more");
  if (stat.st_ino != entry.inode || stat.st_dev != entry.device)
    return changed(entry, "was replaced by another file");
  return std::unique_ptr<ContentReader>(
      std::make_unique<FileReader>(std::move(file), file_stat(stat)));
}

Status PosixSourceTree::read_target(int folder, const char* name, Entry& entry) const {
  entry.target.resize(PATH_MAX);
  const ssize_t length = ::readlinkat(folder, name, entry.target.data(), entry.target.size());
  entry.target.resize(length < 0 ? 0 : static_cast<std::size_t>(length));
  entry.target.shrink_to_fit();
  if (length >= 0) return {};
  if (errno == EINVAL) return changed(entry, "is no symbolic link any more");
  return lookup_error(errno, entry);
}

Status PosixSourceTree::describe(Entry& entry) {
  entry.user = names_.user(entry.uid);
  entry.group = names_.group(entry.gid);
  // Above the sources a link may stand where the entry is the folder that it leads to.
  if (sources_.covering(entry.path) == nullptr) {
    const Descriptor opened =
        open_absolute(entry.path, O_RDONLY | O_DIRECTORY | noatime_for(entry.uid));
    if (!opened) return lookup_error(errno, entry);
    return read_xattrs(XattrSubject::open_file(opened.get()), entry.xattrs);
  }
  HOLDFAST_ASSIGN(const std::shared_ptr<Descriptor> folder, folder_of(entry.path));
  const std::string name = entry.path.empty() ? "." : std::string(entry.name());
  if (entry.is_symlink()) HOLDFAST_TRY(read_target(folder->get(), name.c_str(), entry));
  Status xattrs =
      read_xattrs(XattrSubject::in_folder(folder->get(), name, features_), entry.xattrs);
  if (xattrs) return {};
  if (xattrs.error().code() == Code::kNotFound) return changed(entry, "vanished");
  return std::move(xattrs).error().with_context("/" + printable(entry.path));
}

}  // namespace holdfast::agent
