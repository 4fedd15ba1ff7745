// `holdfast ls`: the entries of a snapshot, or of a part of it, in catalog order.
#include <fmt/format.h>
#include <sys/sysmacros.h>

#include <algorithm>

#include "cli/snapshot_access.h"
#include "common/base/text.h"

namespace holdfast::cli {
namespace {

using agent::Entry;

bool lies_at_or_below(const Entry& entry, const std::string& below) {
  if (below.empty()) return true;
  return entry.path.starts_with(below) &&
         (entry.path.size() == below.size() || entry.path[below.size()] == '/');
}

std::string_view type_name(const Entry& entry) {
  switch (entry.mode & 0170000) {
    case 0100000:
      return "file";
    case 0040000:
      return "dir";
    case 0120000:
      return "symlink";
    case 0010000:
      return "fifo";
    case 0140000:
      return "socket";
    case 0020000:
      return "chardev";
    case 0060000:
      return "dev";
    default:
      return "irregular";
  }
}

// As ls -l writes it.
std::string mode_text(std::uint32_t mode) {
  constexpr std::string_view kTypes = "?pc?d?b?-?l?s???";
  std::string text(1, kTypes[mode >> 12 & 15]);
  for (int shift = 6; shift >= 0; shift -= 3) {
    const std::uint32_t bits = mode >> shift;
    text += (bits & 4) != 0 ? 'r' : '-';
    text += (bits & 2) != 0 ? 'w' : '-';
    text += (bits & 1) != 0 ? 'x' : '-';
  }
  const auto mark = [&](std::size_t at, std::uint32_t bit, char with_x, char without) {
    if ((mode & bit) != 0) text[at] = text[at] == 'x' ? with_x : without;
  };
  mark(3, 04000, 's', 'S');
  mark(6, 02000, 's', 'S');
  mark(9, 01000, 't', 'T');
  return text;
}

// Beyond the years that nanoseconds can count (1677 to 2262), the nearest that they can.
UnixTime unix_time(const agent::Timestamp& time) {
  constexpr std::int64_t kSecond = 1'000'000'000, kMost = INT64_MAX / kSecond - 1;
  return {std::clamp(time.seconds, -kMost, kMost) * kSecond + time.nanoseconds};
}

void print(Output& output, const Entry& entry, bool long_form) {
  const std::string path = "/" + printable(entry.path);
  if (!long_form) return output.line(path);
  const auto owner = [](const std::string& name, std::uint32_t id) {
    return name.empty() ? std::to_string(id) : printable(name);
  };
  output.line(fmt::format("{} {:<8} {:<8} {:>12} {} {}{}", mode_text(entry.mode),
                          owner(entry.user, entry.uid), owner(entry.group, entry.gid), entry.size,
                          time_text(unix_time(entry.mtime)), path,
                          entry.is_symlink() ? " -> " + printable(entry.target) : ""));
}

void print_object(Output& output, const Entry& entry) {
  Json object{{"message_type", "node"}, {"type", type_name(entry)}};
  put_bytes(object, "path", "/" + entry.path);
  object["mode"] = entry.mode & 07777;
  object["permissions"] = mode_text(entry.mode);
  object["uid"] = entry.uid;
  object["gid"] = entry.gid;
  put_bytes(object, "user", entry.user);
  put_bytes(object, "group", entry.group);
  object["size"] = entry.size;
  object["mtime"] = iso_time(unix_time(entry.mtime));
  if (entry.is_symlink()) put_bytes(object, "linktarget", entry.target);
  if (entry.condition != agent::EntryCondition::kWhole)
    object["condition"] =
        entry.condition == agent::EntryCondition::kUnreadable ? "unreadable" : "changed_while_read";
  output.object(object);
}

}  // namespace

Result<int> list_entries(Session& session, const ListOptions& options) {
  Workplace& work = session.work;
  const SnapshotPath wanted = split_snapshot_path(options.snapshot);
  HOLDFAST_ASSIGN(auto access, RepositoryAccess::open(work, session.output, session.access));
  HOLDFAST_ASSIGN(const auto keys, access->reader_keys());
  HOLDFAST_ASSIGN(const agent::SnapshotList list, list_and_warn(session, *access, *keys));
  HOLDFAST_ASSIGN(const agent::Snapshot* snapshot,
                  select_snapshot(list, wanted.snapshot, filter_from(options.filter)));
  agent::ObjectFetcher fetcher(access->links(), keys, work.loop, work.clock, work.pool);
  HOLDFAST_ASSIGN(const auto catalog,
                  LocalCatalog::fetch(session, *access, fetcher, *snapshot, wanted.below));
  HOLDFAST_ASSIGN(auto file, agent::CatalogFileReader::open(work.files, catalog->path()));
  agent::CatalogEntryReader entries(file);
  std::uint64_t count = 0;
  while (session.output.is_open()) {
    HOLDFAST_ASSIGN(const agent::CatalogEntry* entry, entries.next());
    if (entry == nullptr) break;
    if (!lies_at_or_below(entry->entry, wanted.below)) continue;
    ++count;
    print(session.output, entry->entry, options.long_form);
    if (session.output.json) print_object(session.output, entry->entry);
  }
  if (!catalog->fetched().lost.empty()) return kFailed;
  if (count == 0 && !wanted.below.empty())
    return Error(Code::kNotFound, fmt::format("/{} is not in snapshot {}", printable(wanted.below),
                                              snapshot->id().short_hex()));
  return kDone;
}

}  // namespace holdfast::cli
