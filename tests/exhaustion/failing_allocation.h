// operator new of this executable, which can be made to fail once. What libraries in C take by
// malloc() is not counted.
#pragma once

#include <cstdint>
#include <new>

namespace holdfast::testing {

// The `nth` allocation from now on this thread throws std::bad_alloc; 0: none.
void fail_allocation(std::uint64_t nth);
// Whether it came to that since it was asked for.
bool allocation_failed();

// While it lives, no allocation on this thread is counted or fails.
class SparedAllocations {
 public:
  SparedAllocations();
  ~SparedAllocations();
  SparedAllocations(const SparedAllocations&) = delete;
  SparedAllocations& operator=(const SparedAllocations&) = delete;

 private:
  std::uint64_t left_;
};

// Runs `act` for allocations 1, 2, ... until it makes no more, and `after` behind each, with
// whether the exception arrived here: all memory is there again then.
template <typename Act, typename After>
std::uint64_t fail_each_allocation(const Act& act, const After& after) {
  for (std::uint64_t nth = 1;; ++nth) {
    bool thrown = false;
    fail_allocation(nth);
    try {
      act();
    } catch (const std::bad_alloc&) {
      thrown = true;
    }
    const bool failed = allocation_failed();
    fail_allocation(0);
    if (!failed) return nth - 1;
    if (!after(nth, thrown)) return nth;
  }
}

}  // namespace holdfast::testing
