// The keys of one repository and of one agent's run, all from one seed, and what is sealed with
// them. Also what an attacker who holds some of these keys can make: frames whose checksum,
// signature or seal is good and whose content is not.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "common/format/frame_layout.h"
#include "common/format/frame_opener.h"
#include "common/format/frame_sealer.h"
#include "common/format/object.h"
#include "common/format/run_key.h"
#include "tests/testing/seeded_random.h"

namespace holdfast::testing {

struct PlainObject {
  std::vector<ObjectId> refs;
  Bytes payload;
};

// Its parts point at each other, so it stays where it was made.
struct TestRepository {
  explicit TestRepository(std::uint64_t seed)
      : random(seed),
        private_key(crypto::SecretKey::generate(random)),
        public_key(crypto::public_key(private_key)),
        id_key(crypto::SecretKey::generate(random)),
        group_key(format::group_id_key(id_key, 0)),
        agent(crypto::SigningKey::generate(random)),
        run(format::begin_run(random, id, public_key)) {}
  TestRepository(const TestRepository&) = delete;
  TestRepository& operator=(const TestRepository&) = delete;

  Bytes random_bytes(std::size_t size) {
    Bytes bytes(size);
    random.fill(bytes);
    return bytes;
  }
  ObjectId random_id() { return *ObjectId::from(random_bytes(ObjectId::kSize)); }

  ObjectId identify(format::FrameRole role, const PlainObject& object) const {
    const auto kind = role == format::FrameRole::kMetadata ? format::ObjectKind::kList
                                                           : format::ObjectKind::kData;
    return format::ObjectIdentifier(group_key).identify(kind, object.refs, object.payload);
  }
  format::FrameSealer sealer(int level = 3) {
    return format::FrameSealer(run, id, agent, counter, level);
  }
  format::FrameOpener opener() const { return format::FrameOpener(id, private_key, group_key); }

  // One frame of these objects.
  Bytes seal(format::FrameRole role, const std::vector<PlainObject>& objects) {
    format::FrameContent content(role);
    for (const PlainObject& object : objects)
      content.add(identify(role, object), object.refs, object.payload);
    const SharedBytes frame = sealer().seal(content);
    return {frame.view().begin(), frame.view().end()};
  }

  SeededRandom random;
  RepositoryId id{{1, 2, 3}};
  crypto::SecretKey private_key;
  crypto::PublicKey public_key;
  crypto::SecretKey id_key;
  crypto::SecretKey group_key;
  crypto::SigningKey agent;
  format::RunKeys run;
  format::FrameCounter counter;
};

// Makes checksum and signature of `frame` fit its bytes again, whatever they are.
inline void make_good(Bytes& frame, const crypto::SigningKey& agent) {
  const auto sum = format::frame_checksum(frame);
  std::ranges::copy(sum, frame.begin() + format::kFrameChecksumOffset);
  const ByteView before = ByteView(frame).first(frame.size() - format::kFrameSignatureSize);
  const auto signature =
      agent.sign(format::signed_frame_message(FrameId{crypto::sha256(before).bytes}));
  std::ranges::copy(signature, frame.end() - format::kFrameSignatureSize);
}

// A frame with this header and body, all lengths, checksum and signature right.
inline Bytes assemble_frame(format::FrameRole role, ByteView header, ByteView body,
                            const crypto::SigningKey& agent) {
  Bytes frame(format::kFramePreludeSize);
  std::ranges::copy(format::kFrameMagic, frame.begin());
  store_le<std::uint16_t>(frame.data() + 8, format::kFrameVersion);
  store_le<std::uint16_t>(frame.data() + 10, static_cast<std::uint16_t>(role));
  store_le(frame.data() + 12, static_cast<std::uint32_t>(header.size()));
  store_le(frame.data() + 16, static_cast<std::uint32_t>(body.size()));
  append(frame, header);
  append(frame, body);
  frame.resize(frame.size() + format::kFrameSignatureSize);
  make_good(frame, agent);
  return frame;
}

// The same with a body sealed from `plaintext` (packed_length and all), as only a writer can.
inline Bytes forge_frame(const TestRepository& repository, format::FrameRole role, ByteView header,
                         ByteView plaintext, std::uint64_t number) {
  Bytes frame =
      assemble_frame(role, header, Bytes(plaintext.size() + crypto::kTagSize), repository.agent);
  const std::size_t body_at = format::kFramePreludeSize + header.size();
  const Bytes aad = format::frame_associated_data(ByteView(frame).first(body_at));
  crypto::Aes256Gcm(repository.run.frame_key)
      .seal(number, aad, plaintext,
            MutableByteView(frame).subspan(body_at, plaintext.size() + crypto::kTagSize));
  make_good(frame, repository.agent);
  return frame;
}

}  // namespace holdfast::testing
