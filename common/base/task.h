// A callable of no arguments that runs once and may own move-only things; std::move_only_function
// is C++23.
#pragma once

#include <memory>
#include <type_traits>
#include <utility>

#include "common/base/check.h"

namespace holdfast {

class Task {
 public:
  Task() = default;
  template <typename F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, Task>)
      Task(F&& callable)  // NOLINT: implicit, like std::function
      : callable_(std::make_unique<Holder<std::remove_cvref_t<F>>>(std::forward<F>(callable))) {}

  explicit operator bool() const { return callable_ != nullptr; }
  // Runs it and lets go of what it owns.
  void operator()() {
    check(callable_ != nullptr, "an empty Task was run");
    auto callable = std::move(callable_);
    callable->run();
  }

 private:
  struct Callable {
    virtual ~Callable() = default;
    virtual void run() = 0;
  };
  template <typename F>
  struct Holder final : Callable {
    explicit Holder(F f) : callable(std::move(f)) {}
    void run() override { callable(); }
    F callable;
  };
  std::unique_ptr<Callable> callable_;
};

}  // namespace holdfast
