// A file whose presence says that the content of its folder is not worth a backup.
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"

namespace holdfast::agent {

struct FolderMark {
  std::string name;
  std::string header;  // the beginning of its content; empty: whatever it holds

  // "NAME" or "NAME:HEADER". kInvalidArgument for a name that cannot be one in a folder, or a
  // header beyond 4 KiB.
  static Result<FolderMark> parse(std::string_view text);
  // CACHEDIR.TAG with the signature that https://bford.info/cachedir agreed upon.
  static FolderMark cache();

  // Whether the open folder carries it. A mark with a header is a regular file.
  bool is_in(int folder) const;
};

}  // namespace holdfast::agent
