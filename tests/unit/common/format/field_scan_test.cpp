#include "common/format/field_scan.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "common/format/charter.pb.h"

namespace holdfast::format {
namespace {

TEST(FieldScan, MeetsEveryFieldInOrder) {
  CharterProto proto;
  proto.set_version(300);
  proto.set_admin_key("key");
  proto.set_created_ns(-1);
  proto.add_nodes()->set_name("a");
  proto.add_nodes();
  const std::string bytes = proto.SerializeAsString();
  FieldScan scan(as_bytes(bytes));
  std::vector<std::pair<std::uint32_t, std::string>> met;
  while (const auto field = scan.next()) met.emplace_back(field->number, to_string(field->content));
  EXPECT_FALSE(scan.malformed());
  const std::vector<std::pair<std::uint32_t, std::string>> expected{{2, ""},
                                                                    {3, "key"},
                                                                    {5, ""},
                                                                    {10,
                                                                     "\x12\x01"
                                                                     "a"},
                                                                    {10, ""}};
  EXPECT_EQ(met, expected);
  EXPECT_TRUE(has_at_most_fields(as_bytes(bytes), 5));
  EXPECT_FALSE(has_at_most_fields(as_bytes(bytes), 4));
}

TEST(FieldScan, StopsAtTheFirstMalformedByte) {
  const Bytes cases[] = {
      {0x08},                       // a key without its varint
      {0x08, 0x80},                 // a varint without its end
      {0x0A, 0x05, 'a', 'b'},       // a length beyond the end
      {0x09, 1, 2, 3, 4, 5, 6, 7},  // 7 of 8 bytes
      {0x0D, 1, 2, 3},              // 3 of 4 bytes
      {0x0B, 0x0C},                 // a group
      {0x0E},
      {0x0F},        // no such type
      {0x00, 0x00},  // field 0
      {0x80},
      {0x08, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01},
      {0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01},
  };
  for (const Bytes& bytes : cases) {
    FieldScan scan(bytes);
    EXPECT_FALSE(scan.next().has_value());
    EXPECT_TRUE(scan.malformed());
    EXPECT_FALSE(scan.next().has_value());
    EXPECT_FALSE(has_at_most_fields(bytes, 100));
  }
}

// What protobuf takes is what is scanned: a message that the scan refuses and protobuf accepts
// could only have groups, one that only the scan accepts has malformed messages within.
RC_GTEST_PROP(FieldScan, EndsOnAnyBytes, (const std::vector<Byte>& bytes)) {
  FieldScan scan(bytes);
  std::size_t content = 0;
  while (const auto field = scan.next()) content += field->content.size();
  RC_ASSERT(content <= bytes.size());
}

}  // namespace
}  // namespace holdfast::format
