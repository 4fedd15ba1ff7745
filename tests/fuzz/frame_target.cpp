// A frame, from outside in:
//   0     a whole frame
//   1, 2  (data, metadata) length u16, that much of a header, and the plaintext that is sealed
//   3, 4  the same, but the plaintext is compressed first and the ids are made to fit the objects
//   5, 6  objects, each as length u8, refs u8 and payload, that must come back as they were
//   7     a whole frame, of which neither checksum nor signature is looked at
// Headers are completed with the repository's, the agent's and the run's names: a later field takes
// the place of an earlier one.
#include <algorithm>
#include <optional>

#include "common/format/frame.pb.h"
#include "tests/fuzz/allocation_budget.h"
#include "tests/fuzz/promises.h"
#include "tests/fuzz/targets.h"
#include "tests/testing/test_repository.h"

namespace holdfast::fuzz {
namespace {

using format::FrameRole;
using holdfast::testing::PlainObject;
using holdfast::testing::TestRepository;

TestRepository& repository() {
  static TestRepository repository_of_seed(1);
  return repository_of_seed;
}

// What a node knows of a frame without trusting anybody; nullopt if it is none.
std::optional<format::ParsedFrame> read_grammar(ByteView bytes) {
  const AllocationBudget budget(bytes.size());
  const auto size = format::frame_size(bytes);
  const auto head_size = format::frame_head_size(bytes);
  const auto head = format::parse_frame_head(bytes);
  auto frame = format::parse_frame(bytes);
  succeeded(size, {Code::kCorrupt, Code::kUnsupportedVersion});
  succeeded(head_size, {Code::kCorrupt, Code::kUnsupportedVersion});
  succeeded(head, {Code::kCorrupt, Code::kUnsupportedVersion});
  if (!succeeded(frame, {Code::kCorrupt, Code::kUnsupportedVersion})) return std::nullopt;
  check(head && head_size.value_or(0) == frame->prelude_and_header.size() &&
            head->objects.size() == frame->header.objects.size(),
        "a frame whose head says something else");
  check(*size == bytes.size(), "a parsed frame of another size");
  std::size_t refs = 0;
  for (const format::FrameObject& object : frame->header.objects) {
    refs += object.refs.size();
    check(
        (object.kind == format::ObjectKind::kList) == (frame->header.role == FrameRole::kMetadata),
        "an object of another kind than its frame");
  }
  check(refs == frame->header.refs.size(), "refs of no object");
  return std::optional(std::move(*frame));
}

// Whether these bytes are what the agent signed is known by who made them good.
void read_signature(const format::ParsedFrame& frame, bool is_made_good) {
  const Status sum = format::verify_checksum(frame.bytes);
  const Status signature = format::verify_signature(frame, repository().agent.verify_key());
  succeeded(sum, {Code::kCorrupt});
  succeeded(signature, {Code::kForged});
  if (is_made_good) {
    check(sum && signature, "a frame that was made good and is refused");
    return;
  }
  // Everything before the signature is under it, and Ed25519 has one signature for it: who accepts
  // bytes that the key's holder would sign otherwise accepts a forgery.
  if (!signature) return;
  Bytes signed_again(frame.bytes.begin(), frame.bytes.end());
  holdfast::testing::make_good(signed_again, repository().agent);
  check(!sum || std::ranges::equal(signed_again, frame.bytes), "a frame that nobody signed");
}

// Goes all the way in and looks at everything that it is given.
void read(ByteView bytes, bool is_made_good) {
  const auto frame = read_grammar(bytes);
  if (!frame) return;
  read_signature(*frame, is_made_good);

  // The plaintext's size is the sealer's word, up to the largest that a frame may have.
  const AllocationBudget budget(bytes.size(), format::kMaxFramePlaintext + (64 << 10));
  static format::FrameOpener opener = repository().opener();
  const auto opened = opener.open(*frame);
  if (!succeeded(opened, {Code::kCorrupt, Code::kForged})) return;
  check(opened->objects.size() == frame->header.objects.size(), "an object lost in opening");
  std::size_t payload = 0;
  for (const format::OpenedObject& object : opened->objects) payload += object.payload.size();
  check(payload + 4 * opened->objects.size() == opened->plaintext.size(), "plaintext of no object");
}

struct HeaderAndPlaintext {
  explicit HeaderAndPlaintext(ByteView input) {
    const std::size_t length =
        input.size() < 2
            ? 0
            : std::min<std::size_t>(load_le<std::uint16_t>(input.data()), input.size() - 2);
    const ByteView rest = input.subspan(std::min<std::size_t>(2, input.size()));
    format::FrameHeaderProto names;
    names.set_agent(format::agent_id(repository().agent.verify_key()).str());
    names.set_repository(repository().id.str());
    names.set_ephemeral_key(to_string(repository().run.envelope.ephemeral_key));
    names.set_key_commitment(to_string(repository().run.envelope.commitment));
    header = to_string(rest.first(length)) + names.SerializeAsString();
    plaintext = rest.subspan(length);
  }
  std::string header;
  ByteView plaintext;
};

void read_sealed(FrameRole role, std::string_view header, ByteView plaintext) {
  format::FrameHeaderProto proto;
  const bool parsed = proto.ParseFromArray(header.data(), static_cast<int>(header.size()));
  // Fields that are cut off take the names in.
  const bool is_ours =
      parsed && proto.agent() == format::agent_id(repository().agent.verify_key()).str();
  read(holdfast::testing::forge_frame(repository(), role, as_bytes(header), plaintext,
                                      parsed ? proto.number() : 1),
       is_ours);
}

// The ids that the objects of `plaintext` would have, as far as its table fits it.
std::string fitting_ids(const format::FrameHeaderProto& header, FrameRole role,
                        ByteView plaintext) {
  const std::size_t count = header.ids().size() / ObjectId::kSize;
  if (plaintext.size() < 4 * count) return header.ids();
  const std::size_t table = plaintext.size() - 4 * count;
  std::vector<ObjectId> all(header.refs().size() / ObjectId::kSize);
  for (std::size_t i = 0; i < all.size(); ++i)
    all[i] = *ObjectId::from(as_bytes(header.refs()).subspan(i * ObjectId::kSize, 32));
  std::string ids;
  std::size_t at = 0, ref = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t length = load_le<std::uint32_t>(plaintext.data() + table + 4 * i);
    const int index = static_cast<int>(i);
    const std::size_t refs = index < header.ref_counts_size() ? header.ref_counts(index) : 0;
    if (length > table - at || refs > all.size() - ref) return header.ids();
    const ByteView payload = plaintext.subspan(at, length);
    PlainObject object{{}, {payload.begin(), payload.end()}};
    for (std::size_t j = 0; j < refs; ++j) object.refs.push_back(all[ref + j]);
    ids += repository().identify(role, object).str();
    at += length;
    ref += refs;
  }
  return ids;
}

void read_packed(FrameRole role, ByteView input) {
  HeaderAndPlaintext parts(input);
  format::FrameHeaderProto header;
  if (!header.ParseFromString(parts.header)) return;
  header.set_ids(fitting_ids(header, role, parts.plaintext));
  Bytes sealed(8 + content::Compressor::bound(parts.plaintext.size()));
  static content::Compressor compressor;
  const std::size_t packed =
      compressor.compress(parts.plaintext, 1, MutableByteView(sealed).subspan(8));
  store_le(sealed.data(), static_cast<std::uint32_t>(packed));
  store_le(sealed.data() + 4, static_cast<std::uint32_t>(parts.plaintext.size()));
  sealed.resize(8 + packed);
  read_sealed(role, header.SerializeAsString(), sealed);
}

void seal_and_open(FrameRole role, ByteView input) {
  std::vector<PlainObject> objects;
  while (input.size() >= 2) {
    PlainObject object;
    const std::size_t length = std::min<std::size_t>(input[0], input.size() - 2);
    for (Byte i = 0; role == FrameRole::kMetadata && i < input[1]; ++i)
      object.refs.push_back(ObjectId{{i}});
    const ByteView payload = input.subspan(2, length);
    object.payload.assign(payload.begin(), payload.end());
    input = input.subspan(2 + length);
    objects.push_back(std::move(object));
  }
  if (objects.empty()) return;
  const Bytes bytes = repository().seal(role, objects);
  read(bytes, true);
  const auto frame = format::parse_frame(bytes);
  auto opener = repository().opener();
  const auto opened = opener.open(*frame);
  check(opened.has_value() && opened->objects.size() == objects.size(),
        "a sealed frame is refused");
  for (std::size_t i = 0; i < objects.size(); ++i)
    check(opened->objects[i].refs == objects[i].refs &&
              std::ranges::equal(opened->objects[i].payload, objects[i].payload),
          "an object came back otherwise");
}

}  // namespace

void frame(ByteView input) {
  const Input parts(input);
  const FrameRole role = parts.mode % 2 == 1 ? FrameRole::kData : FrameRole::kMetadata;
  switch (parts.mode) {
    case 1:
    case 2: {
      const HeaderAndPlaintext sealed(parts.rest);
      return read_sealed(role, sealed.header, sealed.plaintext);
    }
    case 3:
    case 4:
      return read_packed(role, parts.rest);
    case 5:
    case 6:
      return seal_and_open(role, parts.rest);
    case 7:
      return static_cast<void>(read_grammar(parts.rest));
    default:
      return read(parts.rest, false);
  }
}

}  // namespace holdfast::fuzz
