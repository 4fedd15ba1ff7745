// Counts by replacing `new` and `delete`, with all their forms that are not aligned: a sanitizer
// that kept some of them would take the pairs apart.
#include "tests/fuzz/allocation_budget.h"

#include <cstdio>
#include <cstdlib>
#include <new>

namespace holdfast::fuzz {
namespace {

thread_local std::uint64_t allocated = 0;

void* allocate(std::size_t size) {
  allocated += size;
  return std::malloc(size == 0 ? 1 : size);
}

void* allocate_or_throw(std::size_t size) {
  if (void* const memory = allocate(size)) return memory;
  throw std::bad_alloc();
}

}  // namespace

std::uint64_t allocated_bytes() { return allocated; }

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

void* operator new(std::size_t size) { return holdfast::fuzz::allocate_or_throw(size); }
void* operator new[](std::size_t size) { return holdfast::fuzz::allocate_or_throw(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return holdfast::fuzz::allocate(size);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return holdfast::fuzz::allocate(size);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
