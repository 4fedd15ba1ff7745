#include "tests/simulation/cluster.h"

#include <algorithm>

#include "common/base/endian.h"

namespace holdfast::testing {
namespace {

// Small chunks, so that small trees have many; a passphrase that costs nothing.
constexpr std::uint32_t kChunkAverage = 4096;
constexpr crypto::ScryptCost kCost{2, 1, 1};
constexpr UnixTime kBeginning{1'763'870'400'000'000'000};

}  // namespace

Cluster::Cluster(std::uint64_t with_seed, std::size_t count, std::uint32_t write_quorum)
    : seed(with_seed),
      random(with_seed),
      loop(with_seed | 1),
      agents([this] {
        std::vector<std::unique_ptr<ClusterAgent>> owner;
        owner.push_back(std::make_unique<ClusterAgent>("owner", loop));
        return owner;
      }()),
      source(agents.front()->source),
      secrets_(format::VaultSecrets::generate(random, crypto::SecretKey::generate(random))) {
  loop.set_wall(kBeginning);
  format::Charter first;
  first.encryption_key = crypto::public_key(secrets_.encryption_key);
  first.write_quorum = write_quorum;
  first.chunking.average = kChunkAverage;
  first.created = loop.wall();
  for (std::size_t i = 0; i < count; ++i) {
    nodes.push_back(
        std::make_unique<ClusterNode>("node" + std::to_string(i + 1), loop, network, random));
    first.nodes.push_back(
        {nodes.back()->id(), nodes.back()->name(), {"sim:" + nodes.back()->name(), {}}});
  }
  auto vault = format::seal_vault(secrets_, "passphrase", random, kCost);
  vault_ = *std::move(vault);
  repository = format::repository_id(crypto::SigningKey(secrets_.admin_seed.clone()).verify_key());
  auto chunker = content::Chunker::create(secrets_.chunking_key, first.chunking);
  check(chunker.has_value(), "the simulated chunking exists");

  ClusterAgent& owner = *agents.front();
  owner.entry.roles = format::kAppend | format::kRead | format::kAdmin;
  charters_.push_back(format::sign_charter(first, vault_, secrets_.admin_seed));
  give_keys(owner, secrets_.owner_seed.clone());
  first.agents.push_back(owner.entry);
  charters_.back() = format::sign_charter(std::move(first), vault_, secrets_.admin_seed);

  const auto run = begin_charters();
  check(finish(*run) && run->up_to_date() == count, "every simulated node takes the charter");
}

Cluster::~Cluster() = default;

void Cluster::give_keys(ClusterAgent& agent, crypto::SecretKey signing_seed) {
  const crypto::SecretKey id_key = format::group_id_key(secrets_.id_key, agent.entry.trust_group);
  auto chunker = content::Chunker::create(secrets_.chunking_key, charter().chunking);
  crypto::SigningKey signing(std::move(signing_seed));
  agent.entry.name = agent.name;
  agent.entry.verify_key = signing.verify_key();
  agent.entry.id = format::agent_id(agent.entry.verify_key);
  store_le<std::uint64_t>(agent.entry.curve_key.data(), next_curve_key_++);
  agent.writer.emplace(agent::WriterKeys{repository, charter().encryption_key, std::move(signing),
                                         id_key.clone(), *std::move(chunker), 1});
  if (agent.may(format::kRead))
    agent.reader = std::make_shared<agent::ReaderKeys>(
        agent::ReaderKeys{repository, secrets_.encryption_key.clone(), id_key.clone()});
}

ClusterAgent& Cluster::add_agent(const std::string& name, std::uint32_t roles,
                                 std::uint32_t group) {
  agents.push_back(std::make_unique<ClusterAgent>(name, loop));
  ClusterAgent& agent = *agents.back();
  agent.entry.roles = roles;
  agent.entry.trust_group = group;
  give_keys(agent, crypto::SecretKey::generate(random));
  format::Charter next = charter();
  ++next.version;
  next.previous = charters_.back().digest;
  next.agents.push_back(agent.entry);
  charters_.push_back(format::sign_charter(std::move(next), vault_, secrets_.admin_seed));
  return agent;
}

RunPorts Cluster::ports(ClusterAgent& agent) {
  return {agent.machine, agent.machine, agent.machine, random, agent.disk};
}

std::unique_ptr<Dialer> Cluster::dialer(const ClusterAgent& agent) {
  return std::make_unique<SimNetwork::Client>(network, agent.entry.curve_key, agent.name);
}

std::unique_ptr<Dialer> Cluster::dialer_of_embedder() {
  return std::make_unique<SimNetwork::Client>(network, CurveKey{}, agents.front()->name);
}

std::unique_ptr<BackupRun> Cluster::begin_backup(ClusterAgent& agent) {
  return std::make_unique<BackupRun>(ports(agent), dialer(agent), charter(), *agent.writer,
                                     agent.source, policy, upload_bytes_per_s);
}

std::unique_ptr<RestoreRun> Cluster::begin_restore(ClusterAgent& agent,
                                                   format::SignedManifest snapshot,
                                                   const std::vector<std::size_t>& from) {
  std::vector<format::CharterNode> asked;
  for (const std::size_t i : from) asked.push_back(charter().nodes[i]);
  return std::make_unique<RestoreRun>(ports(agent), dialer(agent), asked, agent.reader,
                                      std::move(snapshot), policy);
}

std::unique_ptr<CharterRun> Cluster::begin_charters() {
  return std::make_unique<CharterRun>(ports(*agents.front()), dialer_of_embedder(), charters_,
                                      policy);
}

std::unique_ptr<RepairRun> Cluster::begin_repair(ClusterAgent& agent) {
  return std::make_unique<RepairRun>(ports(agent), dialer(agent), charter(), *agent.writer,
                                     agent.reader, policy);
}

bool Cluster::finish(const Run& run, const std::function<void()>& during) {
  return loop.run_until([&] {
    if (during) during();
    return run.done() && std::all_of(agents.begin(), agents.end(), [](const auto& agent) {
             return agent->machine.pending_work() == 0;
           });
  });
}

Result<agent::BackupReport> Cluster::back_up(const std::function<void()>& during) {
  const auto run = begin_backup(*agents.front());
  check(finish(*run, during), "a backup ends within an hour of simulated time");
  return run->result();
}

bool Cluster::holds(std::size_t node, const ManifestId& snapshot) {
  const CallRun run(ports(*agents.front()), dialer(*agents.front()), {charter().nodes[node]},
                    repository, [](std::size_t) {
                      wire::RequestProto request;
                      request.mutable_list_manifests();
                      return std::optional(std::move(request));
                    });
  check(finish(run), "a node lists its manifests, or does not answer");
  const auto& reply = run.replies().at(0);
  if (!reply) return false;
  for (const auto& entry : reply->proto.list_manifests().manifests()) {
    const auto manifest = format::parse_manifest(as_bytes(entry.manifest()));
    if (manifest && manifest->id == snapshot && entry.complete()) return true;
  }
  return false;
}

Result<Files> Cluster::read(const format::SignedManifest& snapshot,
                            const std::vector<std::size_t>& from) {
  const auto run = begin_restore(*agents.front(), snapshot, from);
  check(finish(*run), "a restore ends");
  if (!run->outcome()) return run->outcome().error();
  return run->files();
}

}  // namespace holdfast::testing
