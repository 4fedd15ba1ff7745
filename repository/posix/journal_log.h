// The event log of a program that runs as a service. Where standard error is the journal, events
// are entries of their own there, with their fields; elsewhere they are lines. Any thread.
#pragma once

#include <string>

#include "repository/event_log.h"

namespace holdfast::repository {

class JournalLog final : public EventLog {
 public:
  // Sends spdlog's default logger, which the libraries use, the same way. Once per process.
  explicit JournalLog(const std::string& program);
  void note(const Event& event) override;

 private:
  const std::string program_;
  const bool to_journal_;
};

// Whether `fd` is what systemd says it has connected to the journal, in $JOURNAL_STREAM: device and
// inode in decimal. Null: it says nothing.
bool is_journal(const char* journal_stream, int fd);

}  // namespace holdfast::repository
