// The counting is done by the sanitizer's hooks where there is one, since it must keep `new` and
// `delete` to itself to tell them from malloc; else by replacing them.
#include "tests/fuzz/allocation_budget.h"

#include <cstdio>
#include <cstdlib>

#include "tests/fuzz/sanitized.h"

namespace holdfast::fuzz {
namespace {

thread_local std::uint64_t allocated = 0;

}  // namespace

AllocationBudget::AllocationBudget(std::size_t input, std::size_t constant, std::size_t factor)
    : limit_(allocated_bytes() + constant + factor * input) {}

AllocationBudget::~AllocationBudget() {
  const std::uint64_t now = allocated_bytes();
  if (now <= limit_) return;
  std::fprintf(stderr, "allocated %llu bytes more than the input may cost\n",
               static_cast<unsigned long long>(now - limit_));
  std::abort();
}

}  // namespace holdfast::fuzz

#ifdef HOLDFAST_SANITIZED

// Of <sanitizer/allocator_interface.h>, which clang brings and g++ does not, though both have it in
// their runtimes.
extern "C" int __sanitizer_install_malloc_and_free_hooks(  // NOLINT(bugprone-reserved-identifier)
    void (*allocated)(const volatile void*, std::size_t), void (*freed)(const volatile void*));

namespace holdfast::fuzz {
namespace {

void count_allocation(const volatile void*, std::size_t size) { allocated += size; }
void count_nothing(const volatile void*) {}

}  // namespace

std::uint64_t allocated_bytes() {
  static const int installed =
      __sanitizer_install_malloc_and_free_hooks(count_allocation, count_nothing);
  static_cast<void>(installed);
  return allocated;
}

}  // namespace holdfast::fuzz

#else

#include <new>

namespace holdfast::fuzz {

std::uint64_t allocated_bytes() { return allocated; }

}  // namespace holdfast::fuzz

// The others (arrays, nothrow) end in these two by default.
void* operator new(std::size_t size) {
  holdfast::fuzz::allocated += size;
  if (void* const memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

#endif
