// `holdfast repair`: each node gets what the others have, one node after the other.
#include <fmt/format.h>

#include <algorithm>

#include "agent/node_repair.h"
#include "cli/repair_output.h"
#include "cli/snapshot_access.h"
#include "common/base/text.h"

namespace holdfast::cli {
namespace {

using agent::NodeLink;
using agent::RepairReport;

RepairReport repair_node(Session& session, RepositoryAccess& access,
                         const agent::WriterKeys& writer,
                         const std::shared_ptr<const agent::ReaderKeys>& reader, NodeLink& node,
                         std::vector<format::SignedManifest> missed) {
  Workplace& work = session.work;
  auto others = access.links();
  std::erase(others, &node);
  agent::RepairPolicy policy;
  policy.fetch = access.fetch_policy();
  policy.upload_bytes_per_s = session.access.upload_kib_s * 1024;
  agent::NodeRepair run({work.loop, work.clock, work.pool, work.random}, writer, reader, node,
                        std::move(others), policy);
  const std::size_t snapshots = missed.size();
  const std::string name = printable(node.name());
  const ProgressDisplay display(work, session.output,
                                [&] { return picture_of(name, run.so_far(), snapshots); });
  using Outcome = std::shared_ptr<RepairReport>;
  const Outcome outcome = work.await<Outcome>([&](const std::function<void(Outcome)>& done) {
    run.start(std::move(missed), [done](RepairReport report) {
      done(std::make_shared<RepairReport>(std::move(report)));
    });
  });
  work.drain();
  return std::move(*outcome);
}

}  // namespace

Result<int> repair(Session& session, const RepairCommandOptions& options) {
  HOLDFAST_ASSIGN(auto access,
                  RepositoryAccess::open(session.work, session.output, session.access));
  HOLDFAST_ASSIGN(const auto reader, access->reader_keys());
  std::optional<agent::WriterKeys> writer;
  if (!options.dry_run) {
    HOLDFAST_ASSIGN(writer, access->writer_keys());
  }
  access->settle();
  HOLDFAST_ASSIGN(const agent::SnapshotList list, list_and_warn(session, *access, *reader));
  Output& output = session.output;
  const auto links = access->links();
  bool ended = !list.unreachable.empty(), failed = false;
  std::size_t lacking = 0, completed = 0;
  for (std::size_t i = 0; i < links.size(); ++i) {
    auto missed = agent::missed_by(list, i);
    if (missed.empty()) continue;
    ++lacking;
    if (options.dry_run) {
      output.line(fmt::format("node {} lacks {} of {} snapshots", printable(links[i]->name()),
                              missed.size(), list.snapshots.size()));
      output.object(
          Json{{"message_type", "node"}, {"name", links[i]->name()}, {"missing", missed.size()}});
      continue;
    }
    const RepairReport report =
        repair_node(session, *access, *writer, reader, *links[i], std::move(missed));
    print_report(output, printable(links[i]->name()), report);
    ended = ended || report.ended.has_value();
    failed = failed || !report.failed.empty();
    completed += report.completed.size();
  }
  HOLDFAST_TRY(access->close());
  // What a node that does not answer may have is not lost.
  const int code = ended ? kFailed : failed ? kDamaged : kDone;
  if (lacking == 0)
    output.line(
        fmt::format("every node that answers has all of the {} snapshots", list.snapshots.size()));
  output.object(Json{{"message_type", "summary"},
                     {"snapshots", list.snapshots.size()},
                     {"nodes_lacking", lacking},
                     {"completed", completed},
                     {"unreachable", list.unreachable.size()}});
  return code;
}

}  // namespace holdfast::cli
