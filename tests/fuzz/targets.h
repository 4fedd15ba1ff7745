// What is fuzzed: one function for each parser that meets bytes from a disk, a network or a person,
// and for each machine that takes them. Each takes any bytes, aborts where a promise is broken, and
// leaves the rest to the sanitizers. CONTRIBUTING.md says how to add one.
//
// The first byte chooses how deep the others begin, because mutation never gets past a MAC:
//   0   the bytes as they are
//   1.. what lies behind a check that is made good: the signed body, the sealed plaintext, ...
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"

namespace holdfast::fuzz {

struct Target {
  std::string_view name;  // and of its folder in corpus/
  void (*run)(ByteView);
  // How often the test runs it: a million times for a parser. What opens stores and talks to nodes
  // takes as long for one as a parser for thousands.
  std::uint64_t executions = 1'000'000;
  // Modes (bit n: first byte n) that sign, verify or agree on keys, at 50 to 300 us each: one
  // execution in so many is drawn from them, the others from the rest of the corpus.
  std::uint32_t costly_modes = 0;
  std::uint32_t costly_one_in = 1;
};

std::span<const Target> targets();
// Null if there is none of this name.
const Target* find_target(std::string_view name);
// The inputs of tests/fuzz/corpus/NAME in order of their files' names.
std::vector<Bytes> corpus_of(std::string_view name);

// The first byte and the rest; 0 and nothing for no input.
struct Input {
  explicit Input(ByteView bytes)
      : mode(bytes.empty() ? Byte{0} : bytes[0]), rest(bytes.empty() ? bytes : bytes.subspan(1)) {}
  Byte mode;
  ByteView rest;
};

void frame(ByteView input);
void manifest(ByteView input);
void charter(ByteView input);
void vault(ByteView input);
void credential(ByteView input);
void invite(ByteView input);
void message(ByteView input);
void catalog_node(ByteView input);
void catalog_file(ByteView input);
void seen_heads(ByteView input);
void segment(ByteView input);
void index_notes(ByteView input);
void index_values(ByteView input);
void node_configuration(ByteView input);
void invitation(ByteView input);
void profile(ByteView input);
void command_line(ByteView input);
void node(ByteView input);
void store(ByteView input);
void agent(ByteView input);

}  // namespace holdfast::fuzz
