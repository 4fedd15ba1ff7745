// The event log of a program that runs as a service: lines on standard error, by spdlog. Any
// thread.
#pragma once

#include "repository/event_log.h"

namespace holdfast::repository {

class JournalLog final : public EventLog {
 public:
  // Sends spdlog's default logger to standard error. Once per process.
  explicit JournalLog(const char* program);
  void note(Severity severity, std::string_view line) override;
};

}  // namespace holdfast::repository
