// `holdfast snapshots`: what the nodes hold, oldest first.
#include <fmt/format.h>

#include <algorithm>

#include "cli/snapshot_access.h"
#include "common/base/text.h"

namespace holdfast::cli {
namespace {

using agent::Snapshot;

std::size_t complete_copies(const Snapshot& snapshot) {
  return static_cast<std::size_t>(std::ranges::count_if(
      snapshot.copies, [](const agent::SnapshotCopy& copy) { return copy.complete; }));
}

std::string joined(const std::vector<std::string>& all) {
  std::string text;
  for (const std::string& one : all) text += (text.empty() ? "" : ", ") + printable(one);
  return text;
}

struct Row {
  std::vector<std::string> cells;
};

Row row_of(const Snapshot& snapshot, std::size_t nodes) {
  Row row;
  row.cells = {snapshot.id().short_hex(), time_text(snapshot.claimed_time())};
  if (snapshot.detail) {
    row.cells.push_back(printable(snapshot.detail->host));
    row.cells.push_back(joined(snapshot.detail->tags));
    row.cells.push_back(fmt::format("{}/{}", complete_copies(snapshot), nodes));
    row.cells.push_back(human_bytes(snapshot.detail->bytes));
    row.cells.push_back(joined(snapshot.detail->paths));
  } else {
    row.cells.insert(row.cells.end(),
                     {"?", "", fmt::format("{}/{}", complete_copies(snapshot), nodes), "?", "?"});
  }
  return row;
}

void print_table(Output& output, const std::vector<Row>& rows) {
  std::vector<std::size_t> widths;
  for (const Row& row : rows) {
    widths.resize(std::max(widths.size(), row.cells.size()));
    for (std::size_t column = 0; column + 1 < row.cells.size(); ++column)
      widths[column] = std::max(widths[column], row.cells[column].size());
  }
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t column = 0; column < row.cells.size(); ++column)
      line += fmt::format("{:<{}}  ", row.cells[column], widths[column]);
    line.resize(line.find_last_not_of(' ') + 1);
    output.line(line);
  }
}

void print_object(Output& output, const Snapshot& snapshot, const agent::SnapshotList& list) {
  Json object{{"message_type", "snapshot"},
              {"id", snapshot.id().hex()},
              {"short_id", snapshot.id().short_hex()},
              {"time", iso_time(snapshot.claimed_time())},
              {"received", iso_time(snapshot.received())},
              {"agent", snapshot.manifest.manifest.agent.hex()},
              {"sequence", snapshot.manifest.manifest.sequence}};
  if (snapshot.detail) {
    const format::SnapshotDetail& detail = *snapshot.detail;
    put_bytes(object, "hostname", detail.host);
    put_bytes(object, "username", detail.user);
    put_all(object, "paths", detail.paths);
    put_all(object, "tags", detail.tags);
    object["files"] = detail.files;
    object["bytes"] = detail.bytes;
    object["bytes_stored"] = detail.bytes_stored;
    object["problems"] = detail.unreadable;
  }
  object["copies"] = complete_copies(snapshot);
  object["nodes"] = Json::array();
  for (const agent::SnapshotCopy& copy : snapshot.copies)
    object["nodes"].push_back({{"name", list.nodes[copy.node]},
                               {"complete", copy.complete},
                               {"received", iso_time(copy.received)}});
  object["node_count"] = list.nodes.size();
  output.object(object);
}

}  // namespace

Result<int> list_snapshots(Session& session, const FilterOptions& options) {
  HOLDFAST_ASSIGN(auto access,
                  RepositoryAccess::open(session.work, session.output, session.access));
  HOLDFAST_ASSIGN(const auto keys, access->reader_keys());
  HOLDFAST_ASSIGN(const agent::SnapshotList list, list_and_warn(session, *access, *keys));
  const agent::SnapshotFilter filter = filter_from(options);
  std::vector<Row> rows{{{"ID", "TIME", "HOST", "TAGS", "COPIES", "SIZE", "PATHS"}}};
  for (const Snapshot& snapshot : list.snapshots) {
    if (!filter.passes(snapshot)) continue;
    rows.push_back(row_of(snapshot, list.nodes.size()));
    print_object(session.output, snapshot, list);
  }
  print_table(session.output, rows);
  session.output.line(fmt::format("{} snapshot{}", rows.size() - 1, rows.size() == 2 ? "" : "s"));
  return kDone;
}

}  // namespace holdfast::cli
