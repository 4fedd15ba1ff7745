#include "tests/exhaustion/failing_allocation.h"

#include <cstdlib>
#include <utility>

namespace {

thread_local std::uint64_t allocations_left = 0;
thread_local bool failed = false;

bool fails_now() {
  if (allocations_left == 0 || --allocations_left != 0) return false;
  failed = true;
  return true;
}

void* allocate(std::size_t size) {
  if (fails_now()) return nullptr;
  return std::malloc(size == 0 ? 1 : size);
}

void* allocate_aligned(std::size_t size, std::align_val_t alignment) {
  if (fails_now()) return nullptr;
  const auto unit = static_cast<std::size_t>(alignment);
  return std::aligned_alloc(unit, (size + unit - 1) / unit * unit);
}

void* or_throw(void* memory) {
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

namespace holdfast::testing {

void fail_allocation(std::uint64_t nth) {
  allocations_left = nth;
  failed = false;
}

SparedAllocations::SparedAllocations() : left_(std::exchange(allocations_left, 0)) {}
SparedAllocations::~SparedAllocations() { allocations_left = left_; }

bool allocation_failed() { return failed; }

}  // namespace holdfast::testing

// For LeakSanitizer, where there is one. An object that protobuf has just made for a repeated field
// is lost if the field cannot grow. A program that has no memory ends, so that it does not matter.
extern "C" const char* __lsan_default_suppressions() {  // NOLINT
  return "leak:google::protobuf::Arena::CreateMaybeMessage";
}

void* operator new(std::size_t size) { return or_throw(allocate(size)); }
void* operator new[](std::size_t size) { return or_throw(allocate(size)); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return or_throw(allocate_aligned(size, alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return or_throw(allocate_aligned(size, alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
