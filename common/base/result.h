// Errors as values. Every fallible function returns Result<T> (or Status, which is Result<void>);
// neither can be dropped silently. Member names follow std::expected (C++23), so that the project
// can move to it by a search and replace.
//
// A broken invariant is not an Error: see base/check.h.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "common/base/check.h"

namespace holdfast {

// What went wrong, as far as a caller can act on it. Closed: code that switches over it names all.
enum class Code {
  kInvalidArgument,  // the caller asked for something that can never work
  kNotFound,         // a file, object or snapshot that is not there
  kAlreadyExists,
  kPermissionDenied,    // the operating system or a role refuses
  kCorrupt,             // bytes that do not match their checksum or grammar
  kForged,              // a signature, MAC or key commitment that does not verify
  kUnsupportedVersion,  // written by a newer Holdfast
  kIo,                  // the device failed
  kNoSpace,             // ENOSPC or EDQUOT
  kReadOnly,            // the node refuses writes until there is room or an operator acts
  kTimedOut,
  kUnavailable,        // a node cannot be reached, or fewer than the quorum can
  kConflict,           // another writer was first (sequence, lock)
  kMissingObjects,     // a list object or manifest whose references are not all present
  kResourceExhausted,  // a limit on memory, descriptors or credit
  kWrongPassphrase,
  kNoRepository,
  kProtocol,     // a peer broke the protocol
  kChanged,      // a file changed or vanished while it was read
  kInterrupted,  // the user or the system asked to stop
};

// The stable lower-case name of a code, as used on the wire and in JSON ("no_space").
std::string_view name(Code code);
std::optional<Code> code_from_name(std::string_view text);

// What failed, where, and what to do. `message` is one sentence without a full stop; each context
// added on the way up is put in front of it: "cannot commit: segment 7: fdatasync: No space left".
class [[nodiscard]] Error {
 public:
  Error(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  Code code() const { return code_; }
  const std::string& message() const { return message_; }
  Error with_context(std::string_view context) &&;

  friend bool operator==(const Error&, const Error&) = default;

 private:
  Code code_;
  std::string message_;
};

// The Error for `errno_value`, with the code that fits and the system's words: "open /x: Permission
// denied".
Error error_from_errno(int errno_value, std::string_view what);

template <typename T>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  // NOLINTBEGIN(google-explicit-constructor): `return value;` and `return error;` are the point.
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}
  // NOLINTEND(google-explicit-constructor)

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  T& value() & { return (check(has_value(), "value() of an error"), std::get<0>(state_)); }
  const T& value() const& {
    return (check(has_value(), "value() of an error"), std::get<0>(state_));
  }
  T&& value() && {
    return (check(has_value(), "value() of an error"), std::get<0>(std::move(state_)));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  template <typename U>
  T value_or(U&& other) const& {
    return has_value() ? std::get<0>(state_) : static_cast<T>(std::forward<U>(other));
  }

  const Error& error() const& {
    return (check(!has_value(), "error() of a value"), std::get<1>(state_));
  }
  Error&& error() && {
    return (check(!has_value(), "error() of a value"), std::get<1>(std::move(state_)));
  }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit by design

  bool has_value() const { return !error_.has_value(); }
  explicit operator bool() const { return has_value(); }
  const Error& error() const& { return (check(error_.has_value(), "error() of a value"), *error_); }
  Error&& error() && {
    return (check(error_.has_value(), "error() of a value"), std::move(*error_));
  }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

}  // namespace holdfast

#define HOLDFAST_CONCAT_(a, b) a##b
#define HOLDFAST_CONCAT(a, b) HOLDFAST_CONCAT_(a, b)

// Leaves the function with the error of `expression`, if it has one. `Or` adds what was being done.
#define HOLDFAST_TRY(expression)                                 \
  do {                                                           \
    if (auto holdfast_status_ = (expression); !holdfast_status_) \
      return std::move(holdfast_status_).error();                \
  } while (false)
#define HOLDFAST_TRY_OR(expression, context)                            \
  do {                                                                  \
    if (auto holdfast_status_ = (expression); !holdfast_status_)        \
      return std::move(holdfast_status_).error().with_context(context); \
  } while (false)

// NOLINTBEGIN(bugprone-macro-parentheses): a target is a declaration, which takes none.
//
// HOLDFAST_ASSIGN(auto x, f()): x becomes the value, or the function returns the error.
#define HOLDFAST_ASSIGN(target, expression) \
  HOLDFAST_ASSIGN_(target, expression, HOLDFAST_CONCAT(holdfast_result_, __LINE__))
#define HOLDFAST_ASSIGN_(target, expression, result) \
  auto result = (expression);                        \
  if (!result) return std::move(result).error();     \
  target = std::move(result).value()
#define HOLDFAST_ASSIGN_OR(target, expression, context) \
  HOLDFAST_ASSIGN_OR_(target, expression, context, HOLDFAST_CONCAT(holdfast_result_, __LINE__))
#define HOLDFAST_ASSIGN_OR_(target, expression, context, result)       \
  auto result = (expression);                                          \
  if (!result) return std::move(result).error().with_context(context); \
  target = std::move(result).value()
// NOLINTEND(bugprone-macro-parentheses)
