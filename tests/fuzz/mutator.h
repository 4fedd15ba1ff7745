// Changes an input as a fuzzer does, without one: bits, bytes, lengths and numbers at their edges,
// stretches removed, doubled and taken from other inputs; and, since bits that are flipped blindly
// mostly break a message's lengths, edits of whole fields of Protocol Buffers, however deep, with
// the lengths around them made right again.
#pragma once

#include <span>

#include "common/base/bytes.h"
#include "common/ports/random.h"

namespace holdfast::fuzz {

class Mutator {
 public:
  // `corpus` is what stretches are taken from; both outlive it.
  Mutator(Random& random, std::span<const Bytes> corpus) : random_(random), corpus_(corpus) {}

  // One to some changes. The first byte, which says what kind of input it is, stays.
  void mutate(Bytes& input);

 private:
  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(random_.below(bound)); }
  void change_bytes(Bytes& input, std::size_t from);
  void put_number(Bytes& input, std::size_t from);
  void take_from_corpus(Bytes& input, std::size_t from);
  bool edit_message(Bytes& message, unsigned depth);

  Random& random_;
  std::span<const Bytes> corpus_;
};

}  // namespace holdfast::fuzz
