// Going through all segments in disk order, step by step. What is found damaged is marked at once.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "repository/store/record_scan.h"
#include "repository/store/store.h"
#include "repository/store/store_parts.h"

namespace holdfast::repository {

class Verification {
 public:
  explicit Verification(StoreParts& parts) : parts_(parts) {}

  // From the beginning at the next step.
  void restart() { begun_ = false; }
  // The index may name other records than before: it was rebuilt, or lost its newest entries.
  void forget_rubbish() { rubbish_.clear(); }
  Result<VerifyProgress> step(const VerifyDepth& depth, const Store::AgentKeys& keys);

 private:
  // A frame of this step whose entries in the index are still to be compared.
  struct SeenFrame {
    Location location;
    format::FrameHeader header;
  };
  Status begin_segment(const VerifyDepth& depth, VerifyProgress& progress);
  Status visit(const Stretch& stretch, VerifyProgress& progress);
  Status visit_frame(const Stretch& stretch, const Location& location, VerifyProgress& progress);
  Status visit_signed_record(const Stretch& stretch, const std::string& what,
                             VerifyProgress& progress);
  void visit_gap(const SegmentRange& gap);
  void visit_unused(const Location& location);
  Status check_gaps(VerifyProgress& progress);
  Status check_signed_records();
  Result<bool> holds_signed_record(const SegmentRange& range);
  Result<format::FrameHeader> header_of(const Stretch& stretch);
  Status check_signature(const format::ParsedFrame& frame, VerifyProgress& progress);
  Status check_entries(VerifyProgress& progress);
  Status check_lists(const SeenFrame& seen, std::span<const std::optional<ObjectEntry>> entries,
                     VerifyProgress& progress);
  Status damage(const Location& location, const std::string& what, VerifyProgress& progress);
  Status device_works();

  StoreParts& parts_;
  bool begun_ = false;
  VerifyDepth depth_;
  const Store::AgentKeys* keys_ = nullptr;  // during a step
  std::uint32_t segment_ = 0;               // the one being read, or the last that was
  std::shared_ptr<File> file_;
  std::uint64_t end_ = 0;
  std::optional<RecordScan> scan_;
  std::uint64_t step_bytes_ = 0;  // read in this step
  std::size_t step_objects_ = 0;  // to be looked up at its end
  std::vector<SeenFrame> seen_;
  std::vector<Location> seen_signed_;  // manifests and charters of this step
  std::vector<SegmentRange> gaps_;     // of this step, to be looked for in the index at its end
  // Ends of the gaps in which nothing lies any more. Nothing will while the index is the same one,
  // so that they need no further pass over it.
  std::map<std::pair<std::uint32_t, std::uint64_t>, std::uint64_t> rubbish_;
};

}  // namespace holdfast::repository
