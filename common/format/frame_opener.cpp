#include "common/format/frame_opener.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/endian.h"
#include "common/base/planted_bug.h"
#include "common/format/frame_layout.h"

namespace holdfast::format {
namespace {

Error corrupt(std::string_view what) {
  return Error(Code::kCorrupt, fmt::format("frame: {}", what));
}

// A repository sees many runs; the keys of so many stay at hand.
constexpr std::size_t kMaxKeptRuns = 256;

}  // namespace

const OpenedObject* OpenedFrame::find(const ObjectId& id) const {
  const auto found = std::find_if(objects.begin(), objects.end(),
                                  [&](const auto& object) { return object.id == id; });
  return found == objects.end() ? nullptr : &*found;
}

FrameOpener::FrameOpener(const RepositoryId& repository,
                         const crypto::SecretKey& repository_private_key,
                         const crypto::SecretKey& group_id_key)
    : repository_(repository), private_key_(repository_private_key), identifier_(group_id_key) {}

FrameOpener::~FrameOpener() = default;

Result<crypto::Aes256Gcm*> FrameOpener::key_for(const RunEnvelope& envelope) {
  if (auto found = runs_.find(envelope); found != runs_.end()) return &found->second;
  HOLDFAST_ASSIGN(const RunKeys keys, recover_run(envelope, repository_, private_key_));
  if (runs_.size() >= kMaxKeptRuns) runs_.erase(runs_.begin());
  return &runs_.emplace(envelope, crypto::Aes256Gcm(keys.frame_key)).first->second;
}

Result<OpenedFrame> FrameOpener::open(const ParsedFrame& frame) {
  if (frame.header.repository != repository_)
    return Error(Code::kForged, "frame: it belongs to another repository");
  HOLDFAST_ASSIGN(crypto::Aes256Gcm* const aead, key_for(frame.header.envelope));

  const std::size_t sealed_size = frame.body.size();
  if (packed_.capacity() < sealed_size) packed_ = Buffer(sealed_size);
  packed_.resize(sealed_size - crypto::kTagSize);
  const Bytes aad = frame_associated_data(frame.prelude_and_header);
  HOLDFAST_TRY_OR(aead->open(frame.header.number, aad, frame.body, packed_.mutable_view()),
                  "frame");

  const auto packed_length = load_le<std::uint32_t>(packed_.data());
  const auto plain_length = load_le<std::uint32_t>(packed_.data() + 4);
  if (packed_length > packed_.size() - kFrameBodyHeadSize)
    return corrupt("more packed bytes than it has");
  if (plain_length > kMaxFramePlaintext) return corrupt("more plaintext than any frame may have");
  const std::size_t count = frame.header.objects.size();
  if (plain_length < 4 * count) return corrupt("less plaintext than its table of lengths");

  OpenedFrame opened{Buffer(plain_length), {}};
  HOLDFAST_TRY_OR(
      decompressor_.decompress(packed_.view().subspan(kFrameBodyHeadSize, packed_length),
                               opened.plaintext.mutable_view()),
      "frame");
  const ByteView plain = opened.plaintext.view();
  const std::size_t table = plain.size() - 4 * count;
  std::size_t at = 0;
  opened.objects.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const FrameObject& object = frame.header.objects[i];
    const auto length = load_le<std::uint32_t>(plain.data() + table + 4 * i);
    if (length > table - at) return corrupt("an object reaches beyond its plaintext");
    const ByteView payload = plain.subspan(at, length);
    at += length;
    if (identifier_.identify(object.kind, object.refs, payload) != object.id &&
        !HOLDFAST_PLANTED("hand out an object without looking at its id"))
      return corrupt(fmt::format("object {} does not have its content", object.id.short_hex()));
    opened.objects.push_back(
        {object.id, object.kind, {object.refs.begin(), object.refs.end()}, payload});
  }
  if (at != table) return corrupt("plaintext that belongs to no object");
  return opened;
}

}  // namespace holdfast::format
