// What a store is made of, for those who work on several of its parts at once.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "repository/store/closure.h"
#include "repository/store/object_table.h"
#include "repository/store/segment_files.h"
#include "repository/store/segment_writer.h"
#include "repository/store/signed_records.h"

namespace holdfast::repository {

struct StoreParts {
  StoreParts(FileSystem& files, const std::string& segment_folder, const NodeId& node_id,
             ObjectIndex& index, std::uint64_t segment_bytes, std::uint64_t writeback_bytes)
      : node(node_id),
        segments(files, segment_folder, node_id),
        writer(segments, segment_bytes, writeback_bytes),
        table(index),
        closure(table, segments) {}
  StoreParts(const StoreParts&) = delete;

  NodeId node;
  SegmentFiles segments;
  SegmentWriter writer;
  ObjectTable table;
  Closure closure;
  SignedRecords records;
  std::map<std::uint32_t, std::uint64_t> lengths;  // of every segment, in valid bytes
  std::optional<Anchor> anchor;                    // the last record appended or replayed
};

}  // namespace holdfast::repository
