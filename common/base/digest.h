// 32-byte names, one type for each thing that has one, so that they cannot be mixed up.
#pragma once

#include <array>
#include <compare>
#include <cstring>
#include <functional>
#include <optional>
#include <string>

#include "common/base/bytes.h"
#include "common/base/text.h"

namespace holdfast {

template <typename Tag>
struct Digest {
  static constexpr std::size_t kSize = 32;
  std::array<Byte, kSize> bytes{};

  // nullopt unless `view` has exactly 32 bytes.
  static std::optional<Digest> from(ByteView view) {
    if (view.size() != kSize) return std::nullopt;
    Digest digest;
    std::memcpy(digest.bytes.data(), view.data(), kSize);
    return digest;
  }
  static std::optional<Digest> from_hex(std::string_view text) {
    auto bytes = hex_decode(text);
    return bytes ? from(*bytes) : std::nullopt;
  }
  ByteView view() const { return bytes; }
  std::string hex() const { return hex_encode(bytes); }
  // The first 8 characters, for people.
  std::string short_hex() const { return hex_encode(ByteView(bytes).first(4)); }
  std::string str() const { return to_string(view()); }
  friend auto operator<=>(const Digest&, const Digest&) = default;
};

using ObjectId = Digest<struct ObjectTag>;          // HMAC of an object under its group's id key
using RepositoryId = Digest<struct RepositoryTag>;  // hash of the repository's charter-signing key
using NodeId = Digest<struct NodeTag>;              // hash of a node's CURVE public key
using AgentId = Digest<struct AgentTag>;            // hash of an agent's Ed25519 public key
using ManifestId =
    Digest<struct ManifestTag>;           // SHA-256 of a manifest's signed bytes; a snapshot's name
using FrameId = Digest<struct FrameTag>;  // SHA-256 of all of a frame before its signature
using Sha256 = Digest<struct Sha256Tag>;

}  // namespace holdfast

template <typename Tag>
struct std::hash<holdfast::Digest<Tag>> {
  std::size_t operator()(const holdfast::Digest<Tag>& digest) const noexcept {
    std::size_t value;  // a digest is uniform already
    std::memcpy(&value, digest.bytes.data(), sizeof value);
    return value;
  }
};
