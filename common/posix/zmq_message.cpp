#include "common/posix/zmq_message.h"

#include <atomic>
#include <memory>

namespace holdfast {
namespace {

// Below this a copy is cheaper than an owner.
constexpr std::size_t kCopyUpTo = 512;

// The hand-over between the sending thread and the one that lets go is made explicit, so that it is
// ordered by the language and not only by the library's insides.
struct Held {
  explicit Held(SharedBytes held) : bytes(std::move(held)) {
    handed_over.store(true, std::memory_order_release);
  }
  const SharedBytes bytes;
  std::atomic<bool> handed_over = false;
};

void let_go(void*, void* hint) {
  auto* held = static_cast<Held*>(hint);
  check(held->handed_over.load(std::memory_order_acquire), "a message that was never handed over");
  delete held;
}

}  // namespace

ZmqMessage::ZmqMessage(SharedBytes bytes) {
  if (bytes.size() <= kCopyUpTo) {
    check(::zmq_msg_init_size(&message_, bytes.size()) == 0, "no memory for a message");
    if (!bytes.empty()) std::memcpy(::zmq_msg_data(&message_), bytes.data(), bytes.size());
    return;
  }
  const ByteView view = bytes;
  auto held = std::make_unique<Held>(std::move(bytes));
  auto* data = const_cast<Byte*>(view.data());  // libzmq reads only
  check(::zmq_msg_init_data(&message_, data, view.size(), let_go, held.get()) == 0,
        "no memory for a message");
  held.release();
}

SharedBytes ZmqMessage::share() && {
  auto owner = std::make_shared<const ZmqMessage>(std::move(*this));
  const ByteView view = owner->view();
  return {view, std::move(owner)};
}

}  // namespace holdfast
