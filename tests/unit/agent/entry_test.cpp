#include "agent/entry.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "tests/testing/seed.h"

namespace holdfast::agent {
namespace {

// The definition of the order, word by word.
std::strong_ordering compare_slowly(std::string_view a, std::string_view b) {
  const auto split = [](std::string_view path) {
    std::vector<std::vector<unsigned char>> names;
    for (std::size_t begin = 0; begin < path.size();) {
      const std::size_t end = std::min(path.find('/', begin), path.size());
      names.emplace_back(path.begin() + static_cast<long>(begin),
                         path.begin() + static_cast<long>(end));
      begin = end + 1;
    }
    return names;
  };
  return split(a) <=> split(b);
}

TEST(ComparePaths, FolderIsDirectlyFollowedByWhatIsInIt) {
  std::vector<std::string> sorted = {"",      "a",    "a/b",   "a/b/c", "a/b.c", "a/c",
                                     "a\x01", "a b",  "a-b",   "a.b",   "a.b/c", "aa",
                                     "b",     "\x7f", "\x80x", "\xff/1"};
  std::vector<std::string> shuffled = sorted;
  std::mt19937_64 random(testing::seed());
  std::shuffle(shuffled.begin(), shuffled.end(), random);
  std::sort(shuffled.begin(), shuffled.end(),
            [](const auto& a, const auto& b) { return compare_paths(a, b) < 0; });
  EXPECT_EQ(shuffled, sorted);
}

TEST(ComparePaths, EqualOnlyToItself) {
  EXPECT_EQ(compare_paths("", ""), std::strong_ordering::equal);
  EXPECT_EQ(compare_paths("some/longer/path", "some/longer/path"), std::strong_ordering::equal);
  EXPECT_EQ(compare_paths("some/longer/path", "some/longer/patH"), std::strong_ordering::greater);
}

TEST(ComparePaths, AgreesWithTheDefinitionOnRandomPaths) {
  std::mt19937_64 random(testing::seed());
  const auto path = [&] {
    std::string made;
    for (auto names = random() % 6; names > 0; --names) {
      if (!made.empty()) made += '/';
      // Few letters, so that long common beginnings are frequent; some just beside '/'.
      for (auto letters = 1 + random() % 9; letters > 0; --letters)
        made += "aaaaab.0-\xff\x01"[random() % 11];
    }
    return made;
  };
  for (int i = 0; i < 50'000; ++i) {
    const std::string a = path(), b = path();
    ASSERT_EQ(compare_paths(a, b), compare_slowly(a, b)) << a << " and " << b;
  }
}

}  // namespace
}  // namespace holdfast::agent
