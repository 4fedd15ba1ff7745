// The paths that a backup was given, as a tree of names: what to visit on the way down, each once.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace holdfast::agent {

class SourcePaths {
 public:
  struct Node {
    bool is_source = false;
    // Below a source too: a source that lies in another one is visited with it, but it counts where
    // a scan that stays on one file system would stop.
    std::map<std::string, Node, std::less<>> children;  // in byte order

    const Node* child(std::string_view name) const {
      const auto found = children.find(name);
      return found == children.end() ? nullptr : &found->second;
    }
  };

  // Makes each path absolute and free of ".", "..", doubled and trailing slashes. ".." is resolved
  // as the kernel would (through links), all else as it is written. kInvalidArgument for an empty
  // path or none at all; kNotFound where a ".." cannot be resolved.
  static Result<SourcePaths> from(const std::vector<std::string>& paths);

  const Node& root() const { return root_; }
  // Each source once, in catalog order, as an Entry's path.
  const std::vector<std::string>& sources() const { return sources_; }
  // The outermost source that `path` is, or lies in; nullptr if none.
  const std::string* covering(std::string_view path) const;

  // Whether all sources exist, and whether each that lies in another is reached from there without
  // passing a symbolic link: one path cannot be kept both as a link and as a folder.
  Status check_reachable() const;

 private:
  Node root_;
  std::vector<std::string> sources_;
  std::vector<std::string> outermost_;  // those of sources_ that lie in no other, in catalog order
};

}  // namespace holdfast::agent
