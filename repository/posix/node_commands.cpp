#include "repository/posix/node_commands.h"

#include <fmt/format.h>
#include <signal.h>
#include <systemd/sd-daemon.h>

#include <cstdio>
#include <cstdlib>

#include "common/posix/descriptor_limit.h"
#include "common/posix/posix_file_system.h"
#include "repository/posix/folder_invitations.h"
#include "repository/posix/journal_log.h"
#include "repository/posix/node_host.h"
#include "repository/posix/node_pages.h"

namespace holdfast::repository {
namespace {

int report(const Status& outcome) {
  if (outcome) return kExitDone;
  fmt::print(stderr, "holdfast-node: {}\n", outcome.error().message());
  return kExitFailed;
}

Status print_line(const std::string& line) {
  if (std::fputs(line.c_str(), stdout) < 0 || std::fputc('\n', stdout) < 0 ||
      std::fflush(stdout) != 0)
    return error_from_errno(errno, "write to standard output");
  return {};
}

// The signals that end the process, taken one at a time by who waits for them. Blocked before any
// thread is made, so that all inherit it.
class EndSignals {
 public:
  EndSignals() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGTERM);
    sigaddset(&signals_, SIGINT);
    check(pthread_sigmask(SIG_BLOCK, &signals_, nullptr) == 0, "signals cannot be blocked");
    signal(SIGPIPE, SIG_IGN);
  }
  int wait() const {
    int taken = 0;
    while (sigwait(&signals_, &taken) != 0) continue;
    return taken;
  }

 private:
  sigset_t signals_;
};

// The folder with the key that systemd gives to the service (LoadCredential=node.key:FILE), or with
// its own.
Result<DataFolder> open_folder(FileSystem& files, const std::string& data) {
  const char* const credentials = std::getenv("CREDENTIALS_DIRECTORY");
  if (credentials == nullptr) return DataFolder::open(files, data);
  const std::string key = std::string(credentials) + "/node.key";
  HOLDFAST_ASSIGN(const bool given, files.exists(key));
  return DataFolder::open(files, data, given ? key : "");
}

// What systemd is told; it is not there if NOTIFY_SOCKET is not set.
HostOptions under_systemd(const std::string& program) {
  HostOptions options;
  options.program = program;
  options.status = [](const std::string& line) { sd_notifyf(0, "STATUS=%s", line.c_str()); };
  std::uint64_t watchdog_us = 0;
  if (sd_watchdog_enabled(0, &watchdog_us) <= 0) return options;
  options.alive = [] { sd_notify(0, "WATCHDOG=1"); };
  options.probe = probe_for_watchdog(std::chrono::microseconds(watchdog_us));
  return options;
}

// Null where nobody asked for it, or where it cannot be had: a port that is taken must not keep a
// node from taking backups.
std::unique_ptr<LocalHttpServer> watchable(const std::string& address, NodePages& pages,
                                           EventLog& log) {
  if (address.empty()) return nullptr;
  const auto page = [&pages](const std::string& path) { return pages.page(path); };
  const auto parsed = parse_local_address(address);
  auto server = parsed ? LocalHttpServer::start(*parsed, page)
                       : Result<std::unique_ptr<LocalHttpServer>>(parsed.error());
  if (!server) {
    log.note({Severity::kError, "metrics_unavailable",
              fmt::format("metrics are not served: {}", server.error().message())});
    return nullptr;
  }
  log.note({Severity::kInfo, "metrics_served", fmt::format("metrics at {}", (*server)->url())});
  return *std::move(server);
}

Status serve(const std::string& data, const std::string& program) {
  const EndSignals signals;
  raise_descriptor_limit();
  JournalLog log("holdfast-node");
  PosixFileSystem files;
  const SystemClock clock;
  HOLDFAST_ASSIGN(DataFolder folder, open_folder(files, data));
  const NodeConfiguration configuration = folder.configuration();

  HOLDFAST_ASSIGN(auto host, NodeHost::serve(std::move(folder), log, under_systemd(program)));
  NodePages pages(clock, [&host](Duration patience) { return host->figures(patience); });
  auto metrics = watchable(configuration.metrics, pages, log);
  sd_notify(0, "READY=1");
  HOLDFAST_TRY(print_line(
      fmt::format("holdfast-node {} ready on {}", configuration.name, host->endpoint())));
  log.note({Severity::kInfo, "serving",
            fmt::format("{} serves {} on {}", configuration.name, data, host->endpoint())});

  const int taken = signals.wait();
  sd_notify(0, "STOPPING=1");
  log.note({Severity::kInfo, "ending",
            fmt::format("ends on {}", taken == SIGTERM ? "SIGTERM" : "SIGINT")});
  metrics.reset();
  HOLDFAST_TRY_OR(host->stop(), "while ending");
  log.note({Severity::kInfo, "ended", "ended"});
  return {};
}

Status invite(const std::string& data) {
  PosixFileSystem files;
  const SystemClock clock;
  HOLDFAST_ASSIGN(const DataFolder folder, open_folder(files, data));
  HOLDFAST_ASSIGN(std::string endpoint, folder.public_endpoint());
  const format::CharterNode node{
      folder.id(), folder.configuration().name, {std::move(endpoint), folder.keys().public_key}};
  FolderInvitations invitations(files, clock, folder.invites_path());
  HOLDFAST_ASSIGN(const format::Invite issued, invitations.issue(node));
  return print_line(format::encode_invite(issued));
}

Status reindex(const std::string& data) {
  raise_descriptor_limit();
  PosixFileSystem files;
  HOLDFAST_ASSIGN(DataFolder folder, open_folder(files, data));
  HOLDFAST_ASSIGN(const auto lock, folder.lock());
  FolderShelf shelf = folder.shelf();
  HOLDFAST_ASSIGN(const auto ids, shelf.list());
  for (const RepositoryId& id : ids) {
    HOLDFAST_ASSIGN_OR(const OpenedStore opened, shelf.open(id), id.hex());
    HOLDFAST_TRY_OR(opened.store->reindex(), id.hex());
    const std::uint64_t objects = opened.store->statistics().objects;
    HOLDFAST_TRY(print_line(fmt::format("{} {} objects", id.hex(), objects)));
  }
  return {};
}

}  // namespace

int init_node(const std::string& data, const NodeConfiguration& configuration) {
  PosixFileSystem files;
  return report(DataFolder::create(files, data, configuration));
}
int serve_node(const std::string& data, const std::string& program) {
  return report(serve(data, program));
}
int invite_to_node(const std::string& data) { return report(invite(data)); }
int reindex_node(const std::string& data) { return report(reindex(data)); }

}  // namespace holdfast::repository
