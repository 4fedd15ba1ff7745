// Where a core says what an operator should know. The shell writes it to the journal; a simulation
// keeps it as its trace.
#pragma once

#include <string_view>

namespace holdfast::repository {

enum class Severity { kInfo, kWarning, kError };

class EventLog {
 public:
  virtual ~EventLog() = default;
  // One line without its end; may hold bytes that a peer chose, made printable. Loop thread.
  virtual void note(Severity severity, std::string_view line) = 0;
};

}  // namespace holdfast::repository
