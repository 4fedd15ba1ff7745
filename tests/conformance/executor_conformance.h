// What every Executor must do. To run it for an implementation:
//
//   struct MyExecutorFixture {      // made anew for each test
//     Executor& executor();
//     void finish();                // returns when all submitted work has run
//   };
//   INSTANTIATE_TYPED_TEST_SUITE_P(My, ExecutorConformance, MyExecutorFixture);
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <memory>

#include "common/ports/executor.h"

namespace holdfast {

template <typename Fixture>
class ExecutorConformance : public testing::Test {
 protected:
  Executor& executor() { return fixture_.executor(); }
  void finish() { fixture_.finish(); }
  std::atomic<int> ran_ = 0;

 private:
  Fixture fixture_;
};

TYPED_TEST_SUITE_P(ExecutorConformance);

TYPED_TEST_P(ExecutorConformance, AllWorkRunsOnce) {
  for (int i = 0; i < 1000; ++i) this->executor().submit([this] { ++this->ran_; });
  this->finish();
  EXPECT_EQ(this->ran_, 1000);
}

TYPED_TEST_P(ExecutorConformance, WorkMaySubmitMore) {
  this->executor().submit([this] {
    this->executor().submit([this] {
      this->executor().submit([this] { ++this->ran_; });
      ++this->ran_;
    });
    ++this->ran_;
  });
  this->finish();
  EXPECT_EQ(this->ran_, 3);
}

TYPED_TEST_P(ExecutorConformance, WorkLetsGoOfWhatItOwns) {
  auto owned = std::make_shared<int>(1);
  std::weak_ptr<int> seen = owned;
  this->executor().submit([owned = std::move(owned)] { ++*owned; });
  this->finish();
  EXPECT_TRUE(seen.expired());
}

TYPED_TEST_P(ExecutorConformance, AtLeastOnePieceOfWorkRunsAtOnce) {
  EXPECT_GE(this->executor().concurrency(), 1u);
}

REGISTER_TYPED_TEST_SUITE_P(ExecutorConformance, AllWorkRunsOnce, WorkMaySubmitMore,
                            WorkLetsGoOfWhatItOwns, AtLeastOnePieceOfWorkRunsAtOnce);

}  // namespace holdfast
