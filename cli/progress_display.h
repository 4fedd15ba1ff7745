// How far a command is: lines drawn over each other on a terminal, now and then one line elsewhere,
// or status objects with --json.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cli/output.h"
#include "cli/workplace.h"

namespace holdfast::cli {

// Loop thread only. Draws by a timer until it is destroyed.
class ProgressDisplay {
 public:
  struct Picture {
    std::vector<std::string> lines;  // the first one is enough where nothing can be drawn
    Json status;
  };
  ProgressDisplay(Workplace& work, Output& output, std::function<Picture()> picture);
  ~ProgressDisplay();
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;

 private:
  void arm();
  void show();
  Workplace& work_;
  Output& output_;
  const std::function<Picture()> picture_;
  const Duration interval_;
  std::optional<TimerId> timer_;
};

// "[#####     ]  52%".
std::string bar(std::uint64_t done, std::uint64_t total);
// "1:02:03" or "2:03".
std::string clock_text(Duration span);

}  // namespace holdfast::cli
