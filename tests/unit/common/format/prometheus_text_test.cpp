#include "common/format/prometheus_text.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace holdfast::format {
namespace {

std::string gauge(double value, const MetricLabels& labels = {}) {
  PrometheusText text;
  text.family("m", MetricType::kGauge, "A measure.");
  const std::size_t head = text.text().size();
  text.sample(value, labels);
  return std::move(text).take().substr(head);
}

TEST(PrometheusText, AFamilySaysWhatItIsAndItsSamplesFollow) {
  PrometheusText text;
  text.family("requests_total", MetricType::kCounter, "Requests taken.");
  text.sample(3, {{"type", "read"}});
  text.sample(5U, {{"type", "commit"}, {"repository", "ab12"}});
  text.family("free_bytes", MetricType::kGauge, "Room.");
  text.sample(0.5);
  EXPECT_EQ(text.text(),
            "# HELP requests_total Requests taken.\n"
            "# TYPE requests_total counter\n"
            "requests_total{type=\"read\"} 3\n"
            "requests_total{type=\"commit\",repository=\"ab12\"} 5\n"
            "# HELP free_bytes Room.\n"
            "# TYPE free_bytes gauge\n"
            "free_bytes 0.5\n");
}

TEST(PrometheusText, ALabelsValueCannotEndItselfOrItsLine) {
  EXPECT_EQ(gauge(1, {{"agent", "a\"b\\c\nd"}}), "m{agent=\"a\\\"b\\\\c\\nd\"} 1\n");
}

TEST(PrometheusText, ALabelsValueThatIsNotUtf8IsShownAsHex) {
  EXPECT_EQ(gauge(1, {{"agent", "caf\xE9"}}), "m{agent=\"caf\\\\xe9\"} 1\n");
  EXPECT_EQ(gauge(1, {{"agent", "caf\xC3\xA9"}}), "m{agent=\"caf\xC3\xA9\"} 1\n");
}

TEST(PrometheusText, HelpCannotEndItsLineAndKeepsItsQuotes) {
  PrometheusText text;
  text.family("m", MetricType::kGauge, "One \"line\"\nwith a \\.");
  EXPECT_EQ(text.text(),
            "# HELP m One \"line\"\\nwith a \\\\.\n"
            "# TYPE m gauge\n");
}

TEST(PrometheusText, NumbersAreExactAndNamedWhereTheyAreNone) {
  EXPECT_EQ(gauge(1764053999123), "m 1764053999123\n");
  EXPECT_EQ(gauge(9007199254740991.0), "m 9007199254740991\n");
  EXPECT_EQ(gauge(-2), "m -2\n");
  EXPECT_EQ(gauge(0.1), "m 0.1\n");
  EXPECT_EQ(gauge(1e300), "m 1e+300\n");
  EXPECT_EQ(gauge(std::numeric_limits<double>::quiet_NaN()), "m NaN\n");
  EXPECT_EQ(gauge(std::numeric_limits<double>::infinity()), "m +Inf\n");
  EXPECT_EQ(gauge(-std::numeric_limits<double>::infinity()), "m -Inf\n");
}

TEST(PrometheusText, NamesTakeLettersDigitsAndUnderscores) {
  PrometheusText text;
  text.family("_Zz09_aA", MetricType::kGauge, "A measure.");
  text.sample(1, {{"Za_9", "x"}});
  EXPECT_TRUE(text.text().ends_with("\n_Zz09_aA{Za_9=\"x\"} 1\n")) << text.text();
}

TEST(PrometheusText, AHistogramsBucketsAddUp) {
  Histogram seconds({0.01, 0.1, 1});
  for (const double value : {0.005, 0.01, 0.02, 5.0, 0.5}) seconds.observe(value);
  PrometheusText text;
  text.family("sync_seconds", MetricType::kHistogram, "Syncs.");
  text.sample(seconds, {{"repository", "ab12"}});
  EXPECT_EQ(text.text(),
            "# HELP sync_seconds Syncs.\n"
            "# TYPE sync_seconds histogram\n"
            "sync_seconds_bucket{repository=\"ab12\",le=\"0.01\"} 2\n"
            "sync_seconds_bucket{repository=\"ab12\",le=\"0.1\"} 3\n"
            "sync_seconds_bucket{repository=\"ab12\",le=\"1\"} 4\n"
            "sync_seconds_bucket{repository=\"ab12\",le=\"+Inf\"} 5\n"
            "sync_seconds_sum{repository=\"ab12\"} 5.535\n"
            "sync_seconds_count{repository=\"ab12\"} 5\n");
}

TEST(PrometheusTextDeathTest, WhatOnlyTheProgramCanGetWrongAborts) {
  PrometheusText text;
  EXPECT_DEATH(text.sample(1), "counter's or a gauge's");
  EXPECT_DEATH(text.family("9lives", MetricType::kGauge, ""), "letters, digits");
  text.family("m", MetricType::kGauge, "");
  EXPECT_DEATH(text.family("m", MetricType::kGauge, ""), "one place");
  EXPECT_DEATH(text.sample(Histogram({1})), "histogram's");
  EXPECT_DEATH(text.sample(1, {{"a-b", ""}}), "letters, digits");
}

}  // namespace
}  // namespace holdfast::format
