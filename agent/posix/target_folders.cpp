#include "agent/posix/target_folders.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "agent/posix/open_beneath.h"
#include "common/base/text.h"

namespace holdfast::agent {
namespace {

// Enough for the folders that several threads restore into at once.
constexpr std::size_t kCachedFolders = 64;

Status check_path(std::string_view path) {
  bool sound = path.find('\0') == path.npos;
  for (std::size_t begin = 0; sound && begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view name = path.substr(begin, end - begin);
    sound = !name.empty() && name != "." && name != "..";
    begin = end + 1;
  }
  if (sound) return {};
  return Error(Code::kInvalidArgument, "\"" + printable(path) + "\" is no path within a target");
}

}  // namespace

Creator Creator::current() { return {::geteuid(), ::getegid()}; }

TargetFolders::TargetFolders(Descriptor root, KernelFeatures features)
    : root_(std::move(root)), features_(features), cache_(kCachedFolders) {}

Result<TargetPlace> TargetFolders::locate(std::string_view path) {
  HOLDFAST_TRY(check_path(path));
  const auto slash = path.rfind('/');
  const std::size_t folder_length = slash == path.npos ? 0 : slash;
  HOLDFAST_ASSIGN(auto folder, open(path.substr(0, folder_length)));
  return TargetPlace{std::move(folder), std::string(path.substr(slash + 1))};
}

Result<std::shared_ptr<TargetFolder>> TargetFolders::open(std::string_view path) {
  if (auto known = cache_.find(path)) return known;
  auto folder = std::make_shared<TargetFolder>();
  folder->creator = creator_;
  constexpr int kFlags = O_RDONLY | O_DIRECTORY;
  folder->descriptor = open_beneath(root_.get(), path, kFlags, features_);
  if (folder->descriptor) {
    folder->has_default_acl =
        ::fgetxattr(folder->descriptor.get(), "system.posix_acl_default", nullptr, 0) >= 0;
  } else if (errno == EACCES) {
    // Others' folder that may be written to, but not read: whatever it has cannot be asked for.
    folder->descriptor = open_beneath(root_.get(), path, O_PATH | O_DIRECTORY, features_);
    folder->has_default_acl = true;
  }
  if (!folder->descriptor)
    return error_from_errno(errno, "folder \"" + printable(path) + "\" of the target");
  struct stat stat {};
  if (::fstat(folder->descriptor.get(), &stat) != 0)
    return error_from_errno(errno, "folder \"" + printable(path) + "\" of the target");
  folder->gives_own_group = stat.st_gid == creator_.gid;
  cache_.insert(path, folder);
  return folder;
}

}  // namespace holdfast::agent
