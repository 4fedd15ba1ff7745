#include "agent/backup_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "agent/backup_node_state.h"

namespace holdfast::agent {
namespace {

// Entries between the scan and the catalog: enough that a slow large file does not stop the others.
constexpr std::size_t kMostSlots = 16'384;
constexpr std::size_t kMostProblems = 1'000;
constexpr Duration kWatch = std::chrono::milliseconds(250);

}  // namespace

BackupSession::BackupSession(BackupPorts ports, SourceTree& source, EntryStream& scan,
                             const WriterKeys& keys, std::vector<NodeLink*> links,
                             BackupRequest request, Done done)
    : loop_(ports.loop),
      executor_(ports.executor),
      clock_(ports.clock),
      files_(ports.files),
      source_(source),
      scan_(scan),
      keys_(keys),
      request_(std::move(request)),
      done_(std::move(done)),
      run_(format::begin_run(ports.random, keys.repository, keys.encryption_key)),
      identifier_(keys.id_key),
      upload_(clock_, request_.upload_bytes_per_s),
      began_(clock_.wall()),
      started_(clock_.now()) {
  for (NodeLink* link : links) {
    nodes_.push_back(std::make_unique<NodeState>(*link, clock_, [this] { advance(); }));
    nodes_.back()->feed.pace(upload_, loop_);
    link->on_change([node = nodes_.back().get()] { node->feed.link_changed(); });
  }
}

BackupSession::~BackupSession() {
  *alive_ = false;
  if (timer_) loop_.cancel(*timer_);
  for (const auto& node : nodes_) node->link.on_change(nullptr);
}

void BackupSession::start() {
  watch_stall();
  advance();
}

void BackupSession::interrupt() {
  interrupted_ = true;
  loop_.post([this, alive = alive_] {
    if (*alive)
      end(Error(Code::kInterrupted, "interrupted; the next backup goes on from what was sent"));
  });
}

// Everything that can go on goes on. Called after any change; never entered twice.
void BackupSession::advance() {
  if (advancing_) {
    advance_again_ = true;
    return;
  }
  advancing_ = true;
  const std::shared_ptr<bool> alive = alive_;
  do {
    advance_again_ = false;
    if (phase_ == Phase::kConnecting) choose_parent();
    if (phase_ == Phase::kScanning) {
      pipeline_->feeds_changed();
      if (*alive) pull();
    }
    if (*alive && phase_ == Phase::kFinishing) {
      pipeline_->feeds_changed();
      if (*alive && catch_up_) catch_up_->feed_changed();
      if (*alive) conclude();
    }
  } while (*alive && advance_again_ && phase_ != Phase::kEnded);
  if (*alive) advancing_ = false;
}

// ---- which nodes, which parent

void BackupSession::choose_parent() {
  std::size_t ready = 0, undecided = 0;
  for (const auto& node : nodes_) {
    ready += node->link.state() == NodeLink::State::kReady;
    undecided += node->link.state() == NodeLink::State::kConnecting;
  }
  const bool enough = ready >= request_.write_quorum && clock_.now() - started_ >= request_.grace;
  if (undecided != 0 && !enough) return;
  if (ready < request_.write_quorum) return end(quorum_error());

  phase_ = Phase::kChoosing;
  if (auto parent = CatalogFileReader::open(files_, request_.catalog_path)) {
    parent_ = std::move(*parent);
    if (auto manifest = format::parse_manifest(parent_->signed_manifest()))
      parent_manifest_ = std::move(*manifest);
    else
      parent_.reset();
  }
  for (const auto& node : nodes_) {
    if (node->link.state() != NodeLink::State::kReady) continue;
    node->feed.activate();
    node->took_part = true;
    ++open_calls_;
    wire::RequestProto head;
    head.mutable_head()->set_agent(format::agent_id(keys_.signing_key.verify_key()).str());
    node->link.call(std::move(head), {},
                    [this, alive = alive_, node = node.get()](Result<NodeLink::Reply> reply) {
                      if (!*alive || phase_ == Phase::kEnded) return;
                      if (reply) {
                        if (const auto newest = proven_head(reply->proto.head())) {
                          node->head_sequence = newest->sequence;
                          node->head_id = newest->id;
                          node->head_complete = reply->proto.head().complete();
                        }
                      } else {
                        node->feed.fail(std::move(reply).error().with_context(node->feed.name()));
                      }
                      if (--open_calls_ == 0) begin_main_pass();
                    });
    if (!parent_) continue;
    ++open_calls_;
    wire::RequestProto present;
    present.mutable_present()->set_ids(parent_->root().str());
    node->link.call(std::move(present), {},
                    [this, alive = alive_, node = node.get()](Result<NodeLink::Reply> reply) {
                      if (!*alive || phase_ == Phase::kEnded) return;
                      auto bits = reply ? wire::decode_bitmap(reply->proto.present().bitmap(), 1)
                                        : Result<std::vector<bool>>(reply.error());
                      node->holds_parent = bits && bits->front();
                      if (--open_calls_ == 0) begin_main_pass();
                    });
  }
}

void BackupSession::begin_main_pass() {
  std::size_t active = 0, holders = 0;
  std::uint64_t highest = 0;
  for (const auto& node : nodes_) {
    active += node->feed.active();
    holders += node->feed.active() && node->holds_parent;
    highest = std::max(highest, node->head_sequence);
  }
  if (active == 0 || active < request_.write_quorum) return end(quorum_error());
  if (holders == 0 || (request_.reads_once && holders < active)) parent_.reset();
  report_.had_parent = parent_.has_value();
  std::vector<NodeFeed*> feeds;
  for (const auto& node : nodes_) {
    node->behind = node->feed.active() && (node->head_sequence < highest ||
                                           (node->head_sequence > 0 && !node->head_complete));
    if (node->feed.active() && parent_ && !node->holds_parent)
      node->feed.lag(
          Error(Code::kMissingObjects,
                fmt::format("node {} lacks some of the snapshot before", node->feed.name())));
    feeds.push_back(&node->feed);
  }

  auto writer = CatalogFileWriter::create(files_, request_.catalog_path + ".new");
  if (!writer) return end(std::move(writer).error().with_context("local catalog"));
  catalog_writer_ = std::move(*writer);
  detector_ = std::make_unique<ChangeDetector>(
      scan_, parent_ ? &*parent_ : nullptr,
      parent_manifest_ ? parent_manifest_->manifest.claimed_time : UnixTime{});
  builder_ = std::make_unique<CatalogBuilder>(identifier_,
                                              [this](ListObject&& list) { emit(std::move(list)); });
  pipeline_ = std::make_unique<ContentPipeline>(
      loop_, executor_, source_, keys_, run_, counter_, std::move(feeds),
      [this](std::span<const ObjectId> chunks, std::span<const std::uint32_t> lengths) {
        return builder_->add_chunk_list(chunks, lengths);
      },
      [this] { advance(); });
  phase_ = Phase::kScanning;
  advance();
}

// ---- the main pass

void BackupSession::pull() {
  if (fatal_) return end(std::move(*fatal_));
  if (std::none_of(nodes_.begin(), nodes_.end(),
                   [](const auto& node) { return node->feed.active(); }))
    return end(quorum_error());
  if (scan_ended_) {
    if (slots_.empty()) return finish_catalog();
    pipeline_->flush();
    return;
  }
  if (pulling_) return;
  if (!pipeline_->has_room() || slots_.size() >= kMostSlots) {
    // What is gathered may be all that the window waits for.
    if (slots_.size() >= kMostSlots) pipeline_->flush();
    return;
  }
  pulling_ = true;
  executor_.submit([this, alive = alive_, detector = detector_.get()] {
    auto planned = std::make_shared<Result<std::vector<PlannedEntry>>>(detector->next());
    auto problems = std::make_shared<std::vector<ScanProblem>>(scan_.take_problems());
    loop_.post([this, alive, planned, problems] {
      if (!*alive || phase_ == Phase::kEnded) return;
      pulling_ = false;
      for (ScanProblem& problem : *problems) note(std::move(problem));
      if (!*planned)
        fatal_ = std::move(*planned).error();
      else
        take(std::move(**planned));
      advance();
    });
  });
}

void BackupSession::take(std::vector<PlannedEntry> planned) {
  if (planned.empty()) {
    scan_ended_ = true;
    pipeline_->flush();
    return;
  }
  for (PlannedEntry& plan : planned) {
    ++seen_entries_;
    const Entry& entry = plan.entry.entry;
    if (entry.is_regular()) {
      if (entry.size != kUnknownSize) seen_bytes_ += entry.size;
      switch (plan.kind) {
        case PlannedEntry::Kind::kNew:
          ++detail_.files_new;
          break;
        case PlannedEntry::Kind::kChanged:
          ++detail_.files_changed;
          break;
        case PlannedEntry::Kind::kUnchanged:
          ++detail_.files_unmodified;
          report_.bytes.unmodified += entry.size;
          break;
      }
    }
    const std::uint64_t index = first_slot_ + slots_.size();
    if (plan.kind == PlannedEntry::Kind::kUnchanged) {
      slots_.push_back({std::move(plan.entry), true});
      drain_slots();
      continue;
    }
    slots_.emplace_back();
    pipeline_->submit(
        std::move(plan.entry.entry), std::move(plan.earlier_refs),
        [this, index, kind = plan.kind](ContentPipeline::FileOutcome&& outcome) {
          if (outcome.entry.is_regular())
            (kind == PlannedEntry::Kind::kNew ? report_.bytes.is_new : report_.bytes.changed) +=
                outcome.entry.size;
          take_outcome(index, std::move(outcome));
        });
  }
}

void BackupSession::take_outcome(std::uint64_t index, ContentPipeline::FileOutcome&& outcome) {
  if (outcome.entry.condition != EntryCondition::kWhole) {
    ++detail_.unreadable;
    // What vanished between the scan and its reading is not part of the snapshot.
    if (outcome.problem && outcome.problem->code() == Code::kNotFound) outcome.entry.mode = 0;
    note({"/" + outcome.entry.path, outcome.problem
                                        ? std::move(*outcome.problem)
                                        : Error(Code::kChanged, "changed while it was read")});
  }
  Slot& slot = slots_[static_cast<std::size_t>(index - first_slot_)];
  slot.entry = {std::move(outcome.entry), std::move(outcome.content)};
  slot.done = true;
  drain_slots();
}

void BackupSession::drain_slots() {
  while (!slots_.empty() && slots_.front().done) {
    const CatalogEntry entry = std::move(slots_.front().entry);
    slots_.pop_front();
    ++first_slot_;
    if (entry.entry.mode == 0) continue;  // vanished
    count(entry);
    builder_->add(entry);
  }
}

void BackupSession::count(const CatalogEntry& entry) {
  ++done_entries_;
  if (entry.entry.is_regular()) {
    ++detail_.files;
    detail_.bytes += entry.entry.size;
  } else if (entry.entry.is_directory()) {
    ++detail_.directories;
  } else {
    ++detail_.others;
  }
}

void BackupSession::emit(ListObject&& list) {
  if (auto status = catalog_writer_->add(list); !status && !fatal_)
    fatal_ = std::move(status).error().with_context("local catalog");
  pipeline_->submit_list(std::move(list));
}

void BackupSession::note(ScanProblem problem) {
  ++report_.problem_count;
  if (report_.problems.size() < kMostProblems) report_.problems.push_back(std::move(problem));
}

void BackupSession::finish_catalog() {
  root_ = builder_->finish().id;
  if (fatal_) return end(std::move(*fatal_));
  pipeline_->flush();
  phase_ = Phase::kFinishing;
  finishing_since_ = clock_.now();
  advance_again_ = true;
}

void BackupSession::watch_stall() {
  timer_ = loop_.after(kWatch, [this] {
    watch_stall();
    // A node that moves nothing while the others have nothing left to do holds everybody up.
    if (phase_ == Phase::kScanning && !pipeline_->has_room()) {
      std::size_t moving = 0;
      NodeState* slowest = nullptr;
      for (const auto& node : nodes_) {
        if (!node->feed.active()) continue;
        if (node->feed.pending_bytes() == 0 ||
            clock_.now() - node->feed.last_progress() < request_.patience)
          ++moving;
        else if (slowest == nullptr || node->feed.last_progress() < slowest->feed.last_progress())
          slowest = node.get();
      }
      if (slowest != nullptr && moving >= request_.write_quorum)
        slowest->feed.lag(Error(Code::kTimedOut, fmt::format("node {} is too slow for the others",
                                                             slowest->feed.name())));
    }
    advance();
  });
}

Error BackupSession::quorum_error() const {
  std::string reasons;
  std::size_t good = 0;
  for (const auto& node : nodes_) {
    const bool fine = node->feed.active() || node->link.state() == NodeLink::State::kReady;
    good += fine && node->feed.state() != NodeFeed::State::kFailed;
    if (fine && node->feed.state() != NodeFeed::State::kFailed &&
        node->feed.state() != NodeFeed::State::kLagging)
      continue;
    reasons += fmt::format("; {}", node->why().message());
  }
  return Error(Code::kUnavailable,
               fmt::format("{} of {} nodes can take the backup and {} must{}", good, nodes_.size(),
                           request_.write_quorum, reasons));
}

BackupProgress BackupSession::progress() const {
  BackupProgress progress;
  progress.entries = done_entries_;
  progress.files = detail_.files;
  progress.bytes = detail_.bytes;
  progress.bytes_stored = pipeline_ ? pipeline_->figures().bytes_stored : 0;
  progress.scanned = scan_ended_;
  progress.total_entries = seen_entries_;
  progress.total_bytes = seen_bytes_;
  for (const auto& node : nodes_)
    progress.nodes.push_back({node->feed.name(), node->describe(), node->feed.pending_bytes()});
  return progress;
}

void BackupSession::end(Result<BackupReport> result) {
  if (phase_ == Phase::kEnded) return;
  phase_ = Phase::kEnded;
  if (timer_) loop_.cancel(*timer_);
  timer_.reset();
  // From the loop, so that the caller may destroy this session in it.
  auto shared = std::make_shared<Result<BackupReport>>(std::move(result));
  loop_.post([alive = alive_, done = std::move(done_), shared] {
    if (*alive) done(std::move(*shared));
  });
}

}  // namespace holdfast::agent
