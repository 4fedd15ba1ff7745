// What libFuzzer calls; HOLDFAST_FUZZ_TARGET is the target's function.
#include "tests/fuzz/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  holdfast::fuzz::HOLDFAST_FUZZ_TARGET({data, size});
  return 0;
}
