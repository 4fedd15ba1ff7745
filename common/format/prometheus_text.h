// Writes measurements as Prometheus reads them: the text format 0.0.4
// (https://prometheus.io/docs/instrumenting/exposition_formats/), which a node serves over HTTP and
// an agent leaves in a file for the node exporter's textfile collector.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "common/base/histogram.h"

namespace holdfast::format {

// The Content-Type of what PrometheusText gives.
inline constexpr std::string_view kPrometheusContentType = "text/plain; version=0.0.4";

enum class MetricType { kCounter, kGauge, kHistogram };

// A name is a literal of ours ([a-zA-Z_][a-zA-Z0-9_]*). A value may be anything: it is escaped, and
// what is not UTF-8 becomes \xNN.
struct MetricLabel {
  std::string_view name;
  std::string value;
};
using MetricLabels = std::vector<MetricLabel>;

// One thread. Families come one after another, each once, and its samples right behind it:
//
//   PrometheusText text;
//   text.family("holdfast_backup_exit_code", MetricType::kGauge, "How the last run ended.");
//   text.sample(4, {{"profile", "home"}});
//   write(std::move(text).take());
//
// Aborts on a malformed name, on a family that was there before and on a sample without a family of
// its type: those are the program's own, never somebody's input.
class PrometheusText {
 public:
  // `help` is one sentence for people; it is escaped.
  void family(std::string_view name, MetricType type, std::string_view help);

  // One value of the counter or gauge that was begun last. Prometheus knows doubles only: above
  // 2^53 an integer is rounded.
  template <typename Number>
  requires std::is_arithmetic_v<Number>
  void sample(Number value, const MetricLabels& labels = {}) {
    write_value(static_cast<double>(value), labels);
  }
  // One distribution of the histogram that was begun last: _bucket lines that add up, _sum, _count.
  void sample(const Histogram& value, const MetricLabels& labels = {});

  // What was written so far, each line with its end.
  const std::string& text() const { return text_; }
  std::string take() && { return std::move(text_); }

 private:
  void write_value(double value, const MetricLabels& labels);
  void line(std::string_view suffix, const MetricLabels& labels, double value);

  std::string text_;
  std::set<std::string, std::less<>> families_;
  std::string name_;  // of the family begun last
  MetricType type_ = MetricType::kGauge;
};

}  // namespace holdfast::format
