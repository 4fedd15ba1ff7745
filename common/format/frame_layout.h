// The constants of a frame's layout that its writer and its readers share; docs/format.md.
#pragma once

#include <string_view>

#include "common/base/bytes.h"
#include "common/base/digest.h"
#include "common/content/checksum.h"
#include "common/crypto/aead.h"
#include "common/format/frame.h"

namespace holdfast::format {

constexpr std::string_view kFrameMagic = "HFFRAME1";
constexpr std::size_t kFrameChecksumOffset = 32;

constexpr std::size_t kFrameBodyHeadSize =
    8;  // packed_length and plain_length, sealed with the rest

inline content::Checksum frame_checksum(ByteView frame) {
  return content::checksum(
      {frame.first(kFrameChecksumOffset),
       frame.subspan(kFramePreludeSize, frame.size() - kFramePreludeSize - kFrameSignatureSize)});
}

// What an agent signs of a frame: a context, so that no other signature can be taken for it, and
// the SHA-256 of everything before the signature.
inline Bytes signed_frame_message(const FrameId& digest) {
  Bytes message = to_bytes("holdfast v1 frame");
  append(message, digest.view());
  return message;
}

// What is authenticated beside the body: the prelude up to the body's length, and the header. Not
// the checksum, which is made of the sealed body.
inline Bytes frame_associated_data(ByteView prelude_and_header) {
  Bytes data(prelude_and_header.begin(), prelude_and_header.begin() + kFrameChecksumOffset);
  append(data, prelude_and_header.subspan(kFramePreludeSize));
  return data;
}

}  // namespace holdfast::format
