// First the nodes, all at once; then the catalogs, one snapshot after the other, for what the nodes
// found is traced on the way; then the drawn frames.
//
// A list object below which nothing is wrong is not read again in the next snapshot, which makes
// reading a thousand snapshots little more than reading one. One that has something wrong below is,
// since each snapshot that holds it is touched.
#include "agent/verify_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/content/checksum.h"

namespace holdfast::agent {
namespace {

constexpr Duration kPause = std::chrono::milliseconds(250);  // where a node waits its turn
constexpr Duration kStandstill = std::chrono::seconds(120);
// About 24 MiB of ids; beyond, some catalogs are read twice.
constexpr std::size_t kMostSound = 500'000;

enum MarkKind : unsigned { kDamaged, kDrawn };

std::uint64_t cut_short(const ObjectId& id) { return std::hash<ObjectId>()(id); }

std::uint64_t keyed_hash(std::uint64_t seed, const ObjectId& id) {
  Bytes bytes(8);
  store_le(bytes.data(), seed);
  append(bytes, id.view());
  return content::checksum64(bytes);
}

template <typename Findings>
void put(Findings& to, VerifyFinding finding) {
  if (++to.finding_count <= kMostFindings) to.findings.push_back(std::move(finding));
}

}  // namespace

struct VerifySession::Run {
  std::uint64_t id = 0, seed = 0, step = 0;
  double fraction = 1.0;
  bool size_known = true;  // of what it stores
  Instant advanced;
};

// What workers look for in list objects; fixed while the catalogs are walked.
struct VerifySession::Inspection {
  std::unordered_set<ObjectId> damaged;
  std::uint64_t seed = 0;
  std::size_t drawn_per_node = 0;

  void look(WalkedNode& node, const std::vector<CatalogEntry>& entries) const {
    if (node.object.kind == ListKind::kIndex) return;
    std::map<std::uint64_t, WalkedNode::Mark> drawn;
    const auto look_at = [&](const ObjectId& id, const std::string& path) {
      if (damaged.contains(id)) node.marks.push_back({id, path, kDamaged});
      if (drawn_per_node == 0) return;
      drawn.emplace(keyed_hash(seed, id), WalkedNode::Mark{id, path, kDrawn});
      if (drawn.size() > drawn_per_node) drawn.erase(std::prev(drawn.end()));
    };
    if (node.object.kind == ListKind::kChunkList)
      for (const ObjectId& id : node.object.refs) look_at(id, "");
    for (const CatalogEntry& entry : entries)
      if (!entry.content.lists)
        for (const ObjectId& id : entry.content.refs) look_at(id, entry.entry.path);
    for (auto& [hash, mark] : drawn) node.marks.push_back(std::move(mark));
  }
};

bool VerifyResult::is_clean() const {
  return finding_count == 0 &&
         std::ranges::all_of(nodes, [](const NodeVerdict& node) { return node.is_clean(); });
}

VerifySession::VerifySession(std::vector<NodeLink*> links, std::shared_ptr<const ReaderKeys> keys,
                             EventLoop& loop, const Clock& clock, Executor& executor,
                             Random& random)
    : links_(std::move(links)),
      keys_(std::move(keys)),
      loop_(loop),
      clock_(clock),
      executor_(executor),
      random_(random),
      samples_(links_.size()) {}

VerifySession::~VerifySession() { *alive_ = false; }

void VerifySession::start(SnapshotList list, VerifyOptions options, Done done) {
  list_ = std::move(list);
  options_ = options;
  done_ = std::move(done);
  result_.nodes.resize(links_.size());
  runs_.resize(links_.size());
  for (std::size_t node = 0; node < links_.size(); ++node) {
    result_.nodes[node].name = links_[node]->name();
    for (const Snapshot& snapshot : list_.snapshots)
      if (const SnapshotCopy* copy = snapshot.copy_on(node); copy != nullptr && !copy->complete)
        result_.nodes[node].incomplete.push_back(snapshot.id());
  }
  open_runs_ = links_.size();
  const std::uint64_t seed = random_.uint64();
  for (std::size_t node = 0; node < links_.size(); ++node) {
    runs_[node].id = random_.uint64();
    runs_[node].seed = options_.read_data ? options_.read_data->seed.value_or(seed) : 0;
    begin_run(node);
  }
  if (links_.empty())
    loop_.post([this, alive = alive_] {
      if (*alive) finish();
    });
}

void VerifySession::begin_run(std::size_t node) {
  Run& run = runs_[node];
  run.advanced = clock_.now();
  run.fraction = options_.read_data ? std::clamp(options_.read_data->fraction, 0.0, 1.0) : 0.0;
  if (!options_.read_data || !options_.read_data->bytes) return ask_node(node);
  wire::RequestProto request;
  request.mutable_status();
  links_[node]->call(std::move(request), {}, [this, alive = alive_, node](auto reply) {
    if (!*alive) return;
    if (!reply) return end_run(node, reply.error());
    const auto stored = static_cast<double>(reply->proto.status().stored_bytes());
    const auto wanted = static_cast<double>(*options_.read_data->bytes);
    runs_[node].fraction = stored <= wanted ? 1.0 : wanted / stored;
    ask_node(node);
  });
}

void VerifySession::ask_node(std::size_t node) {
  const Run& run = runs_[node];
  wire::RequestProto request;
  wire::VerifyRequest& verify = *request.mutable_verify();
  verify.set_run(run.id);
  verify.set_depth(options_.read_data ? 2 : 0);
  verify.set_fraction(run.fraction);
  verify.set_seed(run.seed);
  links_[node]->call(std::move(request), {}, [this, alive = alive_, node](auto reply) {
    if (*alive) take_step(node, std::move(reply));
  });
}

void VerifySession::take_step(std::size_t node, Result<NodeLink::Reply> reply) {
  if (!reply) return end_run(node, reply.error());
  const wire::VerifyReply& step = reply->proto.verify();
  NodeVerdict& verdict = result_.nodes[node];
  Run& run = runs_[node];
  verdict.frames = step.frames();
  verdict.bytes = step.bytes();
  verdict.total_bytes = step.total_bytes();
  if (step.done()) return take_findings(node, step);
  if (step.step() != std::exchange(run.step, step.step())) {
    run.advanced = clock_.now();
    return ask_node(node);
  }
  if (clock_.now() - run.advanced >= kStandstill)
    return end_run(node, Error(Code::kTimedOut, "its verification does not advance"));
  loop_.after(kPause, [this, alive = alive_, node] {
    if (*alive) ask_node(node);
  });
}

// Of the last step alone: a node that found something new at every one would fill the memory.
void VerifySession::take_findings(std::size_t node, const wire::VerifyReply& step) {
  const auto damaged = wire::split_ids(step.damaged(), wire::kMaxDamagedPerReply);
  if (!damaged) return end_run(node, damaged.error());
  for (const ObjectId& id : *damaged) {
    auto& nodes = damaged_[id];
    if (std::ranges::find(nodes, node) == nodes.end()) nodes.push_back(node);
  }
  NodeVerdict& verdict = result_.nodes[node];
  for (const std::string& problem : step.problems())
    if (verdict.problems.size() < wire::kMaxProblemsPerReply) verdict.problems.push_back(problem);
  verdict.done = true;
  end_run(node, std::nullopt);
}

void VerifySession::end_run(std::size_t node, std::optional<Error> failure) {
  result_.nodes[node].failure = std::move(failure);
  if (--open_runs_ > 0) return;
  inspection_ = std::make_shared<Inspection>();
  for (const auto& [id, nodes] : damaged_) inspection_->damaged.insert(id);
  inspection_->seed = random_.uint64();
  inspection_->drawn_per_node = options_.spot_checks;
  fetcher_ =
      std::make_unique<ObjectFetcher>(links_, keys_, loop_, clock_, executor_, FetchPolicy{});
  fetcher_->on_damage([this](std::size_t at, const ObjectId& id, const Error& error) {
    report(at, {id,
                fmt::format("it gave a frame that does not pass: {}", error.message()),
                {},
                "",
                false});
  });
  walk_next();
}

void VerifySession::walk_next() {
  walk_.reset();
  if (next_snapshot_ == list_.snapshots.size()) return spot_check();
  const ObjectId root = list_.snapshots[next_snapshot_].manifest.manifest.root;
  ++result_.snapshots;
  // An unchanged machine gives the same catalog again.
  if (sound_.contains(cut_short(root))) {
    ++next_snapshot_;
    loop_.post([this, alive = alive_] {
      if (*alive) walk_next();
    });
    return;
  }
  walk_ = std::make_unique<CatalogWalk>(*fetcher_, loop_);
  walk_->start(
      root, *this,
      [inspection = inspection_](WalkedNode& node, const std::vector<CatalogEntry>& entries) {
        inspection->look(node, entries);
      },
      [this] {
        ++next_snapshot_;
        walk_next();
      });
}

bool VerifySession::wants(const CatalogChild& child, const std::string*) {
  return !sound_.contains(cut_short(child.id));
}

bool VerifySession::wants(const ChunkListUse& list) { return !sound_.contains(cut_short(list.id)); }

bool VerifySession::is_tainted(const WalkedNode& node) const {
  const auto is = [&](const auto& below) { return tainted_.contains(below.id); };
  return damaged_.contains(node.object.id) ||
         std::ranges::any_of(node.marks, [](const auto& mark) { return mark.kind == kDamaged; }) ||
         std::ranges::any_of(node.children, is) || std::ranges::any_of(node.lists, is);
}

void VerifySession::visit(WalkedNode&& node, const std::string& owner) {
  ++result_.lists;
  const bool is_list = node.object.kind == ListKind::kChunkList;
  for (const WalkedNode::Mark& mark : node.marks) {
    const std::string& path = is_list ? owner : mark.path;
    if (mark.kind == kDamaged)
      trace(mark.id, path, false);
    else
      draw(mark.id, path);
  }
  if (damaged_.contains(node.object.id))
    trace(node.object.id, is_list ? owner : node.first_path, !is_list);
  if (is_tainted(node)) {
    tainted_.insert(node.object.id);
    return;
  }
  if (sound_.size() >= kMostSound) sound_.clear();
  sound_.insert(cut_short(node.object.id));
}

void VerifySession::lost(const ObjectId& id, const std::string& path, const Error& error) {
  tainted_.insert(id);
  trace(id, path, true);
  put(result_, {id, error.message(), list_.snapshots[next_snapshot_].id(), path, true});
}

// To the nodes on which it is damaged.
void VerifySession::trace(const ObjectId& id, const std::string& path, bool is_subtree) {
  const auto found = damaged_.find(id);
  if (found == damaged_.end()) return;
  traced_.insert(id);
  for (const std::size_t node : found->second)
    report(node, {id, "it is damaged", list_.snapshots[next_snapshot_].id(), path, is_subtree});
}

// For each node that should have it, if its hash is among the smallest: an even choice of all.
void VerifySession::draw(const ObjectId& id, const std::string& path) {
  const std::uint64_t hash = keyed_hash(inspection_->seed, id);
  for (std::size_t node = 0; node < links_.size(); ++node) {
    const SnapshotCopy* copy = list_.snapshots[next_snapshot_].copy_on(node);
    if (copy == nullptr || !copy->complete || result_.nodes[node].failure) continue;
    auto& samples = samples_[node];
    samples.emplace(hash, Sample{id, next_snapshot_, path});
    if (samples.size() > options_.spot_checks) samples.erase(std::prev(samples.end()));
  }
}

void VerifySession::spot_check() {
  for (const auto& [id, nodes] : damaged_)
    if (!traced_.contains(id))
      for (const std::size_t node : nodes)
        report(node, {id, "it is damaged, and in no snapshot that is listed", {}, "", false});
  spot_fetchers_.resize(links_.size());
  open_spot_checks_ = links_.size();
  for (std::size_t node = 0; node < links_.size(); ++node) {
    std::vector<ObjectId> ids;
    for (const auto& [hash, sample] : samples_[node])
      if (!damaged_.contains(sample.id)) ids.push_back(sample.id);  // is known already
    spot_fetchers_[node] = std::make_unique<ObjectFetcher>(
        std::vector<NodeLink*>{links_[node]}, keys_, loop_, clock_, executor_, FetchPolicy{});
    const std::size_t count = ids.size();
    spot_fetchers_[node]->fetch(
        std::move(ids), [](const format::OpenedFrame&, auto) {},
        [this, alive = alive_, node, count](std::vector<ObjectFetcher::Missing> missing) {
          if (!*alive) return;
          result_.nodes[node].spot_checks = count - missing.size();
          take_spot_checks(node, std::move(missing));
        });
  }
}

void VerifySession::take_spot_checks(std::size_t node,
                                     std::vector<ObjectFetcher::Missing> missing) {
  for (const ObjectFetcher::Missing& gone : missing) {
    if (gone.reason.code() == Code::kUnavailable) {
      if (!result_.nodes[node].failure) result_.nodes[node].failure = gone.reason;
      continue;
    }
    for (const auto& [hash, sample] : samples_[node])
      if (sample.id == gone.id)
        report(node,
               {gone.id,
                fmt::format("it says it has this and does not give it: {}", gone.reason.message()),
                list_.snapshots[sample.snapshot].id(), sample.path, false});
  }
  if (--open_spot_checks_ == 0) finish();
}

void VerifySession::finish() { std::exchange(done_, nullptr)(std::move(result_)); }

void VerifySession::report(std::size_t node, VerifyFinding finding) {
  put(result_.nodes[node], std::move(finding));
}

}  // namespace holdfast::agent
