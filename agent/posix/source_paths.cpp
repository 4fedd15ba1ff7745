#include "agent/posix/source_paths.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <compare>
#include <filesystem>
#include <memory>
#include <system_error>

#include "agent/entry.h"
#include "agent/posix/open_beneath.h"
#include "common/base/text.h"
#include "common/posix/system_call.h"

namespace holdfast::agent {
namespace {

std::vector<std::string_view> components(std::string_view path) {
  std::vector<std::string_view> names;
  for (std::size_t begin = 0; begin < path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view name = path.substr(begin, end - begin);
    if (!name.empty() && name != ".") names.push_back(name);
    begin = end + 1;
  }
  return names;
}

std::string join(const std::vector<std::string_view>& names) {
  std::string path;
  for (const std::string_view name : names) {
    if (!path.empty()) path += '/';
    path += name;
  }
  return path;
}

// An Entry's path for what the user wrote.
Result<std::string> normalise(const std::string& given) {
  if (given.empty() || given.find('\0') != std::string::npos)
    return Error(Code::kInvalidArgument, "a source path is empty or holds a NUL byte");
  std::string path = given;
  if (!path.starts_with('/')) {
    std::error_code error;
    const std::string here = std::filesystem::current_path(error).string();
    if (error) return error_from_errno(error.value(), "cannot name the working directory");
    path = here + "/" + path;
  }
  std::vector<std::string_view> names = components(path);
  const auto last_up = std::find(names.rbegin(), names.rend(), "..");
  if (last_up == names.rend()) return join(names);

  // Only the kernel knows what ".." after a link means.
  const auto behind = last_up.base();
  const std::string upper = "/" + join({names.begin(), behind});
  const std::unique_ptr<char, decltype(&::free)> resolved(::realpath(upper.c_str(), nullptr),
                                                          &::free);
  if (resolved == nullptr) return system_error("cannot resolve source", printable(given));
  std::vector<std::string_view> whole = components(resolved.get());
  whole.insert(whole.end(), behind, names.end());
  return join(whole);
}

bool lies_in(std::string_view path, std::string_view folder) {
  return folder.empty() || path == folder ||
         (path.starts_with(folder) && path[folder.size()] == '/');
}

Result<struct stat> link_stat(const std::string& path) {
  const Descriptor opened = open_absolute(path, O_PATH | O_NOFOLLOW);
  struct stat found {};
  if (!opened || ::fstat(opened.get(), &found) != 0)
    return system_error("source", "/" + printable(path));
  return found;
}

}  // namespace

Result<SourcePaths> SourcePaths::from(const std::vector<std::string>& paths) {
  if (paths.empty()) return Error(Code::kInvalidArgument, "there is no source path");
  SourcePaths result;
  for (const std::string& given : paths) {
    HOLDFAST_ASSIGN(std::string path, normalise(given));
    result.sources_.push_back(std::move(path));
  }
  auto& sources = result.sources_;
  std::sort(sources.begin(), sources.end(),
            [](const auto& a, const auto& b) { return std::is_lt(compare_paths(a, b)); });
  sources.erase(std::unique(sources.begin(), sources.end()), sources.end());

  for (const std::string& source : sources) {
    Node* node = &result.root_;
    for (const std::string_view name : components(source))
      node = &node->children.try_emplace(std::string(name)).first->second;
    node->is_source = true;
    if (result.outermost_.empty() || !lies_in(source, result.outermost_.back()))
      result.outermost_.push_back(source);
  }
  return result;
}

const std::string* SourcePaths::covering(std::string_view path) const {
  // The last that is not behind `path`: no other can hold it, as none of them lies in another.
  const auto behind = std::upper_bound(
      outermost_.begin(), outermost_.end(), path,
      [](std::string_view a, std::string_view b) { return std::is_lt(compare_paths(a, b)); });
  if (behind == outermost_.begin() || !lies_in(path, *(behind - 1))) return nullptr;
  return &*(behind - 1);
}

Status SourcePaths::check_reachable() const {
  for (const std::string& source : sources_) {
    HOLDFAST_TRY(link_stat(source));
    const std::string& outer = *covering(source);
    for (std::size_t end = outer.size(); end < source.size();) {
      const std::string step = source.substr(0, end);
      HOLDFAST_ASSIGN(const struct stat found, link_stat(step));
      if (S_ISLNK(found.st_mode))
        return Error(Code::kInvalidArgument,
                     "source /" + printable(source) + " lies behind the symbolic link /" +
                         printable(step) + ", which is in source /" + printable(outer) +
                         " itself: name the folder that the link leads to");
      end = std::min(source.find('/', end + 1), source.size());
    }
  }
  return {};
}

}  // namespace holdfast::agent
