#include "agent/case_folding.h"

#include <gtest/gtest.h>

#include "agent/path_filter.h"

namespace holdfast::agent {
namespace {

TEST(CaseFolding, LowersLatinGreekAndCyrillic) {
  EXPECT_EQ(fold_case("Photo.JPG"), "photo.jpg");
  EXPECT_EQ(fold_case("ÄÖÜ ÉÞ"), "äöü éþ");
  EXPECT_EQ(fold_case("ŁÓDŹ Šiška Ž"), "łódź šiška ž");
  EXPECT_EQ(fold_case("ΑΩ"), "αω");
  EXPECT_EQ(fold_case("Ёлка ЖУК"), "ёлка жук");
  EXPECT_EQ(fold_case("ĀĲķ ŊŶ ѠҀ"), "āĳķ ŋŷ ѡҁ");
}

TEST(CaseFolding, LeavesWhatHasNoCaseAndWhatIsNoText) {
  EXPECT_EQ(fold_case("ß×÷ 漢字 123"), "ß×÷ 漢字 123");
  EXPECT_EQ(fold_case("ͰϜ Ƃ ҂Ҋ ӀՁ"), "ͰϜ Ƃ ҂Ҋ ӀՁ") << "letters that are left as they are";
  EXPECT_EQ(fold_case("\xCE\xA2"), "\xCE\xA2") << "a gap among the Greek ones";
  EXPECT_EQ(fold_case("\xff\xc3"), "\xff\xc3");
  EXPECT_EQ(fold_case("\xc3 A"), "\xc3 a");
  const std::string folded = fold_case("ÄŁΩЁ");
  EXPECT_EQ(fold_case(folded), folded);
}

TEST(PathFilterInAnyCase, MatchesWhateverTheCaseOfEither) {
  const PathFilter filter = PathFilter::parse({"*.JPG", "/Home/[A-C]*/Тмп"}, true).value();
  EXPECT_TRUE(filter.matches("home/ann/x.jpg"));
  EXPECT_TRUE(filter.matches("home/ann/X.Jpg"));
  EXPECT_TRUE(filter.matches("HOME/bob/ТМП/x"));
  EXPECT_FALSE(filter.matches("home/dan/тмп"));
  EXPECT_TRUE(filter.may_match_below("HOME"));
  EXPECT_FALSE(filter.may_match_below("var") && !filter.may_match_below("x"));
  EXPECT_FALSE(PathFilter::parse({"*.JPG"}).value().matches("x.jpg"));
}

}  // namespace
}  // namespace holdfast::agent
