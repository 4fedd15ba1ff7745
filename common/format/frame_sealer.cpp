// The body is the payloads, then `length u32` for each object: behind them, so that what was
// gathered need not be moved. It is compressed as one piece, padded with zeros to a size that says
// little, sealed in place, and signed: one buffer from here to every node's socket.
#include "common/format/frame_sealer.h"

#include <bit>

#include "common/base/endian.h"
#include "common/base/planted_bug.h"
#include "common/content/checksum.h"
#include "common/format/frame.pb.h"
#include "common/format/frame_layout.h"

namespace holdfast::format {
namespace {

void set_id(std::string* to, ByteView id) { to->assign(as_text(id)); }

ByteView bytes_of(const std::vector<ObjectId>& ids) {
  return {reinterpret_cast<const Byte*>(ids.data()), ids.size() * ObjectId::kSize};
}

}  // namespace

void FrameContent::add(const ObjectId& id, std::span<const ObjectId> refs, ByteView payload) {
  check(ids_.size() < kMaxFrameObjects && refs_.size() + refs.size() <= kMaxFrameRefs,
        "more objects than a frame may have");
  check(payload.size() <= kMaxObjectPayload && refs.size() <= kMaxObjectRefs,
        "an object larger than any may be");
  ids_.push_back(id);
  lengths_.push_back(static_cast<std::uint32_t>(payload.size()));
  if (role_ == FrameRole::kMetadata) {
    ref_counts_.push_back(static_cast<std::uint32_t>(refs.size()));
    refs_.insert(refs_.end(), refs.begin(), refs.end());
  } else {
    check(refs.empty(), "a chunk with refs");
  }
  append(payload_, payload);
}

void FrameContent::clear() {
  ids_.clear();
  lengths_.clear();
  ref_counts_.clear();
  refs_.clear();
  payload_.clear();
}

FrameSealer::FrameSealer(const RunKeys& run, const RepositoryId& repository,
                         const crypto::SigningKey& agent, FrameCounter& counter,
                         int compression_level)
    : envelope_(run.envelope),
      repository_(repository),
      agent_(agent),
      agent_id_(agent_id(agent.verify_key())),
      counter_(counter),
      level_(compression_level),
      aead_(run.frame_key) {}

SharedBytes FrameSealer::seal(FrameContent& content) {
  check(!content.empty(), "an empty frame");
  const std::uint64_t number = HOLDFAST_PLANTED("use a nonce again") ? 7 : counter_.next();

  FrameHeaderProto proto;
  set_id(proto.mutable_agent(), agent_id_.view());
  set_id(proto.mutable_repository(), repository_.view());
  set_id(proto.mutable_ephemeral_key(), envelope_.ephemeral_key);
  set_id(proto.mutable_key_commitment(), envelope_.commitment);
  proto.set_number(number);
  set_id(proto.mutable_ids(), bytes_of(content.ids_));
  for (const std::uint32_t count : content.ref_counts_) proto.add_ref_counts(count);
  if (!content.refs_.empty()) set_id(proto.mutable_refs(), bytes_of(content.refs_));
  const std::size_t header_size = proto.ByteSizeLong();

  Bytes& plain = content.payload_;
  for (const std::uint32_t length : content.lengths_) {
    Byte bytes[4];
    store_le(bytes, length);
    append(plain, bytes);
  }
  check(plain.size() <= kMaxFramePlaintext, "a frame with too much plaintext");

  // Packed where it will be sealed; room for the worst case, given back below by the padded size.
  const std::size_t body_at = kFramePreludeSize + header_size;
  const std::size_t compress_bound = content::Compressor::bound(plain.size());
  const std::size_t bound = padded_size(kFrameBodyHeadSize + compress_bound);
  Buffer frame(body_at + bound + crypto::kTagSize + kFrameSignatureSize);
  Byte* body = frame.data() + body_at;
  const std::size_t packed =
      compressor_.compress(plain, level_, {body + kFrameBodyHeadSize, compress_bound});
  store_le(body, static_cast<std::uint32_t>(packed));
  store_le(body + 4, static_cast<std::uint32_t>(plain.size()));
  const std::size_t used = kFrameBodyHeadSize + packed;
  const std::size_t padded = padded_size(used);
  std::memset(body + used, 0, padded - used);
  frame.resize(body_at + padded + crypto::kTagSize + kFrameSignatureSize);

  Byte* prelude = frame.data();
  std::memcpy(prelude, kFrameMagic.data(), kFrameMagic.size());
  store_le<std::uint16_t>(prelude + 8, kFrameVersion);
  store_le<std::uint16_t>(prelude + 10, static_cast<std::uint16_t>(content.role_));
  store_le(prelude + 12, static_cast<std::uint32_t>(header_size));
  store_le(prelude + 16, static_cast<std::uint32_t>(padded + crypto::kTagSize));
  std::memset(prelude + 20, 0, kFrameChecksumOffset - 20);
  check(proto.SerializeToArray(prelude + kFramePreludeSize, static_cast<int>(header_size)),
        "a header serializes");

  const Bytes aad = frame_associated_data(frame.view().first(body_at));
  aead_.seal(number, aad, frame.view().subspan(body_at, padded),
             frame.mutable_view().subspan(body_at, padded + crypto::kTagSize));

  const content::Checksum sum = frame_checksum(frame);
  std::memcpy(prelude + kFrameChecksumOffset, sum.data(), sum.size());
  const FrameId digest{
      crypto::sha256(frame.view().first(frame.size() - kFrameSignatureSize)).bytes};
  const crypto::Signature signature = agent_.sign(signed_frame_message(digest));
  std::memcpy(frame.data() + frame.size() - kFrameSignatureSize, signature.data(),
              signature.size());
  content.clear();
  return SharedBytes(std::move(frame));
}

std::size_t padded_size(std::size_t size) {
  if (size < 2) return size;
  const int exponent = static_cast<int>(std::bit_width(size)) - 1;
  const int significant = static_cast<int>(std::bit_width(static_cast<unsigned>(exponent)));
  const int zero_bits = exponent - significant;
  if (zero_bits <= 0) return size;
  const std::size_t mask = (std::size_t{1} << zero_bits) - 1;
  return (size + mask) & ~mask;
}

}  // namespace holdfast::format
