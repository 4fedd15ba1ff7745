// Bytes as text and back, and sizes for people.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/base/bytes.h"

namespace holdfast {

std::string hex_encode(ByteView bytes);
std::optional<Bytes> hex_decode(
    std::string_view text);  // lower or upper case; nullopt if malformed

// RFC 4648 section 5 without padding: safe in file names, URLs and one word of a shell.
std::string base64url_encode(ByteView bytes);
std::optional<Bytes> base64url_decode(std::string_view text);
// RFC 4648 section 4 with padding, for JSON.
std::string base64_encode(ByteView bytes);

bool is_utf8(std::string_view text);
// `text` made safe to print on a terminal: control characters and bytes that are not UTF-8 become
// \xNN.
std::string printable(std::string_view text);

// "1.50 GiB"; one unit, three digits.
std::string human_bytes(std::uint64_t bytes);

}  // namespace holdfast
