// Where a core says what an operator should know. The shell writes it to the journal; a simulation
// keeps it as its trace.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/base/digest.h"

namespace holdfast::repository {

enum class Severity { kInfo, kWarning, kError };

struct Event {
  Severity severity;
  // What happened, as a stable word for machines ("sync_failed"); docs/operating/monitoring.md has
  // them all. A literal.
  std::string_view kind;
  // The same for people: one line without its end; may hold bytes that a peer chose, made
  // printable. It names what it is about by itself.
  std::string line;
  // What it is about, for who searches.
  std::optional<RepositoryId> repository = {};
  std::optional<AgentId> agent = {};
};

class EventLog {
 public:
  virtual ~EventLog() = default;
  // Loop thread.
  virtual void note(const Event& event) = 0;
};

}  // namespace holdfast::repository
