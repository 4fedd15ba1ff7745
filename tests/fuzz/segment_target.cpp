// What lies on a node's disk: segments, and the notes of an index.
//
//   segment 0   a segment as it is
//           1   with the checksums of the header, of all records and of their headers made to fit
//   index_notes 0   notes, each as length u8 and name, length u8 and value
#include <algorithm>

#include "common/base/endian.h"
#include "common/content/checksum.h"
#include "repository/store/memory_index.h"
#include "repository/store/object_table.h"
#include "repository/store/record_scan.h"
#include "repository/store/segment_format.h"
#include "tests/fuzz/allocation_budget.h"
#include "tests/fuzz/one_file.h"
#include "tests/fuzz/promises.h"
#include "tests/fuzz/segment_checksums.h"
#include "tests/fuzz/targets.h"

namespace holdfast::fuzz {
namespace {

using repository::RecordScan;
using repository::RecordType;
using repository::Stretch;

// Every stretch follows the one before, up to the end; what is a record is one.
void scan(ByteView bytes, const RecordScan::Options& options) {
  OneFile files(bytes);
  std::shared_ptr<File> file = *files.open("/segment", OpenMode::kRead);
  RecordScan records(file, repository::kSegmentHeaderSize, bytes.size(), options);
  std::uint64_t at = repository::kSegmentHeaderSize;
  for (;;) {
    const auto stretch = records.next();
    if (!succeeded(stretch, {Code::kUnsupportedVersion}) || !*stretch) break;
    check((*stretch)->offset == at && (*stretch)->size > 0, "a stretch that is elsewhere");
    at += (*stretch)->size;
    if ((*stretch)->kind == Stretch::kNoRecord) continue;
    const auto header = repository::decode_record_header(bytes.subspan((*stretch)->offset));
    check(header.has_value() && header->length == (*stretch)->header.length,
          "a record without a header");
    if ((*stretch)->kind == Stretch::kRecord)
      check((*stretch)->payload.size() == header->length &&
                content::checksum64((*stretch)->payload) == header->payload_checksum,
            "a record that does not match its checksum");
  }
  check(at >= records.position(), "a scan that is ahead of what it gave");
}

}  // namespace

void segment(ByteView input) {
  const Input parts(input);
  Bytes bytes(parts.rest.begin(), parts.rest.end());
  if (parts.mode == 1) fit_segment_checksums(bytes);
  // The window of a scan is as large as it reads ahead.
  RecordScan::Options options;
  options.read_ahead = 4096;
  const AllocationBudget budget(bytes.size());
  const NodeId node{{7}};
  const auto number = repository::decode_segment_header(bytes, node);
  if (succeeded(number, {Code::kCorrupt, Code::kUnsupportedVersion}))
    check(std::ranges::equal(repository::encode_segment_header(*number, node),
                             ByteView(bytes).first(repository::kSegmentHeaderSize)),
          "a segment's header that does not come back");
  if (bytes.size() < repository::kSegmentHeaderSize) return;
  scan(bytes, options);
  options.wants_payload = [](std::uint64_t offset, const auto&) { return offset % 16 == 0; };
  options.skip_unreadable = true;
  scan(bytes, options);
}

void index_notes(ByteView input) {
  ByteView rest = Input(input).rest;
  std::vector<repository::ObjectIndex::Note> notes;
  const auto take = [&rest] {
    if (rest.empty()) return ByteView();
    const std::size_t length = std::min<std::size_t>(rest[0], rest.size() - 1);
    const ByteView taken = rest.subspan(1, length);
    rest = rest.subspan(1 + length);
    return taken;
  };
  while (!rest.empty()) {
    const ByteView name = take(), value = take();
    notes.push_back({to_string(name), Bytes(value.begin(), value.end())});
  }
  repository::MemoryIndex index;
  check(index.write({}, {}, notes, {}).has_value(), "an index that takes nothing");
  repository::ObjectTable table(index);
  const AllocationBudget budget(input.size());
  for (const auto type : {RecordType::kFrame, RecordType::kManifest, RecordType::kCharter}) {
    const auto records = table.records(type);
    if (succeeded(records, {Code::kCorrupt}))
      check(std::is_sorted(records->begin(), records->end()), "records out of order");
  }
  succeeded(table.indexed_lengths(), {Code::kCorrupt});
  succeeded(table.anchor(), {Code::kCorrupt});
  succeeded(table.may_hold_marks(), {Code::kCorrupt});
}

}  // namespace holdfast::fuzz
