// What people type: by the first byte
//   0 a time, 1 a part of the data, 2 SNAPSHOT:PATH, 3 patterns, one a line, and on the last line a
//   path, 4 an endpoint, 5 text in other alphabets, 6 a profile's name and a word
#include <algorithm>

#include "agent/path_filter.h"
#include "agent/snapshot_selection.h"
#include "agent/verify_options.h"
#include "cli/profile.h"
#include "cli/snapshot_access.h"
#include "common/base/text.h"
#include "common/posix/tcp_endpoint.h"
#include "tests/fuzz/allocation_budget.h"
#include "tests/fuzz/promises.h"
#include "tests/fuzz/targets.h"

namespace holdfast::fuzz {
namespace {

void read_time(const std::string& text) {
  const auto time = cli::parse_time(text);
  if (!succeeded(time, {Code::kInvalidArgument})) return;
  static_cast<void>(cli::time_text(*time));
  const std::string iso = cli::iso_time(*time);
  check(iso.size() == 30 && iso.ends_with(".999999999Z"), "a time that is no ISO 8601");
  const auto again = cli::parse_time(iso.substr(0, 19) + "Z");
  check(again.has_value() && *again == *time, "a time that does not come back");
}

void read_data_subset(const std::string& text) {
  const auto subset = agent::parse_data_subset(text);
  if (!succeeded(subset, {Code::kInvalidArgument})) return;
  check(subset->fraction > 0 && subset->fraction <= 1, "a part that is more than all, or none");
  check(!subset->bytes || *subset->bytes > 0, "a part of no bytes");
}

agent::SnapshotList two_snapshots() {
  agent::SnapshotList list;
  for (const Byte first : {Byte{0xAB}, Byte{0xAC}}) {
    agent::Snapshot snapshot;
    snapshot.manifest.id.bytes[0] = first;
    list.snapshots.push_back(snapshot);
  }
  return list;
}

void read_selector(const std::string& text) {
  static const agent::SnapshotList list = two_snapshots();
  const cli::SnapshotPath split = cli::split_snapshot_path(text);
  check(split.below.empty() || (split.below.front() != '/' && split.below.back() != '/'),
        "a path with slashes around it");
  const auto selected = agent::select_snapshot(list, split.snapshot);
  if (!succeeded(selected, {Code::kInvalidArgument, Code::kNotFound})) return;
  check(split.snapshot.starts_with("latest") || split.snapshot.size() <= 64,
        "a snapshot by another name");
}

void read_patterns(const std::string& text) {
  std::vector<std::string> lines(1);
  for (const char c : text)
    if (c == '\n')
      lines.emplace_back();
    else
      lines.back() += c;
  const std::string path = lines.back();
  lines.pop_back();
  const auto filter = agent::PathFilter::parse(lines);
  if (!succeeded(filter, {Code::kInvalidArgument})) return;
  // Who does not enter a folder must not miss what matches below it.
  const std::string below = path + "/inner";
  if (filter->matches(below) && !path.empty())
    check(filter->may_match_below(path) || lines.empty(), "a match below what is not entered");
}

void read_endpoint(const std::string& text) {
  const Status dial = check_endpoint_to_dial(text), listen = check_endpoint_to_listen(text);
  succeeded(dial, {Code::kInvalidArgument});
  succeeded(listen, {Code::kInvalidArgument});
  check(!dial || listen, "an endpoint for dialling alone");
  static_cast<void>(listens_with_ipv6(text));
}

void read_text(const std::string& text) {
  const std::string safe = printable(text);
  check(printable(safe) == safe && is_utf8(safe), "printable text that is not");
  if (const auto bytes = base64url_decode(text))
    check(base64url_encode(*bytes) == text, "base64url that does not come back");
  if (const auto bytes = hex_decode(text)) {
    std::string lower = text;
    for (char& c : lower)
      if (c >= 'A' && c <= 'F') c = static_cast<char>(c + 32);
    check(hex_encode(*bytes) == lower, "hex that does not come back");
  }
  check(*base64url_decode(base64url_encode(as_bytes(text))) == to_bytes(text),
        "bytes that do not come back");
}

void read_word(const std::string& text) {
  static const std::vector<std::string> words{"repository", "paths", "exclude", "tags"};
  const std::string near = cli::nearest_word(text, words);
  check(near.empty() || std::ranges::find(words, near) != words.end(), "a word of its own");
  check(!cli::profile_path(text).empty(), "a profile without a path");
}

}  // namespace

void command_line(ByteView input) {
  const Input parts(input);
  const std::string text = to_string(parts.rest);
  const AllocationBudget budget(text.size());
  switch (parts.mode) {
    case 1:
      return read_data_subset(text);
    case 2:
      return read_selector(text);
    case 3:
      return read_patterns(text);
    case 4:
      return read_endpoint(text);
    case 5:
      return read_text(text);
    case 6:
      return read_word(text);
    default:
      return read_time(text);
  }
}

}  // namespace holdfast::fuzz
