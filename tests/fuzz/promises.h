// What every parser promises of its errors, looked at in all targets.
#pragma once

#include <initializer_list>
#include <set>
#include <string>

#include "common/base/result.h"

namespace holdfast::fuzz {

// Aborts unless `error` has one of `codes`, and words that are safe to print on a terminal.
void check_error(const Error& error, std::initializer_list<Code> codes);

// Whether it is a value. An error is looked at.
template <typename T>
bool succeeded(const Result<T>& result, std::initializer_list<Code> codes) {
  if (!result) check_error(result.error(), codes);
  return result.has_value();
}

// The codes that docs/protocol.md names for replies.
const std::set<std::string>& documented_codes();

}  // namespace holdfast::fuzz
