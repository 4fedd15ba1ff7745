#include "tests/simulation/cluster.h"

#include <algorithm>

#include "agent/catalog_fetch.h"
#include "agent/object_fetcher.h"
#include "agent/restore_session.h"
#include "common/format/frame.h"
#include "repository/store/memory_index.h"
#include "tests/unit/agent/memory_target.h"

namespace holdfast::testing {
namespace {

// Small chunks and segments, so that small trees have many.
constexpr std::uint32_t kChunkAverage = 4096;
constexpr repository::StoreLimits kStoreLimits{256 << 10, 64 << 10, 0};
constexpr const char* kRepositories = "/repositories";
constexpr const char* kCatalog = "/catalog";

}  // namespace

// Work of a node that crashed is never done.
class ClusterNode::OwnExecutor final : public Executor {
 public:
  explicit OwnExecutor(SimLoop& loop) : loop_(loop) {}
  ~OwnExecutor() override { *alive_ = false; }
  void submit(Task work) override {
    loop_.submit([alive = alive_, work = std::move(work)]() mutable {
      if (*alive) work();
    });
  }
  unsigned concurrency() const override { return 2; }

 private:
  SimLoop& loop_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

class ClusterNode::NoInvitations final : public repository::Invitations {
 public:
  Result<std::optional<repository::Invitation>> find(const CurveKey&) override {
    return std::optional<repository::Invitation>();
  }
  Status bind(const CurveKey&, const RepositoryId&) override {
    return Error(Code::kNotFound, "no invitations here");
  }
};

class ClusterNode::SilentLog final : public repository::EventLog {
 public:
  void note(repository::Severity, std::string_view) override {}
};

ClusterNode::ClusterNode(std::string name, SimLoop& loop, SimNetwork& network, Random& random)
    : name_(std::move(name)),
      loop_(loop),
      network_(network),
      random_(random),
      port_(network, name_),
      invitations_(std::make_unique<NoInvitations>()),
      log_(std::make_unique<SilentLog>()) {
  random.fill(id_.bytes);
  start();
}

ClusterNode::~ClusterNode() { network_.listen(name_, nullptr); }

void ClusterNode::start() {
  executor_ = std::make_unique<OwnExecutor>(loop_);
  shelf_ = std::make_unique<repository::FolderShelf>(
      disk_, kRepositories, id_,
      [](const std::string&) -> Result<std::unique_ptr<repository::ObjectIndex>> {
        return std::unique_ptr<repository::ObjectIndex>(
            std::make_unique<repository::MemoryIndex>());
      },
      kStoreLimits);
  repository::NodeOptions options;
  options.id = id_;
  options.embedded = true;  // the simulated agent is trusted; roles have tests of their own
  options.window_bytes = 256 << 10;
  node_ = std::make_unique<repository::Node>(
      options, repository::NodePorts{loop_, *executor_, loop_, random_, port_, *shelf_,
                                     *invitations_, *log_});
  const Status started = node_->start();
  check(started.has_value(), "a simulated node starts on the disk that it left");
  network_.listen(name_, node_.get());
}

void ClusterNode::crash(simulation::CrashKeeps keeps) {
  network_.listen(name_, nullptr);
  node_.reset();
  shelf_.reset();
  executor_.reset();
  disk_.crash(keeps, random_);
}

std::string ClusterNode::a_segment(const RepositoryId& repository) {
  const std::string folder = std::string(kRepositories) + "/" + repository.hex() + "/segments";
  const auto files = disk_.list(folder);
  check(files.has_value() && !files->empty(), "a repository has segments");
  std::string largest;
  for (const DirectoryEntry& file : *files) {
    const std::string path = folder + "/" + file.name;
    if (largest.empty() || disk_.size_of(path) > disk_.size_of(largest)) largest = path;
  }
  return largest;
}

Cluster::Cluster(std::uint64_t with_seed, std::size_t count, std::uint32_t write_quorum)
    : seed(with_seed),
      random(with_seed),
      loop(with_seed | 1),
      secrets_(format::VaultSecrets::generate(random, crypto::SecretKey::generate(random))) {
  // Faster than real time allows no waiting; the proportions are those of production.
  loop.set_wall({1'763'870'400'000'000'000});
  format::Charter charter;
  charter.encryption_key = crypto::public_key(secrets_.encryption_key);
  charter.write_quorum = write_quorum;
  charter.chunking.average = kChunkAverage;
  charter.created = loop.wall();
  for (std::size_t i = 0; i < count; ++i) {
    nodes.push_back(
        std::make_unique<ClusterNode>("node" + std::to_string(i + 1), loop, network, random));
    charter.nodes.push_back(
        {nodes.back()->id(), nodes.back()->name(), {"sim:" + nodes.back()->name(), {}}});
  }
  const crypto::SigningKey owner(secrets_.owner_seed.clone());
  charter.agents.push_back({format::agent_id(owner.verify_key()), "owner", owner.verify_key(),
                            CurveKey{1}, format::kAppend | format::kRead | format::kAdmin, 0,
                            false});
  auto vault = format::seal_vault(secrets_, "passphrase", random, crypto::ScryptCost{2, 1, 1});
  charter_ = format::sign_charter(std::move(charter), *vault, secrets_.admin_seed);
  repository = charter_->charter.repository();
  auto chunker = content::Chunker::create(secrets_.chunking_key, charter_->charter.chunking);
  writer_.emplace(agent::WriterKeys{
      repository, charter_->charter.encryption_key, crypto::SigningKey(secrets_.owner_seed.clone()),
      format::group_id_key(secrets_.id_key, 0), std::move(*chunker), 1});
  reader_ = std::make_shared<agent::ReaderKeys>(agent::ReaderKeys{
      repository, secrets_.encryption_key.clone(), format::group_id_key(secrets_.id_key, 0)});
  put_charter();
}

Cluster::~Cluster() = default;

std::vector<std::unique_ptr<agent::NodeLink>> Cluster::connect(SimNetwork::Client& client,
                                                               const std::vector<std::size_t>& to) {
  std::vector<std::unique_ptr<agent::NodeLink>> links;
  for (const std::size_t i : to) {
    links.push_back(std::make_unique<agent::NodeLink>(charter_->charter.nodes[i], repository, loop,
                                                      loop, random, policy));
    check(links.back()->start(client).has_value(), "a simulated node can be dialled");
  }
  return links;
}

void Cluster::put_charter() {
  SimNetwork::Client client(network, CurveKey{});
  std::vector<std::size_t> all;
  for (std::size_t i = 0; i < nodes.size(); ++i) all.push_back(i);
  auto links = connect(client, all);
  std::size_t done = 0;
  for (const auto& link : links) {
    wire::RequestProto request;
    request.mutable_put_charter()->set_record(to_string(charter_->record));
    link->call(std::move(request), {}, [&done](Result<agent::NodeLink::Reply> reply) {
      check(reply.has_value(), "every simulated node takes the charter");
      ++done;
    });
  }
  check(loop.run_until([&] { return done == links.size(); }), "the charter is put");
}

Result<agent::BackupReport> Cluster::back_up(const std::function<void()>& during) {
  SimNetwork::Client client(network, CurveKey{});
  std::vector<std::size_t> all;
  for (std::size_t i = 0; i < nodes.size(); ++i) all.push_back(i);
  auto links = connect(client, all);
  std::vector<agent::NodeLink*> pointers;
  for (const auto& link : links) pointers.push_back(link.get());
  MemoryScan scan(source, 16);
  agent::BackupRequest request;
  request.host = "simulated";
  request.paths = {"/"};
  request.write_quorum = charter_->charter.write_quorum;
  request.charter_version = 1;
  request.catalog_path = kCatalog;
  std::optional<Result<agent::BackupReport>> result;
  agent::BackupSession session(
      {loop, loop, loop, random, agent_disk_}, source, scan, *writer_, pointers, request,
      [&](Result<agent::BackupReport> report) { result.emplace(std::move(report)); });
  session.start();
  loop.run_until([&] {
    trace_ = trace_ * 1'099'511'628'211U ^ static_cast<std::uint64_t>(loop.now().nanoseconds);
    if (during) during();
    return result.has_value();
  });
  check(result.has_value(), "a backup ends within an hour of simulated time");
  return std::move(*result);
}

bool Cluster::holds(std::size_t node, const ManifestId& snapshot) {
  SimNetwork::Client client(network, CurveKey{});
  auto links = connect(client, {node});
  std::optional<bool> holds;
  wire::RequestProto request;
  request.mutable_list_manifests();
  links[0]->call(std::move(request), {}, [&](Result<agent::NodeLink::Reply> reply) {
    holds = false;
    if (!reply) return;
    for (const auto& entry : reply->proto.list_manifests().manifests()) {
      const auto manifest = format::parse_manifest(as_bytes(entry.manifest()));
      if (manifest && manifest->id == snapshot && entry.complete()) holds = true;
    }
  });
  loop.run_until([&] { return holds.has_value(); });
  return holds.value_or(false);
}

Result<std::map<std::string, Bytes>> Cluster::read(const format::SignedManifest& snapshot,
                                                   const std::vector<std::size_t>& from) {
  SimNetwork::Client client(network, CurveKey{});
  auto links = connect(client, from);
  std::vector<agent::NodeLink*> pointers;
  for (const auto& link : links) pointers.push_back(link.get());
  agent::ObjectFetcher fetcher(pointers, reader_, loop, loop, loop);
  agent::CatalogFetch fetch(fetcher, agent_disk_, loop, loop);
  std::optional<Result<agent::FetchedCatalog>> fetched;
  fetch.start(snapshot.manifest.root, snapshot.bytes, "/fetched", {},
              [&](Result<agent::FetchedCatalog> result) { fetched.emplace(std::move(result)); });
  check(loop.run_until([&] { return fetched.has_value(); }), "a catalog is fetched, or not");
  if (!*fetched) return std::move(*fetched).error();

  MemoryTarget target;
  agent::RestoreSession restore(fetcher, agent_disk_, target, nullptr, reader_, loop, loop);
  std::optional<Result<agent::RestoreResult>> restored;
  restore.start("/fetched", {},
                [&](Result<agent::RestoreResult> result) { restored.emplace(std::move(result)); });
  check(loop.run_until([&] { return restored.has_value(); }), "a restore ends");
  if (!*restored) return std::move(*restored).error();
  if (!(*restored)->problems.empty()) return (*restored)->problems.front().error;
  std::map<std::string, Bytes> contents;
  for (const auto& [path, node] : target.nodes())
    if (node.entry.is_regular()) contents[path] = node.content;
  return contents;
}

}  // namespace holdfast::testing
