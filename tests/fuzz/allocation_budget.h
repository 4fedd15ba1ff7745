// What a parser allocates, measured: hostile bytes must not buy more memory than they take
// themselves, but for a constant and a factor.
#pragma once

#include <cstddef>
#include <cstdint>

namespace holdfast::fuzz {

// Bytes that this thread got by `new` since it began, whether it gave them back or not.
std::uint64_t allocated_bytes();

// Aborts at its end if more was allocated since its beginning than `constant` and `factor` times
// `input` bytes.
class AllocationBudget {
 public:
  explicit AllocationBudget(std::size_t input, std::size_t constant = std::size_t{64} << 10,
                            std::size_t factor = 64);
  ~AllocationBudget();
  AllocationBudget(const AllocationBudget&) = delete;
  AllocationBudget& operator=(const AllocationBudget&) = delete;

 private:
  const std::uint64_t limit_;
};

}  // namespace holdfast::fuzz
