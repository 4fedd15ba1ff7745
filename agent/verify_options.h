// What a verification is asked for and what it says in the end.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/snapshot_list.h"
#include "common/base/digest.h"
#include "common/base/result.h"

namespace holdfast::agent {

// How much of its frames each node reads.
struct DataSubset {
  double fraction = 1.0;
  std::optional<std::uint64_t> bytes = {};  // instead: so many of what the node stores
  std::optional<std::uint64_t> seed = {};   // which part; drawn anew if absent
};

// "3/7" (the third of seven parts), "2.5%", "500M" (bytes, with K, M, G or T for powers of 1,024).
// kInvalidArgument.
Result<DataSubset> parse_data_subset(std::string_view text);

struct VerifyOptions {
  // Absent: what each node has by its index. Else it reads, compares with checksums and verifies
  // signatures.
  std::optional<DataSubset> read_data = {};
  // Frames that are drawn at random, fetched from each node alone and opened here, so that a node
  // that lies about its own verification is found out. 0: none.
  std::size_t spot_checks = 8;
};

struct VerifyFinding {
  std::optional<ObjectId> object;
  std::string problem;
  // What it touches, where anything does: a file, or with `is_subtree` all from this path on that
  // one list object holds.
  std::optional<ManifestId> snapshot;
  std::string path;
  bool is_subtree = false;
};

struct NodeVerdict {
  std::string name;
  std::optional<Error> failure;  // it cannot be reached, or stopped answering half way
  std::uint64_t frames = 0, bytes = 0, total_bytes = 0;  // by its own account
  bool done = false;
  std::vector<std::string> problems;    // its own words
  std::vector<ManifestId> incomplete;   // that it lists and cannot restore
  std::vector<VerifyFinding> findings;  // at most kMostFindings
  std::uint64_t finding_count = 0;
  std::size_t spot_checks = 0;  // that passed
  bool is_clean() const {
    return done && !failure && problems.empty() && incomplete.empty() && finding_count == 0;
  }
};
constexpr std::size_t kMostFindings = 10'000;

struct VerifyResult {
  std::vector<NodeVerdict> nodes;
  // What no node can give, or what is wrong wherever it comes from.
  std::vector<VerifyFinding> findings;
  std::uint64_t finding_count = 0;
  std::uint64_t snapshots = 0;  // whose catalogs were read here
  std::uint64_t lists = 0;      // list objects read here, each once unless something is wrong below
  bool is_clean() const;
};

}  // namespace holdfast::agent
