// What people copy and paste: as it is, and with a payload whose checksum fits.
#include "common/base/endian.h"
#include "common/content/checksum.h"
#include "common/format/credential.h"
#include "tests/fuzz/allocation_budget.h"
#include "tests/fuzz/promises.h"
#include "tests/fuzz/targets.h"

namespace holdfast::fuzz {
namespace {

std::string armor(ByteView payload) {
  Bytes bytes(payload.begin(), payload.end());
  Byte sum[8];
  store_le(sum, content::checksum64(payload));
  append(bytes, sum);
  return base64url_encode(bytes);
}

}  // namespace

void credential(ByteView input) {
  const Input parts(input);
  const std::string given = parts.mode == 1
                                ? "-----BEGIN HOLDFAST CREDENTIAL-----\n" + armor(parts.rest) +
                                      "\n-----END HOLDFAST CREDENTIAL-----\n"
                                : to_string(parts.rest);
  const auto parsed = [&] {
    const AllocationBudget budget(given.size());
    return format::parse_credential(given);
  }();
  if (!succeeded(parsed, {Code::kCorrupt, Code::kUnsupportedVersion})) return;
  const std::string text = format::encode_credential(*parsed);
  const auto again = format::parse_credential(text);
  check(again.has_value() && format::encode_credential(*again) == text,
        "a credential that does not come back");
}

void invite(ByteView input) {
  const Input parts(input);
  const std::string given =
      parts.mode == 1 ? "holdfast-invite-1." + armor(parts.rest) : to_string(parts.rest);
  const auto parsed = [&] {
    const AllocationBudget budget(given.size());
    return format::parse_invite(given);
  }();
  if (!succeeded(parsed, {Code::kCorrupt, Code::kUnsupportedVersion})) return;
  const std::string text = format::encode_invite(*parsed);
  const auto again = format::parse_invite(text);
  check(again.has_value() && format::encode_invite(*again) == text,
        "an invite that does not come back");
}

}  // namespace holdfast::fuzz
