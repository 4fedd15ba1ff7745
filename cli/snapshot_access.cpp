#include "cli/snapshot_access.h"

#include <fmt/format.h>

#include <ctime>

#include "agent/seen_heads.h"
#include "common/base/text.h"

namespace holdfast::cli {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
// From 1970 in either direction to where nanoseconds end, in 1677 and 2262.
constexpr std::int64_t kMostSeconds = INT64_MAX / kSecond;

std::vector<std::string> split(const std::string& text, char by) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  for (;;) {
    const std::size_t end = std::min(text.find(by, begin), text.size());
    if (end > begin) parts.push_back(text.substr(begin, end - begin));
    if (end == text.size()) return parts;
    begin = end + 1;
  }
}

// Rounded down before 1970, too: an agent may claim any time.
std::int64_t nanoseconds_within(UnixTime time) {
  const std::int64_t rest = time.nanoseconds % kSecond;
  return rest < 0 ? rest + kSecond : rest;
}

std::tm broken_down(UnixTime time, bool utc) {
  const std::time_t seconds = time.nanoseconds / kSecond - (time.nanoseconds % kSecond < 0 ? 1 : 0);
  std::tm parts{};
  if (utc)
    ::gmtime_r(&seconds, &parts);
  else
    ::localtime_r(&seconds, &parts);
  return parts;
}

std::string text_of(const std::tm& parts, const char* form) {
  char text[64];
  const std::size_t length = std::strftime(text, sizeof text, form, &parts);
  return {text, length};
}

}  // namespace

agent::SnapshotFilter filter_from(const FilterOptions& options) {
  agent::SnapshotFilter filter;
  filter.hosts = options.hosts;
  for (const std::string& group : options.tags) filter.tags.push_back(split(group, ','));
  filter.paths = options.paths;
  return filter;
}

Result<agent::SnapshotList> list_and_warn(Session& session, RepositoryAccess& access,
                                          const agent::ReaderKeys& keys) {
  using List = std::shared_ptr<agent::SnapshotList>;
  HOLDFAST_ASSIGN(const format::SignedCharter* charter, access.charter());
  agent::SnapshotListing listing(access.links(), charter->charter, &keys.private_key,
                                 session.work.loop, session.work.pool);
  const List list = session.work.await<List>([&](const std::function<void(List)>& done) {
    listing.start([done](agent::SnapshotList found) {
      done(std::make_shared<agent::SnapshotList>(std::move(found)));
    });
  });
  if (list->unreachable.size() == list->nodes.size())
    return Error(Code::kUnavailable,
                 fmt::format("no node lists its snapshots: {}",
                             list->unreachable.empty() ? std::string("there is none")
                                                       : list->unreachable[0].reason.message()));
  for (const auto& node : list->unreachable)
    session.output.warning(fmt::format("node {} does not answer: {}",
                                       printable(list->nodes[node.node]), node.reason.message()));
  for (const agent::SnapshotWarning& warning : list->warnings)
    session.output.warning(warning.message);
  for (const std::string& warning :
       agent::compare_with_seen(session.work.files, access.local().heads_path(), *list))
    session.output.warning(warning);
  return std::move(*list);
}

SnapshotPath split_snapshot_path(const std::string& text) {
  SnapshotPath split;
  const std::size_t colon = std::min(text.find(':'), text.size());
  split.snapshot = text.substr(0, colon);
  if (colon == text.size()) return split;
  // As in an Entry: without slashes around it, doubled ones and "." components.
  std::size_t at = colon + 1;
  while (at <= text.size()) {
    const std::size_t end = std::min(text.find('/', at), text.size());
    const std::string part = text.substr(at, end - at);
    if (!part.empty() && part != ".") split.below += (split.below.empty() ? "" : "/") + part;
    at = end + 1;
  }
  return split;
}

Result<UnixTime> parse_time(const std::string& text) {
  const bool utc = text.ends_with('Z');
  const std::string body = utc ? text.substr(0, text.size() - 1) : text;
  for (const char* const form :
       {"%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d"}) {
    std::tm parts{};
    const char* const end = ::strptime(body.c_str(), form, &parts);
    if (end == nullptr || *end != '\0') continue;
    const bool date_alone = body.size() == 10;
    if (date_alone) {
      parts.tm_hour = 23;
      parts.tm_min = 59;
    }
    // What is not said is included: the whole minute, the whole second.
    if (body.size() <= 16) parts.tm_sec = 59;
    parts.tm_isdst = -1;
    const std::time_t seconds = utc ? ::timegm(&parts) : ::mktime(&parts);
    if (seconds <= -kMostSeconds || seconds >= kMostSeconds)
      return Error(Code::kInvalidArgument,
                   fmt::format("\"{}\" lies beyond the years 1678 to 2261", printable(text)));
    return UnixTime{std::int64_t{seconds} * kSecond + (kSecond - 1)};
  }
  return Error(Code::kInvalidArgument,
               fmt::format("\"{}\" is no time; write it as \"2026-11-20 14:00\" (local time) or "
                           "\"2026-11-20T14:00Z\"",
                           printable(text)));
}

std::string time_text(UnixTime time) {
  return text_of(broken_down(time, false), "%Y-%m-%d %H:%M:%S");
}

std::string iso_time(UnixTime time) {
  return fmt::format("{}.{:09}Z", text_of(broken_down(time, true), "%Y-%m-%dT%H:%M:%S"),
                     nanoseconds_within(time));
}

Result<std::unique_ptr<LocalCatalog>> LocalCatalog::fetch(Session& session,
                                                          RepositoryAccess& access,
                                                          agent::ObjectFetcher& fetcher,
                                                          const agent::Snapshot& snapshot,
                                                          const std::string& below) {
  using Fetched = std::shared_ptr<Result<agent::FetchedCatalog>>;
  std::unique_ptr<LocalCatalog> catalog(
      new LocalCatalog(session.work.files, access.local().scratch_path("catalog")));
  agent::CatalogFetch fetch(fetcher, session.work.files, session.work.loop, session.work.pool);
  const Fetched fetched = session.work.await<Fetched>([&](const auto& done) {
    fetch.start(snapshot.manifest.manifest.root, snapshot.manifest.bytes, catalog->path_,
                {.below = below, .whole = false}, [done](Result<agent::FetchedCatalog> result) {
                  done(std::make_shared<Result<agent::FetchedCatalog>>(std::move(result)));
                });
  });
  session.work.drain();
  if (!*fetched)
    return std::move(*fetched).error().with_context(
        fmt::format("catalog of snapshot {}", snapshot.id().short_hex()));
  catalog->fetched_ = std::move(**fetched);
  for (const auto& lost : catalog->fetched_.lost)
    session.output.warning(fmt::format("part of the catalog cannot be read, from /{} on: {}",
                                       printable(lost.first_path), lost.error.message()));
  return catalog;
}

LocalCatalog::~LocalCatalog() { static_cast<void>(files_.remove(path_)); }

}  // namespace holdfast::cli
