#include "tests/simulation/lying_node.h"

#include <algorithm>
#include <array>

#include "common/wire/message.h"

namespace holdfast::testing {
namespace {

using Reply = wire::ReplyProto;

// What changes an answer, and lets every request through.
class Liar : public NodeLies {
 public:
  explicit Liar(Random& random) : random_(random) {}
  bool swallows(const Message&, const std::function<void(Message)>&) override { return false; }

 protected:
  Random& random_;
};

class GarbageLiar final : public Liar {
 public:
  using Liar::Liar;
  void alter(Message& reply) override {
    if (random_.below(4) != 0) return;
    if (random_.below(2) == 0) {
      reply.head.resize(random_.below(200));
      random_.fill(reply.head);
    } else if (!reply.head.empty()) {
      reply.head[random_.below(reply.head.size())] ^= static_cast<Byte>(1 + random_.below(255));
    }
  }
};

class DroppingLiar final : public Liar {
 public:
  using Liar::Liar;
  bool swallows(const Message& message, const std::function<void(Message)>& tell) override {
    const auto request = wire::decode_request(message.head);
    if (!request) return false;
    Reply reply;
    reply.set_id(request->id());
    reply.set_incarnation(incarnation_);
    switch (request->what_case()) {
      case wire::RequestProto::kPutFrame:
        reply.mutable_put_frame()->set_new_objects(1);
        break;
      case wire::RequestProto::kPrepare:
        reply.mutable_prepare();
        break;
      case wire::RequestProto::kCommit:
        reply.mutable_commit();
        break;
      default:
        return false;
    }
    tell(wire::encode(reply));
    return true;
  }
  void alter(Message& reply) override {
    if (const auto decoded = wire::decode_reply(reply.head)) incarnation_ = decoded->incarnation();
  }

 private:
  std::uint64_t incarnation_ = 1;
};

class WithholdingLiar final : public Liar {
 public:
  using Liar::Liar;
  void alter(Message& reply) override {
    auto decoded = wire::decode_reply(reply.head);
    if (!decoded) return;
    if (decoded->what_case() == Reply::kHead) {
      decoded->mutable_head()->Clear();  // another one would have to be signed
    } else if (decoded->what_case() == Reply::kListManifests) {
      auto& manifests = *decoded->mutable_list_manifests()->mutable_manifests();
      const int hidden = static_cast<int>(random_.below(1 + manifests.size() / 2));
      for (int i = 0; i < hidden; ++i) manifests.RemoveLast();
    } else {
      return;
    }
    reply = wire::encode(*decoded, reply.body);
  }
};

class DamagingLiar final : public Liar {
 public:
  using Liar::Liar;
  void alter(Message& reply) override {
    if (reply.body.empty() || random_.below(2) != 0) return;
    Buffer damaged = Buffer::copy_of(reply.body);
    damaged.data()[random_.below(damaged.size())] ^= static_cast<Byte>(1 + random_.below(255));
    if (random_.below(4) == 0) damaged.resize(random_.below(damaged.size()));
    reply.body = SharedBytes(std::move(damaged));
  }
};

// Says that all objects are there, or that none is.
class PresenceLiar final : public Liar {
 public:
  PresenceLiar(Random& random, bool present) : Liar(random), present_(present) {}
  void alter(Message& reply) override {
    auto decoded = wire::decode_reply(reply.head);
    if (!decoded) return;
    if (decoded->what_case() == Reply::kPresent) {
      // Bits beyond the last id stay as they were: they are checked.
      std::string& bits = *decoded->mutable_present()->mutable_bitmap();
      for (std::size_t i = 0; i + 1 < bits.size(); ++i)
        bits[i] = static_cast<char>(present_ ? 255 : 0);
      if (!bits.empty() && !present_) bits.back() = 0;
    } else if (decoded->what_case() == Reply::kListManifests) {
      for (auto& entry : *decoded->mutable_list_manifests()->mutable_manifests())
        entry.set_complete(present_);
    } else if (decoded->what_case() == Reply::kHead) {
      decoded->mutable_head()->set_complete(present_);
    } else {
      return;
    }
    reply = wire::encode(*decoded, reply.body);
  }

 private:
  bool present_;
};

constexpr std::array<std::string_view, kLieCount> kNames = {
    "garbage", "drops what it acknowledges", "withholds", "damages frames", "boasts", "denies"};

}  // namespace

std::string_view name_of(Lie lie) { return kNames[static_cast<std::size_t>(lie)]; }

std::unique_ptr<NodeLies> make_lies(Lie lie, Random& random) {
  switch (lie) {
    case Lie::kGarbage:
      return std::make_unique<GarbageLiar>(random);
    case Lie::kDropsWhatItAcknowledges:
      return std::make_unique<DroppingLiar>(random);
    case Lie::kWithholds:
      return std::make_unique<WithholdingLiar>(random);
    case Lie::kDamagesFrames:
      return std::make_unique<DamagingLiar>(random);
    case Lie::kBoasts:
      return std::make_unique<PresenceLiar>(random, true);
    case Lie::kDenies:
      return std::make_unique<PresenceLiar>(random, false);
  }
  return nullptr;
}

void AlteredReplies::alter(Message& reply) {
  auto decoded = wire::decode_reply(reply.head);
  check(decoded.has_value(), "a node sent what is no reply");
  change_(*decoded);
  reply = wire::encode(*decoded, reply.body);
}

bool SilenceAbout::swallows(const Message& message, const std::function<void(Message)>&) {
  const auto request = wire::decode_request(message.head);
  return request && request->what_case() == kind_;
}

}  // namespace holdfast::testing
