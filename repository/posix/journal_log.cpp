// Field names and their meaning: systemd.journal-fields(7). HOLDFAST_EVENT has the event's kind, so
// that `journalctl HOLDFAST_EVENT=sync_failed` finds all of them.
#include "repository/posix/journal_log.h"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/sinks/systemd_sink.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include <cstdlib>
#include <vector>

namespace holdfast::repository {
namespace {

spdlog::level::level_enum level_of(Severity severity) {
  return severity == Severity::kInfo      ? spdlog::level::info
         : severity == Severity::kWarning ? spdlog::level::warn
                                          : spdlog::level::err;
}

int priority_of(Severity severity) {
  return severity == Severity::kInfo      ? LOG_INFO
         : severity == Severity::kWarning ? LOG_WARNING
                                          : LOG_ERR;
}

}  // namespace

bool is_journal(const char* journal_stream, int fd) {
  if (journal_stream == nullptr) return false;
  struct stat status {};
  if (::fstat(fd, &status) != 0) return false;
  return fmt::format("{}:{}", status.st_dev, status.st_ino) == journal_stream;
}

JournalLog::JournalLog(const std::string& program)
    : program_(program), to_journal_(is_journal(std::getenv("JOURNAL_STREAM"), STDERR_FILENO)) {
  std::shared_ptr<spdlog::logger> logger;
  if (to_journal_) {
    logger = std::make_shared<spdlog::logger>(
        program, std::make_shared<spdlog::sinks::systemd_sink_mt>(program));
  } else {
    logger = std::make_shared<spdlog::logger>(program,
                                              std::make_shared<spdlog::sinks::stderr_sink_mt>());
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %n: %v");
  }
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

void JournalLog::note(const Event& event) {
  if (!to_journal_) return spdlog::log(level_of(event.severity), "{}", event.line);
  std::vector<std::string> fields = {
      "MESSAGE=" + event.line, fmt::format("PRIORITY={}", priority_of(event.severity)),
      "SYSLOG_IDENTIFIER=" + program_, fmt::format("HOLDFAST_EVENT={}", event.kind)};
  if (event.repository) fields.push_back("HOLDFAST_REPOSITORY=" + event.repository->hex());
  if (event.agent) fields.push_back("HOLDFAST_AGENT=" + event.agent->hex());
  std::vector<iovec> parts;
  parts.reserve(fields.size());
  for (std::string& field : fields) parts.push_back({field.data(), field.size()});
  // A journal that takes nothing must not keep a node from working; there is nobody to tell.
  static_cast<void>(::sd_journal_sendv(parts.data(), static_cast<int>(parts.size())));
}

}  // namespace holdfast::repository
