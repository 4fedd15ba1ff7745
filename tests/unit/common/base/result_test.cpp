#include "common/base/result.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <set>
#include <string>

namespace holdfast {
namespace {

constexpr int kCodes = 20;

TEST(Code, NamesAreDistinctAndLeadBack) {
  std::set<std::string_view> names;
  for (int i = 0; i < kCodes; ++i) {
    const auto code = static_cast<Code>(i);
    EXPECT_TRUE(names.insert(name(code)).second) << name(code);
    EXPECT_EQ(code_from_name(name(code)), code);
    EXPECT_EQ(name(code).find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), std::string_view::npos);
  }
  EXPECT_EQ(name(Code::kNoSpace), "no_space");
  EXPECT_EQ(name(Code::kInterrupted), "interrupted");
  EXPECT_EQ(static_cast<int>(Code::kInterrupted), kCodes - 1) << "a code this test does not know";
}

TEST(Code, UnknownNamesAreNoCode) {
  for (const std::string_view text : {"", "no_spac", "no_space ", "No_Space", "kNoSpace"})
    EXPECT_EQ(code_from_name(text), std::nullopt) << text;
}

TEST(CodeDeathTest, AValueOutsideTheEnumAborts) {
  EXPECT_DEATH((void)name(static_cast<Code>(kCodes)), "a Code without a name");
}

TEST(Error, ContextGoesInFront) {
  Error error(Code::kNoSpace, "fdatasync: No space left on device");
  error = std::move(error).with_context("segment 7").with_context("cannot commit");
  EXPECT_EQ(error.message(), "cannot commit: segment 7: fdatasync: No space left on device");
  EXPECT_EQ(error.code(), Code::kNoSpace);
}

TEST(Error, ErrnoBecomesTheCodeThatFits) {
  const std::pair<int, Code> expected[] = {
      {ENOENT, Code::kNotFound},
      {ENOTDIR, Code::kNotFound},
      {EEXIST, Code::kAlreadyExists},
      {ENOTEMPTY, Code::kAlreadyExists},
      {EACCES, Code::kPermissionDenied},
      {EPERM, Code::kPermissionDenied},
      {ENOSPC, Code::kNoSpace},
      {EDQUOT, Code::kNoSpace},
      {EROFS, Code::kReadOnly},
      {EMFILE, Code::kResourceExhausted},
      {ENFILE, Code::kResourceExhausted},
      {ENOMEM, Code::kResourceExhausted},
      {EINVAL, Code::kInvalidArgument},
      {ENAMETOOLONG, Code::kInvalidArgument},
      {ELOOP, Code::kInvalidArgument},
      {EISDIR, Code::kInvalidArgument},
      {ETIMEDOUT, Code::kTimedOut},
      {EIO, Code::kIo},
      {EBADF, Code::kIo},
  };
  for (const auto& [value, code] : expected)
    EXPECT_EQ(error_from_errno(value, "x").code(), code) << value;
  EXPECT_EQ(error_from_errno(EACCES, "open /x").message(), "open /x: Permission denied");
}

Result<int> half(int of) {
  if (of % 2 != 0) return Error(Code::kInvalidArgument, "odd");
  return of / 2;
}

Status require_even(int number) {
  HOLDFAST_TRY_OR(half(number), "looking at a number");
  return {};
}

Result<int> quarter(int of) {
  HOLDFAST_TRY(require_even(of));
  HOLDFAST_ASSIGN(const int first, half(of));
  HOLDFAST_ASSIGN_OR(const int second, half(first), "halving again");
  return second;
}

TEST(Result, HoldsAValueOrAnError) {
  const Result<int> good = half(4), bad = half(3);
  ASSERT_TRUE(good);
  EXPECT_EQ(*good, 2);
  EXPECT_EQ(good.value_or(9), 2);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error(), Error(Code::kInvalidArgument, "odd"));
  EXPECT_EQ(bad.value_or(9), 9);
}

TEST(Result, MacrosPassValuesOnAndErrorsUpWithTheirContext) {
  EXPECT_EQ(quarter(8).value(), 2);
  EXPECT_EQ(quarter(7).error().message(), "looking at a number: odd");
  EXPECT_EQ(quarter(6).error().message(), "halving again: odd");
  EXPECT_EQ(quarter(6).error().code(), Code::kInvalidArgument);
}

TEST(Result, CarriesWhatCanOnlyBeMoved) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(7);
  EXPECT_EQ(**result, 7);
  const std::unique_ptr<int> taken = std::move(result).value();
  EXPECT_EQ(*taken, 7);
}

TEST(Result, TellsAnErrorAsAValueFromAnErrorAsAFailure) {
  const Result<std::string> text = std::string("a value");
  EXPECT_EQ(text->size(), 7U);
  const Status done;
  EXPECT_TRUE(done.has_value());
  const Status failed = Error(Code::kIo, "gone");
  EXPECT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().message(), "gone");
}

TEST(ResultDeathTest, TakingWhatIsNotThereAborts) {
  EXPECT_DEATH((void)half(3).value(), "value\\(\\) of an error");
  EXPECT_DEATH((void)half(4).error(), "error\\(\\) of a value");
  EXPECT_DEATH((void)Status().error(), "error\\(\\) of a value");
}

}  // namespace
}  // namespace holdfast
