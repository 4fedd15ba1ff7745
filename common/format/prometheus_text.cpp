#include "common/format/prometheus_text.h"

#include <fmt/format.h>

#include <cmath>

#include "common/base/check.h"
#include "common/base/text.h"

namespace holdfast::format {
namespace {

constexpr std::string_view type_name(MetricType type) {
  switch (type) {
    case MetricType::kCounter:
      return "counter";
    case MetricType::kGauge:
      return "gauge";
    case MetricType::kHistogram:
      return "histogram";
  }
  return "untyped";
}

bool is_name(std::string_view text) {
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  if (text.empty() || !letter(text[0])) return false;
  for (const char c : text)
    if (!letter(c) && !(c >= '0' && c <= '9')) return false;
  return true;
}

// In a HELP line quotes stand for themselves, in a label's value they end it.
std::string escaped(std::string_view text, bool quoted) {
  const std::string valid = is_utf8(text) ? std::string(text) : printable(text);
  std::string result;
  result.reserve(valid.size());
  for (const char c : valid) {
    if (c == '\\')
      result += "\\\\";
    else if (c == '\n')
      result += "\\n";
    else if (c == '"' && quoted)
      result += "\\\"";
    else
      result += c;
  }
  return result;
}

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  // The shortest digits that give the value back; counts of bytes are better read in full.
  if (std::trunc(value) == value && std::abs(value) < 1e18) return fmt::format("{:.0f}", value);
  return fmt::format("{}", value);
}

}  // namespace

void PrometheusText::family(std::string_view name, MetricType type, std::string_view help) {
  check(is_name(name), "a metric's name is letters, digits and underscores");
  check(families_.emplace(name).second, "a family of metrics stands in one place");
  name_ = name;
  type_ = type;
  text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name_, escaped(help, false), name_,
                       type_name(type));
}

void PrometheusText::sample(const Histogram& value, const MetricLabels& labels) {
  check(!name_.empty() && type_ == MetricType::kHistogram, "a distribution is a histogram's");
  MetricLabels of_bucket = labels;
  of_bucket.push_back({"le", {}});
  std::uint64_t so_far = 0;
  for (std::size_t i = 0; i < value.counts().size(); ++i) {
    so_far += value.counts()[i];
    of_bucket.back().value = i < value.bounds().size() ? number(value.bounds()[i]) : "+Inf";
    line("_bucket", of_bucket, static_cast<double>(so_far));
  }
  line("_sum", labels, value.sum());
  line("_count", labels, static_cast<double>(so_far));
}

void PrometheusText::write_value(double value, const MetricLabels& labels) {
  check(!name_.empty() && type_ != MetricType::kHistogram, "a number is a counter's or a gauge's");
  line({}, labels, value);
}

void PrometheusText::line(std::string_view suffix, const MetricLabels& labels, double value) {
  text_ += name_;
  text_ += suffix;
  if (!labels.empty()) {
    char separator = '{';
    for (const MetricLabel& label : labels) {
      check(is_name(label.name), "a label's name is letters, digits and underscores");
      text_ += fmt::format("{}{}=\"{}\"", separator, label.name, escaped(label.value, true));
      separator = ',';
    }
    text_ += '}';
  }
  text_ += fmt::format(" {}\n", number(value));
}

}  // namespace holdfast::format
