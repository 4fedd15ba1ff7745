// A whole small repository from fixed seeds: its charter and vault, a snapshot of one folder with
// two files, and what leads to it. The golden bytes are taken from it; from them and the passphrase
// alone a reader gets to the files' content.
#pragma once

#include <string_view>
#include <vector>

#include "agent/catalog_node.h"
#include "common/format/charter.h"
#include "common/format/credential.h"
#include "common/format/manifest.h"
#include "common/format/run_key.h"

namespace holdfast::testing {

inline constexpr std::string_view kGoldenPassphrase = "correct horse battery staple";
inline constexpr std::string_view kGoldenText = "Holdfast keeps what it was given.\n";

struct GoldenRepository {
  GoldenRepository();

  Bytes vault;
  format::SignedCharter charter;
  std::vector<agent::CatalogEntry> entries;  // of the snapshot
  Bytes noise;                               // the content of the second file, in two chunks
  std::vector<ObjectId> chunks;
  Bytes leaf;  // payload of the catalog's only leaf
  Bytes data_frame, metadata_frame;
  format::SignedManifest manifest;
  std::string credential, invite;
  // Beside the snapshot, which is too small to have them.
  Bytes index, chunk_list;
  Bytes segment;  // of a node that holds the charter and the manifest
};

format::SnapshotDetail golden_detail();

}  // namespace holdfast::testing
