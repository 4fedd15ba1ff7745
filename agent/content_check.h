// Reads a restored file again and compares it with the ids of its chunks. Blocking.
#pragma once

#include <span>

#include "agent/target_view.h"
#include "common/base/digest.h"
#include "common/format/object.h"

namespace holdfast::agent {

// Not thread-safe: one per worker.
class ContentCheck {
 public:
  ContentCheck(TargetView& view, const crypto::SecretKey& group_id_key)
      : view_(view), identifier_(group_id_key) {}

  // That the file has this size and, from `offset`, chunks of these lengths with these ids. One
  // chunk without a length is all of the file. kCorrupt where it differs, what the view says.
  Status check_file(const std::string& path, std::uint64_t size, std::span<const ObjectId> chunks,
                    std::span<const std::uint32_t> lengths, std::uint64_t offset = 0);

 private:
  TargetView& view_;
  format::ObjectIdentifier identifier_;
  Buffer buffer_;
};

}  // namespace holdfast::agent
