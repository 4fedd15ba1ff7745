#include "agent/verify_options.h"

#include <fmt/format.h>

#include <charconv>

#include "common/base/byte_size.h"
#include "common/base/text.h"

namespace holdfast::agent {
namespace {

template <typename Number>
bool parse_all(std::string_view text, Number& number) {
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && stop == text.data() + text.size();
}

}  // namespace

Result<DataSubset> parse_data_subset(std::string_view text) {
  const Error wrong(Code::kInvalidArgument,
                    fmt::format("\"{}\" is no part of the data: give N/T, a percentage as 2.5%, or "
                                "a size as 500M",
                                printable(text)));
  DataSubset subset;
  if (const auto slash = text.find('/'); slash != std::string_view::npos) {
    std::uint64_t part = 0, parts = 0;
    if (!parse_all(text.substr(0, slash), part) || !parse_all(text.substr(slash + 1), parts) ||
        part == 0 || part > parts)
      return wrong;
    subset.fraction = 1.0 / static_cast<double>(parts);
    subset.seed = part;
    return subset;
  }
  if (text.ends_with('%')) {
    double percent = 0;
    if (!parse_all(text.substr(0, text.size() - 1), percent) || !(percent > 0 && percent <= 100))
      return wrong;
    subset.fraction = percent / 100;
    return subset;
  }
  subset.bytes = parse_byte_size(text);
  if (subset.bytes.value_or(0) == 0) return wrong;
  return subset;
}

}  // namespace holdfast::agent
