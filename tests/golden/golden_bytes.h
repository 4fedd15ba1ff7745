// Bytes that were written once and must be written and read alike for as long as their format's
// version is.
#pragma once

#include <string>

#include "common/base/bytes.h"

namespace holdfast::testing {

// The bytes of tests/golden/v1/NAME.hex. Aborts if there are none.
Bytes read_golden(const std::string& name);

// Fails the test, saying where they differ, unless `bytes` are the golden ones. With the
// environment variable HOLDFAST_GOLDEN=write they become the golden ones instead, and the test
// fails to say so.
void expect_golden(const std::string& name, ByteView bytes);

}  // namespace holdfast::testing
