// What is fuzzed: one function a parser that meets bytes from a disk, a network or a person. Each
// takes any bytes, aborts where a promise is broken, and leaves the rest to the sanitizers.
//
// The first byte chooses how deep the others begin, because mutation never gets past a MAC:
//   0   the bytes as they are
//   1.. what lies behind a check that is made good: the signed body, the sealed plaintext, ...
#pragma once

#include <array>
#include <string_view>

#include "common/base/bytes.h"

namespace holdfast::fuzz {

void frame(ByteView input);
void manifest(ByteView input);
void charter(ByteView input);
void vault(ByteView input);
void credential(ByteView input);
void invite(ByteView input);
void message(ByteView input);

struct Target {
  std::string_view name;  // of its function and of its folder in corpus/
  void (*run)(ByteView);
};
inline constexpr std::array kTargets{
    Target{"frame", frame},     Target{"manifest", manifest},     Target{"charter", charter},
    Target{"vault", vault},     Target{"credential", credential}, Target{"invite", invite},
    Target{"message", message},
};

// The first byte and the rest; 0 and nothing for no input.
struct Input {
  explicit Input(ByteView bytes)
      : mode(bytes.empty() ? Byte{0} : bytes[0]), rest(bytes.empty() ? bytes : bytes.subspan(1)) {}
  Byte mode;
  ByteView rest;
};

}  // namespace holdfast::fuzz
