#include "repository/posix/journal_log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace holdfast::repository {

JournalLog::JournalLog(const char* program) {
  auto logger =
      std::make_shared<spdlog::logger>(program, std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %n: %v");
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

void JournalLog::note(Severity severity, std::string_view line) {
  const auto level = severity == Severity::kInfo      ? spdlog::level::info
                     : severity == Severity::kWarning ? spdlog::level::warn
                                                      : spdlog::level::err;
  spdlog::log(level, "{}", line);
}

}  // namespace holdfast::repository
