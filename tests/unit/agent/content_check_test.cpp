#include "agent/content_check.h"

#include <gtest/gtest.h>

#include "tests/unit/agent/memory_target.h"

namespace holdfast::agent {
namespace {

// A target whose files end earlier than they said, or cannot be read.
class FailingView final : public TargetView {
 public:
  explicit FailingView(Result<std::size_t> read) : read_(std::move(read)) {}
  Result<std::optional<Entry>> look(const std::string&) override { return std::optional<Entry>(); }
  Result<std::vector<std::string>> list(const std::string&) override {
    return std::vector<std::string>();
  }
  Status remove(const std::string&) override { return {}; }
  Result<std::unique_ptr<TargetFile>> open(const std::string&) override {
    return std::unique_ptr<TargetFile>(std::make_unique<File>(read_));
  }

 private:
  class File final : public TargetFile {
   public:
    explicit File(const Result<std::size_t>& read) : read_(read) {}
    std::uint64_t size() const override { return 6; }
    Result<std::size_t> read_at(std::uint64_t, MutableByteView) override { return read_; }

   private:
    const Result<std::size_t>& read_;
  };
  const Result<std::size_t> read_;
};

class CheckingContent : public ::testing::Test {
 protected:
  CheckingContent() { target_.put_file("file", to_bytes("abcdef")); }
  ObjectId id(std::string_view content) const {
    return format::ObjectIdentifier(key_).identify(format::ObjectKind::kData, {},
                                                   as_bytes(content));
  }
  std::string refusal(const Status& status) const {
    if (status) return "none";
    EXPECT_EQ(status.error().code(), Code::kCorrupt);
    return status.error().message();
  }

  const crypto::SecretKey key_;
  holdfast::testing::MemoryTarget target_;
  ContentCheck check_{target_, key_};
  const std::vector<std::uint32_t> lengths_{2, 4};
};

TEST_F(CheckingContent, WhatIsAsTheSnapshotSaysIsGood) {
  const std::vector<ObjectId> whole{id("abcdef")}, parts{id("ab"), id("cdef")};
  EXPECT_TRUE(check_.check_file("file", 6, whole, {}));
  EXPECT_TRUE(check_.check_file("file", 6, parts, lengths_));
  EXPECT_TRUE(
      check_.check_file("file", 6, std::span(parts).last(1), std::span(lengths_).last(1), 2));
}

TEST_F(CheckingContent, AnotherLengthOrOtherBytesAreNamed) {
  const std::vector<ObjectId> parts{id("ab"), id("cdEf")};
  EXPECT_EQ(refusal(check_.check_file("file", 7, parts, lengths_)),
            "it has 6 bytes in the target, 7 in the snapshot");
  EXPECT_EQ(refusal(check_.check_file("file", 6, parts, lengths_)),
            "its 4 bytes from 2 are not those of the snapshot");
}

TEST_F(CheckingContent, AChunkThatNoFrameCouldHoldIsRefusedBeforeItIsMadeRoomFor) {
  const std::vector<ObjectId> parts{id("ab"), id("cdef")};
  const std::vector<std::uint32_t> lengths{~0U, 4};
  EXPECT_EQ(refusal(check_.check_file("file", 6, parts, lengths)),
            "a chunk larger than any may be");
}

TEST_F(CheckingContent, AFileThatIsNotThereOrCannotBeReadOrBecomesShorterIsNotGood) {
  const std::vector<ObjectId> whole{id("abcdef")};
  EXPECT_EQ(check_.check_file("no", 6, whole, {}).error().code(), Code::kNotFound);

  FailingView unreadable(Error(Code::kIo, "a bad sector"));
  EXPECT_EQ(ContentCheck(unreadable, key_).check_file("file", 6, whole, {}).error().code(),
            Code::kIo);
  FailingView shorter(std::size_t{5});
  EXPECT_EQ(refusal(ContentCheck(shorter, key_).check_file("file", 6, whole, {})),
            "its 6 bytes from 0 are not those of the snapshot");
}

}  // namespace
}  // namespace holdfast::agent
