// Small files that people and programs write on one machine: what an agent saw of heads, a node's
// configuration and key, invitations, profiles.
#include "agent/seen_heads.h"
#include "cli/profile.h"
#include "repository/posix/data_folder.h"
#include "repository/posix/folder_invitations.h"
#include "tests/fuzz/allocation_budget.h"
#include "tests/fuzz/one_file.h"
#include "tests/fuzz/promises.h"
#include "tests/fuzz/targets.h"

namespace holdfast::fuzz {
namespace {

class FixedClock final : public Clock {
 public:
  Instant now() const override { return {1}; }
  UnixTime wall() const override { return {1'700'000'000'000'000'000}; }
};

}  // namespace

void seen_heads(ByteView input) {
  OneFile file(Input(input).rest);
  const auto heads = [&] {
    const AllocationBudget budget(file.content().size());
    return agent::SeenHeads::load(file, "/heads");
  }();
  if (!succeeded(heads, {Code::kCorrupt})) return;
  OneFile copy({});
  check(heads->save(copy, "/heads").has_value(), "heads that are not saved");
  const auto again = agent::SeenHeads::load(copy, "/heads");
  check(again.has_value() && again->heads() == heads->heads(), "heads that do not come back");
}

// Without a key beside it, what is good fails for that alone.
void node_configuration(ByteView input) {
  OneFile file(Input(input).rest);
  file.lacks("node.key");
  // toml++ keeps for each value where it stood, and its own copy of the text.
  const AllocationBudget budget(file.content().size(), 256 << 10, 2048);
  const auto folder = repository::DataFolder::open(file, "/node");
  succeeded(folder, {Code::kInvalidArgument, Code::kNotFound});
}

void invitation(ByteView input) {
  OneFile file(Input(input).rest);
  const FixedClock clock;
  const CurveKey key{1};
  const AllocationBudget budget(file.content().size());
  repository::FolderInvitations invitations(file, clock, "/invites");
  const auto read = invitations.find(key);
  if (!read || !*read) return;
  const std::optional<RepositoryId> used_for = (*read)->used_for;
  const RepositoryId other{{9}};
  const Status bound = invitations.bind(key, other);
  check(bound.has_value() == (!used_for || *used_for == other),
        "an invitation that is good for two repositories");
  const auto again = invitations.find(key);
  check(again && *again && (*again)->used_for == (bound ? other : *used_for),
        "an invitation that does not come back");
}

void profile(ByteView input) {
  const ByteView text = Input(input).rest;
  const AllocationBudget budget(text.size(), 256 << 10, 2048);
  const auto parsed = cli::parse_profile(as_text(text), "/etc/holdfast/x.toml");
  if (!succeeded(parsed, {Code::kInvalidArgument})) return;
  const cli::SourceOptions& source = parsed->backup.source;
  check(!source.paths.empty() || !source.files_from.empty() || !source.files_from0.empty() ||
            source.is_stream(),
        "a profile of nothing");
  for (const std::string& path : source.paths)
    check(path.starts_with('/'), "a path that depends on where one stands");
}

}  // namespace holdfast::fuzz
