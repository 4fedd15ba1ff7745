#include "repository/posix/node_pages.h"

#include <fmt/format.h>

#include "common/format/prometheus_text.h"

namespace holdfast::repository {
namespace {

constexpr Duration kFresh = std::chrono::seconds(1);
constexpr Duration kPatience = std::chrono::seconds(2);

HttpPage unwell(const Error& error) {
  return {503, HttpPage{}.content_type, error.message() + "\n"};
}

}  // namespace

Result<std::shared_ptr<const HostFigures>> NodePages::figures() {
  const std::lock_guard lock(mutex_);
  if (latest_ != nullptr && clock_.now() - latest_at_ < kFresh) return latest_;
  HOLDFAST_ASSIGN(latest_, figures_(kPatience));
  latest_at_ = clock_.now();
  return latest_;
}

HttpPage NodePages::page(const std::string& path) {
  if (path != "/metrics" && path != "/healthz")
    return {404, HttpPage{}.content_type, "there are /metrics and /healthz\n"};
  const auto figures = this->figures();
  if (!figures) return unwell(figures.error());
  if (path == "/metrics")
    return {200, std::string(format::kPrometheusContentType), metrics_text(**figures)};
  if (const Status well = health(**figures); !well) return unwell(well.error());
  return {200, HttpPage{}.content_type, "well\n"};
}

}  // namespace holdfast::repository
