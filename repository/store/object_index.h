// Where each object lies, and what else a node must look up by a 32-byte name. A cache: everything
// in it can be rebuilt from the segments, so an implementation may lose any suffix of its batches
// in a crash, but never a batch out of the middle: what survives is what some earlier moment held.
//
// One conformance suite (tests/conformance) holds for every implementation.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/digest.h"
#include "common/base/result.h"
#include "common/format/object.h"

namespace holdfast::repository {

// Where a record lies. Segments are numbered from 1.
struct Location {
  std::uint32_t segment = 0;
  std::uint64_t offset = 0;  // of the record's header
  std::uint32_t length = 0;  // of the record's payload: a frame, a manifest...
  friend auto operator<=>(const Location&, const Location&) = default;
};

// A stretch of a segment, from `begin` to before `end`.
struct SegmentRange {
  std::uint32_t segment = 0;
  std::uint64_t begin = 0, end = 0;
  // Whether what is there begins in the stretch.
  bool contains(const Location& at) const {
    return at.segment == segment && at.offset >= begin && at.offset < end;
  }
};

struct ObjectEntry {
  Location location;
  format::ObjectKind kind = format::ObjectKind::kData;
  std::uint16_t position = 0;  // within its frame
  // A list object of which something below is missing or damaged: answered as not present.
  bool incomplete = false;
  // The frame was found damaged: answered as not present, replaced by the next good copy.
  bool damaged = false;
  friend bool operator==(const ObjectEntry&, const ObjectEntry&) = default;
};

// Everything up to here is in the index: recovery replays what lies behind it.
struct Checkpoint {
  std::uint32_t segment = 0;
  std::uint64_t offset = 0;
  friend auto operator<=>(const Checkpoint&, const Checkpoint&) = default;
};

class ObjectIndex {
 public:
  struct Put {
    ObjectId id;
    ObjectEntry entry;
  };
  // A small fact by name, beside the objects: where the few other records lie, what was indexed of
  // each segment. No value removes it.
  struct Note {
    std::string name;
    std::optional<Bytes> value;
  };
  virtual ~ObjectIndex() = default;
  // One entry an id, in the order of `ids`; nullopt where there is none.
  virtual Result<std::vector<std::optional<ObjectEntry>>> get(std::span<const ObjectId> ids) = 0;
  // Applies all of it and the checkpoint at once. Of several puts of one id the last holds. Need
  // not be durable before flush().
  virtual Status write(std::span<const Put> puts, std::span<const ObjectId> removals,
                       std::span<const Note> notes, Checkpoint checkpoint) = 0;
  virtual Result<Checkpoint> checkpoint() = 0;  // all zero in a new index
  // Makes everything written so far durable.
  virtual Status flush() = 0;
  // Calls `visit` for every object in order of id until it returns false. Not beside write().
  virtual Status for_each(
      const std::function<bool(const ObjectId&, const ObjectEntry&)>& visit) = 0;
  // The same for every note whose name begins with `prefix`, in order of name.
  virtual Status for_each_note(
      std::string_view prefix,
      const std::function<bool(std::string_view name, ByteView value)>& visit) = 0;
  // Forgets everything, the checkpoint too.
  virtual Status clear() = 0;
  virtual Result<std::uint64_t> approximate_count() = 0;
};

}  // namespace holdfast::repository
