#include "cli/progress_display.h"

#include <fmt/format.h>

#include <algorithm>

namespace holdfast::cli {
namespace {

constexpr Duration kDrawn = std::chrono::milliseconds(100);
constexpr Duration kObjects = std::chrono::seconds(1);
constexpr Duration kPlain = std::chrono::seconds(30);
constexpr std::size_t kBarWidth = 24;

}  // namespace

ProgressDisplay::ProgressDisplay(Workplace& work, Output& output, std::function<Picture()> picture)
    : work_(work),
      output_(output),
      picture_(std::move(picture)),
      interval_(output.json         ? kObjects
                : output.can_draw() ? kDrawn
                                    : kPlain) {
  if (output.verbosity > 0) arm();
}

ProgressDisplay::~ProgressDisplay() {
  if (timer_) work_.loop.cancel(*timer_);
  output_.erase();
}

void ProgressDisplay::arm() {
  timer_ = work_.loop.after(interval_, [this] {
    show();
    arm();
  });
}

void ProgressDisplay::show() {
  Picture picture = picture_();
  if (output_.json) return output_.object(picture.status);
  if (output_.can_draw()) return output_.draw(picture.lines);
  if (!picture.lines.empty()) output_.note(picture.lines.front());
}

std::string bar(std::uint64_t done, std::uint64_t total) {
  const double part =
      total == 0 ? 0.0 : std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
  const auto filled = static_cast<std::size_t>(part * kBarWidth);
  return fmt::format("[{}{}] {:3.0f}%", std::string(filled, '#'),
                     std::string(kBarWidth - filled, ' '), part * 100);
}

std::string clock_text(Duration span) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(span).count();
  if (seconds >= 3600)
    return fmt::format("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
  return fmt::format("{}:{:02}", seconds / 60, seconds % 60);
}

}  // namespace holdfast::cli
