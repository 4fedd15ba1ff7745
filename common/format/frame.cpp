// Parsing and checking frames without a key. Every length is compared with what is there before
// anything is allocated for it: the bytes come from a disk or a network.
#include "common/format/frame.h"

#include <fmt/format.h>

#include "common/base/endian.h"
#include "common/content/checksum.h"
#include "common/format/frame.pb.h"
#include "common/format/frame_layout.h"

namespace holdfast::format {
namespace {

Error corrupt(std::string_view what) {
  return Error(Code::kCorrupt, fmt::format("frame: {}", what));
}

struct Prelude {
  FrameRole role;
  std::uint32_t header_length, body_length;
  std::size_t total() const {
    return kFramePreludeSize + header_length + body_length + kFrameSignatureSize;
  }
};

Result<Prelude> decode_prelude(ByteView bytes) {
  if (bytes.size() < kFramePreludeSize) return corrupt("shorter than its prelude");
  if (as_text(bytes.first(kFrameMagic.size())) != kFrameMagic)
    return corrupt("does not begin with its magic");
  const auto version = load_le<std::uint16_t>(bytes.data() + 8);
  if (version != kFrameVersion)
    return Error(Code::kUnsupportedVersion,
                 fmt::format("frame: version {} is not known to this program; a newer one wrote it",
                             version));
  const auto role = load_le<std::uint16_t>(bytes.data() + 10);
  if (role != static_cast<int>(FrameRole::kData) && role != static_cast<int>(FrameRole::kMetadata))
    return corrupt(fmt::format("unknown role {}", role));
  Prelude prelude{static_cast<FrameRole>(role), load_le<std::uint32_t>(bytes.data() + 12),
                  load_le<std::uint32_t>(bytes.data() + 16)};
  for (std::size_t i = 20; i < kFrameChecksumOffset; ++i)
    if (bytes[i] != 0) return corrupt("reserved bytes are not zero");
  if (prelude.total() > kMaxFrameSize) return corrupt("longer than any frame may be");
  if (prelude.header_length > kMaxFrameHeaderSize)
    return corrupt("its header is longer than any may be");
  if (prelude.body_length < kFrameBodyHeadSize + crypto::kTagSize)
    return corrupt("its body is too short");
  return prelude;
}

template <typename Id>
Status read_id(Id& to, const std::string& from, std::string_view what) {
  auto id = Id::from(as_bytes(from));
  if (!id) return corrupt(fmt::format("{} is not 32 bytes", what));
  to = *id;
  return {};
}

std::vector<ObjectId> split_ids(const std::string& bytes) {
  std::vector<ObjectId> ids(bytes.size() / ObjectId::kSize);
  if (!ids.empty()) std::memcpy(ids.data(), bytes.data(), bytes.size());
  return ids;
}

Result<FrameHeader> decode_header(FrameRole role, ByteView bytes) {
  FrameHeaderProto proto;
  if (!proto.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return corrupt("malformed header");
  FrameHeader header;
  header.role = role;
  HOLDFAST_TRY(read_id(header.agent, proto.agent(), "agent"));
  HOLDFAST_TRY(read_id(header.repository, proto.repository(), "repository"));
  Sha256 key, commitment;
  HOLDFAST_TRY(read_id(key, proto.ephemeral_key(), "ephemeral key"));
  HOLDFAST_TRY(read_id(commitment, proto.key_commitment(), "key commitment"));
  header.envelope = {key.bytes, commitment.bytes};
  header.number = proto.number();
  if (header.number == 0) return corrupt("its number is zero");

  if (proto.ids().size() % ObjectId::kSize != 0 || proto.ids().empty())
    return corrupt("malformed list of ids");
  if (proto.refs().size() % ObjectId::kSize != 0) return corrupt("malformed list of refs");
  const std::size_t objects = proto.ids().size() / ObjectId::kSize;
  const std::size_t refs = proto.refs().size() / ObjectId::kSize;
  if (objects > kMaxFrameObjects || refs > kMaxFrameRefs)
    return corrupt("more objects than a frame may have");
  const bool lists = role == FrameRole::kMetadata;
  if (static_cast<std::size_t>(proto.ref_counts_size()) != (lists ? objects : 0))
    return corrupt("as many counts of refs as objects are due");

  const std::vector<ObjectId> ids = split_ids(proto.ids());
  header.refs = split_ids(proto.refs());
  header.objects.reserve(objects);
  std::size_t next = 0;
  for (std::size_t i = 0; i < objects; ++i) {
    const std::size_t count = lists ? proto.ref_counts(static_cast<int>(i)) : 0;
    if (count > refs - next) return corrupt("its objects have more refs than it lists");
    header.objects.push_back({ids[i], lists ? ObjectKind::kList : ObjectKind::kData,
                              std::span<const ObjectId>(header.refs).subspan(next, count)});
    next += count;
  }
  if (next != refs) return corrupt("it lists refs that belong to no object");
  return header;
}

}  // namespace

Result<std::size_t> frame_size(ByteView prelude) {
  HOLDFAST_ASSIGN(const Prelude decoded, decode_prelude(prelude));
  return decoded.total();
}

Result<ParsedFrame> parse_frame(ByteView bytes) {
  HOLDFAST_ASSIGN(const Prelude prelude, decode_prelude(bytes));
  if (prelude.total() != bytes.size())
    return corrupt(
        fmt::format("{} bytes where its prelude says {}", bytes.size(), prelude.total()));
  HOLDFAST_ASSIGN(
      FrameHeader header,
      decode_header(prelude.role, bytes.subspan(kFramePreludeSize, prelude.header_length)));
  ParsedFrame frame{bytes, std::move(header), {}, {}, {}};
  frame.prelude_and_header = bytes.first(kFramePreludeSize + prelude.header_length);
  frame.body = bytes.subspan(frame.prelude_and_header.size(), prelude.body_length);
  frame.signature = bytes.last(kFrameSignatureSize);
  return frame;
}

Result<std::size_t> frame_head_size(ByteView prelude) {
  HOLDFAST_ASSIGN(const Prelude decoded, decode_prelude(prelude));
  return kFramePreludeSize + decoded.header_length;
}

Result<FrameHeader> parse_frame_head(ByteView bytes) {
  HOLDFAST_ASSIGN(const Prelude prelude, decode_prelude(bytes));
  if (prelude.header_length > bytes.size() - kFramePreludeSize)
    return corrupt("shorter than its header");
  return decode_header(prelude.role, bytes.subspan(kFramePreludeSize, prelude.header_length));
}

Status verify_checksum(ByteView frame) {
  if (frame.size() < kFramePreludeSize + kFrameSignatureSize)
    return corrupt("shorter than its prelude");
  const content::Checksum expected = frame_checksum(frame);
  if (std::memcmp(expected.data(), frame.data() + kFrameChecksumOffset, expected.size()) != 0)
    return corrupt("its checksum does not match its bytes");
  return {};
}

Status verify_signature(const ParsedFrame& frame, const crypto::VerifyKey& agent) {
  if (agent_id(agent) != frame.header.agent)
    return Error(Code::kForged, "frame: it names another agent than the key given");
  const FrameId digest = frame_id(frame);
  if (!crypto::verify(agent, signed_frame_message(digest), frame.signature))
    return Error(Code::kForged, fmt::format("frame {}: the signature of agent {} does not match",
                                            digest.short_hex(), frame.header.agent.short_hex()));
  return {};
}

AgentId agent_id(const crypto::VerifyKey& key) {
  return AgentId{crypto::sha256({as_bytes("holdfast v1 agent"), ByteView(key)}).bytes};
}

FrameId frame_id(const ParsedFrame& frame) {
  return FrameId{crypto::sha256(frame.bytes.first(frame.bytes.size() - kFrameSignatureSize)).bytes};
}

}  // namespace holdfast::format
