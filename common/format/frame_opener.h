// Reading frames: the key is recovered from the envelope (once per run), the body opened and
// decompressed, and every object that is handed out compared with its id.
#pragma once

#include <map>
#include <vector>

#include "common/content/compression.h"
#include "common/crypto/aead.h"
#include "common/format/frame.h"
#include "common/format/run_key.h"

namespace holdfast::format {

struct OpenedObject {
  ObjectId id;
  ObjectKind kind;
  std::vector<ObjectId> refs;  // empty for data
  ByteView payload;            // into OpenedFrame::plaintext
};

struct OpenedFrame {
  Buffer plaintext;
  std::vector<OpenedObject> objects;
  SharedBytes sealed{};  // what it was opened from, if who opened it says so
  const OpenedObject* find(const ObjectId& id) const;
};

// Not thread-safe: one per thread. The private key must outlive it.
class FrameOpener {
 public:
  FrameOpener(const RepositoryId& repository, const crypto::SecretKey& repository_private_key,
              const crypto::SecretKey& group_id_key);
  ~FrameOpener();

  // kForged if the key commitment or the tag does not match, kCorrupt if what was sealed is
  // malformed or an object does not have its id.
  Result<OpenedFrame> open(const ParsedFrame& frame);

 private:
  Result<crypto::Aes256Gcm*> key_for(const RunEnvelope& envelope);
  RepositoryId repository_;
  const crypto::SecretKey& private_key_;
  ObjectIdentifier identifier_;
  content::Decompressor decompressor_;
  std::map<RunEnvelope, crypto::Aes256Gcm> runs_;
  Buffer packed_;
};

}  // namespace holdfast::format
