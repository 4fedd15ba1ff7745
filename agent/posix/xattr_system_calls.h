// The extended-attribute calls that take a folder and a name, which the C library does not wrap
// yet.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace holdfast::agent {

// Numbers that all architectures but Alpha share (include/uapi/asm-generic/unistd.h of Linux 6.13).
inline constexpr long kGetxattrat = 464;
inline constexpr long kListxattrat = 465;

struct XattrArguments {  // struct xattr_args of linux/xattr.h
  alignas(8) std::uint64_t value = 0;
  std::uint32_t size = 0;
  std::uint32_t flags = 0;
};

}  // namespace holdfast::agent
