#include "repository/store/incomplete_lists.h"

#include <gtest/gtest.h>

namespace holdfast::repository {
namespace {

ObjectId id(unsigned char n) {
  ObjectId id{};
  id.bytes[0] = Byte{n};
  return id;
}

using Ids = std::vector<ObjectId>;

TEST(IncompleteLists, AListIsCompleteOnceTheLastOfItsRefsArrives) {
  IncompleteLists lists;
  lists.wait(id(1), Ids{id(10), id(11)});
  EXPECT_EQ(lists.arrived(Ids{id(10)}), Ids{});
  EXPECT_EQ(lists.arrived(Ids{id(10)}), Ids{});
  EXPECT_EQ(lists.arrived(Ids{id(11)}), Ids{id(1)});
  EXPECT_TRUE(lists.empty());
}

TEST(IncompleteLists, CompletionGoesUpThroughAllLevels) {
  IncompleteLists lists;
  lists.wait(id(3), Ids{id(2)});
  lists.wait(id(2), Ids{id(1)});
  lists.wait(id(1), Ids{id(10)});
  lists.wait(id(4), Ids{id(2), id(20)});
  EXPECT_EQ(lists.arrived(Ids{id(10)}), (Ids{id(1), id(2), id(3)}));
  EXPECT_TRUE(lists.contains(id(4)));
  EXPECT_EQ(lists.arrived(Ids{id(20)}), Ids{id(4)});
}

TEST(IncompleteLists, AForgottenListIsNotCompletedByWhatItOnceWaitedFor) {
  IncompleteLists lists;
  lists.wait(id(1), Ids{id(10)});
  lists.forget(id(1));
  lists.wait(id(1), Ids{id(11)});
  EXPECT_EQ(lists.arrived(Ids{id(10)}), Ids{});
  EXPECT_EQ(lists.arrived(Ids{id(11)}), Ids{id(1)});
}

TEST(IncompleteLists, WaitingTwiceForTheSameIsWaitingOnce) {
  IncompleteLists lists;
  lists.wait(id(1), Ids{id(10), id(10)});
  lists.wait(id(1), Ids{id(10)});
  EXPECT_EQ(lists.arrived(Ids{id(10)}), Ids{id(1)});
}

}  // namespace
}  // namespace holdfast::repository
