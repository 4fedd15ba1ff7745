// Every key and every byte of noise is drawn from one generator in the order in which it is needed:
// another order is another repository.
#include "tests/golden/golden_repository.h"

#include "agent/catalog_codec.h"
#include "common/format/frame_sealer.h"
#include "repository/store/segment_format.h"
#include "repository/store/signed_records.h"
#include "tests/testing/seeded_random.h"
#include "tests/testing/test_charter.h"

namespace holdfast::testing {
namespace {

constexpr std::uint64_t kSeed = 1;
constexpr crypto::ScryptCost kCost{16, 8, 1};
constexpr std::size_t kFirstChunk = 300, kSecondChunk = 212;

agent::CatalogEntry entry(std::string path, std::uint32_t mode, std::uint64_t size) {
  agent::CatalogEntry entry;
  entry.entry.path = std::move(path);
  entry.entry.mode = mode;
  entry.entry.uid = 1000;
  entry.entry.gid = 100;
  entry.entry.user = "ann";
  entry.entry.group = "users";
  entry.entry.mtime = {1'763'870'400, 123'456'789};
  entry.entry.ctime = {-1, 999'999'999};
  entry.entry.size = size;
  entry.entry.inode = 4711;
  entry.entry.device = 2049;
  return entry;
}

std::vector<agent::CatalogEntry> some_entries(const std::vector<ObjectId>& chunks) {
  auto folder = entry("home/ann", 0040755, 0);
  auto text = entry("home/ann/caf\xC3\xA9", 0100644, kGoldenText.size());
  text.entry.xattrs = {{"user.comment", "kept"}};
  text.entry.links = 2;
  text.content.refs = {chunks[0]};
  auto noise = entry("home/ann/noise", 0100600, kFirstChunk + kSecondChunk);
  noise.entry.condition = agent::EntryCondition::kChangedWhileRead;
  noise.content.refs = {chunks[1], chunks[2]};
  noise.content.lengths = {kFirstChunk, kSecondChunk};
  auto link = entry("home/ann/x", 0120777, 5);
  link.entry.target = "noise";
  auto device = entry("home/ann/\xFF", 0060660, 0);  // a name that is not UTF-8
  device.entry.special_device = 259;
  return {folder, text, noise, link, device};
}

format::Charter some_charter(SeededRandom& random, const format::VaultSecrets& secrets) {
  format::Charter charter;
  charter.version = 2;
  charter.previous = Sha256{random_array<32>(random)};
  charter.created = {1'763'870'400'000'000'000};
  charter.encryption_key = crypto::public_key(secrets.encryption_key);
  charter.write_quorum = 2;
  charter.chunking.average = 1 << 17;
  charter.compression_level = 3;
  for (const char* const name : {"north", "south", "east"})
    charter.nodes.push_back(test_node(random, name));
  format::CharterAgent owner = test_agent(random, "owner");
  owner.verify_key = crypto::SigningKey(secrets.owner_seed.clone()).verify_key();
  owner.id = format::agent_id(owner.verify_key);
  owner.roles = format::kAppend | format::kRead | format::kAdmin;
  format::CharterAgent laptop = test_agent(random, "laptop");
  laptop.trust_group = 5;
  laptop.revoked = true;
  charter.agents = {owner, laptop};
  return charter;
}

void append_record(Bytes& segment, repository::RecordType type, ByteView payload) {
  append(segment, repository::encode_record_header(type, payload));
  append(segment, payload);
  segment.resize((segment.size() + repository::kRecordAlignment - 1) /
                 repository::kRecordAlignment * repository::kRecordAlignment);
}

Bytes frame_of(format::FrameSealer& sealer, format::FrameContent& content) {
  const SharedBytes frame = sealer.seal(content);
  return {frame.view().begin(), frame.view().end()};
}

}  // namespace

format::SnapshotDetail golden_detail() {
  format::SnapshotDetail detail;
  detail.host = "laptop";
  detail.user = "ann";
  detail.program = "holdfast 0.1.0";
  detail.paths = {"/home/ann"};
  detail.tags = {"daily"};
  detail.ended = {1'763'870'401'000'000'000};
  detail.files = 2;
  detail.directories = 1;
  detail.others = 2;
  detail.bytes = kGoldenText.size() + kFirstChunk + kSecondChunk;
  detail.files_new = 1;
  detail.files_changed = 1;
  detail.files_unmodified = 0;
  detail.bytes_added = 900;
  detail.bytes_stored = 1800;
  detail.unreadable = 0;
  return detail;
}

GoldenRepository::GoldenRepository() {
  SeededRandom random(kSeed);
  const auto secrets = format::VaultSecrets::generate(random, crypto::SecretKey::generate(random));
  vault = *format::seal_vault(secrets, kGoldenPassphrase, random, kCost);
  charter = format::sign_charter(some_charter(random, secrets), vault, secrets.admin_seed);
  const RepositoryId id = charter.charter.repository();

  format::ObjectIdentifier identifier(format::group_id_key(secrets.id_key, 0));
  const crypto::SigningKey agent(secrets.owner_seed.clone());
  const format::RunKeys run = format::begin_run(random, id, charter.charter.encryption_key);
  format::FrameCounter counter;
  format::FrameSealer sealer(run, id, agent, counter, 3);

  noise.resize(kFirstChunk + kSecondChunk);
  random.fill(noise);
  format::FrameContent data(format::FrameRole::kData);
  for (const ByteView chunk : {as_bytes(kGoldenText), ByteView(noise).first(kFirstChunk),
                               ByteView(noise).subspan(kFirstChunk)}) {
    chunks.push_back(identifier.identify(format::ObjectKind::kData, {}, chunk));
    data.add(chunks.back(), {}, chunk);
  }
  data_frame = frame_of(sealer, data);

  entries = some_entries(chunks);
  agent::LeafEncoder encoder;
  for (const auto& one : entries) encoder.add(one);
  auto [refs, payload] = encoder.take();
  leaf = payload;
  const ObjectId root = identifier.identify(format::ObjectKind::kList, refs, leaf);
  format::FrameContent metadata(format::FrameRole::kMetadata);
  metadata.add(root, refs, leaf);
  metadata_frame = frame_of(sealer, metadata);

  format::Manifest unsigned_manifest;
  unsigned_manifest.repository = id;
  unsigned_manifest.agent = format::agent_id(agent.verify_key());
  unsigned_manifest.sequence = 2;
  unsigned_manifest.previous = ManifestId{random_array<32>(random)};
  unsigned_manifest.charter_version = 2;
  unsigned_manifest.root = root;
  unsigned_manifest.claimed_time = {1'763'870'399'000'000'000};
  manifest = format::sign_manifest(unsigned_manifest, golden_detail(), run, agent);

  credential = format::encode_credential(test_credential(random));
  invite = format::encode_invite(test_invite(random));
  index = agent::encode_index({2, {{root, "home/ann", 5, 546}, {chunks[0], "home/b", 1, 0}}});
  chunk_list = agent::encode_chunk_list(std::vector<std::uint32_t>{300, 212, 65'536});

  const auto header = repository::encode_segment_header(7, charter.charter.nodes[0].id);
  segment.assign(header.begin(), header.end());
  append_record(segment, repository::RecordType::kCharter, charter.record);
  append_record(segment, repository::RecordType::kManifest,
                repository::encode_manifest_record({1'763'870'402'000'000'000}, manifest.bytes));
}

}  // namespace holdfast::testing
