// Simulated clusters verify the same signatures and agree on the same run keys again and again: on
// every node, in every listing, after every restart. That was two thirds of their time. The linker
// puts these functions in the place of the real ones (--wrap), which they call for what they have
// not answered before; as the real ones depend on nothing but their arguments, nobody can tell.
#include <cstring>
#include <string>
#include <unordered_map>

#include "common/crypto/agreement.h"
#include "common/crypto/signature.h"

namespace holdfast::crypto {

bool real_verify(const VerifyKey& key, ByteView message,
                 ByteView signature) asm("__real_" HOLDFAST_CRYPTO_VERIFY);
bool wrapped_verify(const VerifyKey& key, ByteView message,
                    ByteView signature) asm("__wrap_" HOLDFAST_CRYPTO_VERIFY);
Result<SecretKey> real_agree(const SecretKey& scalar,
                             const PublicKey& other) asm("__real_" HOLDFAST_CRYPTO_AGREE);
Result<SecretKey> wrapped_agree(const SecretKey& scalar,
                                const PublicKey& other) asm("__wrap_" HOLDFAST_CRYPTO_AGREE);
PublicKey real_public_key(const SecretKey& scalar) asm("__real_" HOLDFAST_CRYPTO_PUBLIC_KEY);
PublicKey wrapped_public_key(const SecretKey& scalar) asm("__wrap_" HOLDFAST_CRYPTO_PUBLIC_KEY);

namespace {

// Answers by the bytes of all arguments. A thread has its own, and it forgets all when it is full.
template <class Answer>
class Memory {
 public:
  template <class Ask>
  const Answer& ask(const std::string& arguments, const Ask& ask) {
    auto found = answers_.find(arguments);
    if (found == answers_.end()) {
      if (answers_.size() == kCapacity) answers_.clear();
      found = answers_.emplace(arguments, ask()).first;
    }
    return found->second;
  }

 private:
  static constexpr std::size_t kCapacity = 8192;
  std::unordered_map<std::string, Answer> answers_;
};

// Fixed sizes come first, so that no two lists of arguments give the same bytes.
std::string joined(std::initializer_list<ByteView> parts) {
  std::string all;
  for (const ByteView part : parts)
    all.append(reinterpret_cast<const char*>(part.data()), part.size());
  return all;
}

}  // namespace

bool wrapped_verify(const VerifyKey& key, ByteView message, ByteView signature) {
  if (signature.size() != std::tuple_size_v<Signature>) return real_verify(key, message, signature);
  thread_local Memory<bool> memory;
  return memory.ask(joined({key, signature, message}),
                    [&] { return real_verify(key, message, signature); });
}

Result<SecretKey> wrapped_agree(const SecretKey& scalar, const PublicKey& other) {
  thread_local Memory<Result<SecretKey>> memory;
  const auto& answer =
      memory.ask(joined({scalar.view(), other}), [&] { return real_agree(scalar, other); });
  if (!answer) return answer.error();
  return answer->clone();
}

PublicKey wrapped_public_key(const SecretKey& scalar) {
  thread_local Memory<PublicKey> memory;
  return memory.ask(joined({scalar.view()}), [&] { return real_public_key(scalar); });
}

}  // namespace holdfast::crypto
