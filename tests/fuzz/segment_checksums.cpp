#include "tests/fuzz/segment_checksums.h"

#include <algorithm>

#include "common/base/endian.h"
#include "common/content/checksum.h"
#include "repository/store/segment_format.h"

namespace holdfast::fuzz {

void fit_segment_checksums(Bytes& segment) {
  using repository::kRecordAlignment;
  using repository::kRecordHeaderSize;
  using repository::kSegmentHeaderSize;
  if (segment.size() < kSegmentHeaderSize) return;
  store_le(segment.data() + kSegmentHeaderSize - 8,
           content::checksum64(ByteView(segment).first(kSegmentHeaderSize - 8)));
  for (std::size_t at = kSegmentHeaderSize; at + kRecordHeaderSize <= segment.size();) {
    Byte* const header = segment.data() + at;
    const std::size_t length = load_le<std::uint32_t>(header + 8);
    if (as_text({header, 4}) != "HFRC" || length > segment.size() - at - kRecordHeaderSize) {
      at += kRecordAlignment;
      continue;
    }
    const ByteView payload = ByteView(segment).subspan(at + kRecordHeaderSize, length);
    store_le(header + 16, content::checksum64(payload));
    store_le(header + 24, content::checksum64({header, 24}));
    at += static_cast<std::size_t>(repository::record_size(static_cast<std::uint32_t>(length)));
  }
}

}  // namespace holdfast::fuzz
