// What every EventLoop must do. To run it for an implementation:
//
//   struct MyLoopFixture {          // made anew for each test
//     EventLoop& loop();
//     void run();                   // runs the loop on this thread until stop()
//     void stop();                  // called from a task
//   };
//   INSTANTIATE_TYPED_TEST_SUITE_P(My, EventLoopConformance, MyLoopFixture);
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "common/ports/executor.h"

namespace holdfast {

template <typename Fixture>
class EventLoopConformance : public testing::Test {
 protected:
  EventLoop& loop() { return fixture_.loop(); }
  void run() { fixture_.run(); }
  void stop() { fixture_.stop(); }
  // A task that writes down that it ran.
  auto note(int number) {
    return [this, number] { ran_.push_back(number); };
  }
  std::vector<int> ran_;

 private:
  Fixture fixture_;
};

TYPED_TEST_SUITE_P(EventLoopConformance);

TYPED_TEST_P(EventLoopConformance, TasksRunInTheOrderOfPosting) {
  for (int i = 0; i < 100; ++i) this->loop().post(this->note(i));
  this->loop().post([this] { this->stop(); });
  this->run();
  ASSERT_EQ(this->ran_.size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(this->ran_[static_cast<std::size_t>(i)], i);
}

TYPED_TEST_P(EventLoopConformance, ATaskPostedByATaskRunsLaterAndNeverInside) {
  this->loop().post([this] {
    this->loop().post([this] {
      this->ran_.push_back(2);
      this->stop();
    });
    this->ran_.push_back(1);
  });
  this->run();
  EXPECT_EQ(this->ran_, (std::vector<int>{1, 2}));
}

TYPED_TEST_P(EventLoopConformance, TasksMayOwnMoveOnlyThings) {
  auto owned = std::make_unique<int>(7);
  this->loop().post([this, owned = std::move(owned)] {
    this->ran_.push_back(*owned);
    this->stop();
  });
  this->run();
  EXPECT_EQ(this->ran_, std::vector<int>{7});
}

TYPED_TEST_P(EventLoopConformance, TimersRunInTheOrderTheyAreDue) {
  using std::chrono::milliseconds;
  this->loop().post([this] {
    this->loop().after(milliseconds(9), [this] { this->stop(); });
    this->loop().after(milliseconds(6), this->note(3));
    this->loop().after(milliseconds(1), this->note(1));
    this->loop().after(milliseconds(3), this->note(2));
  });
  this->run();
  EXPECT_EQ(this->ran_, (std::vector<int>{1, 2, 3}));
}

TYPED_TEST_P(EventLoopConformance, ATimerThatIsDueAtOnceStillRunsLater) {
  this->loop().post([this] {
    this->loop().after(Duration(0), [this] {
      this->ran_.push_back(2);
      this->stop();
    });
    this->loop().after(Duration(-5), this->note(0));
    this->ran_.push_back(1);
  });
  this->run();
  ASSERT_FALSE(this->ran_.empty());
  EXPECT_EQ(this->ran_[0], 1);
}

TYPED_TEST_P(EventLoopConformance, ACancelledTimerNeverRuns) {
  using std::chrono::milliseconds;
  this->loop().post([this] {
    const TimerId doomed = this->loop().after(milliseconds(1), this->note(1));
    this->loop().after(milliseconds(4), [this] { this->stop(); });
    this->loop().cancel(doomed);
    this->loop().cancel(doomed);
  });
  this->run();
  EXPECT_TRUE(this->ran_.empty());
}

TYPED_TEST_P(EventLoopConformance, ATimerMayCancelAnotherThatIsDueWithIt) {
  this->loop().post([this] {
    auto second = std::make_shared<TimerId>();
    this->loop().after(Duration(0), [this, second] { this->loop().cancel(*second); });
    *second = this->loop().after(Duration(0), this->note(1));
    this->loop().after(std::chrono::milliseconds(3), [this] { this->stop(); });
  });
  this->run();
  EXPECT_TRUE(this->ran_.empty());
}

TYPED_TEST_P(EventLoopConformance, CancellingATimerThatRanIsNothing) {
  auto timer = std::make_shared<TimerId>();
  this->loop().post([this, timer] {
    *timer = this->loop().after(Duration(1), [this, timer] {
      this->ran_.push_back(1);
      this->loop().cancel(*timer);
      this->loop().post([this] { this->stop(); });
    });
  });
  this->run();
  EXPECT_EQ(this->ran_, std::vector<int>{1});
}

TYPED_TEST_P(EventLoopConformance, ATimerThatRenewsItselfDoesNotStarveTasks) {
  auto again = std::make_shared<std::function<void()>>();
  *again = [this, again] { this->loop().after(Duration(0), [again] { (*again)(); }); };
  this->loop().post([again] { (*again)(); });
  auto left = std::make_shared<int>(10);
  auto step = std::make_shared<std::function<void()>>();
  *step = [this, left, step] {
    if (--*left == 0) return this->stop();
    this->loop().post([step] { (*step)(); });
  };
  this->loop().post([step] { (*step)(); });
  this->run();
  EXPECT_EQ(*left, 0);
  *again = {};
  *step = {};
}

REGISTER_TYPED_TEST_SUITE_P(EventLoopConformance, TasksRunInTheOrderOfPosting,
                            ATaskPostedByATaskRunsLaterAndNeverInside, TasksMayOwnMoveOnlyThings,
                            TimersRunInTheOrderTheyAreDue, ATimerThatIsDueAtOnceStillRunsLater,
                            ACancelledTimerNeverRuns, ATimerMayCancelAnotherThatIsDueWithIt,
                            CancellingATimerThatRanIsNothing,
                            ATimerThatRenewsItselfDoesNotStarveTasks);

}  // namespace holdfast
