#include "tests/simulation/agent_runs.h"

#include <algorithm>

namespace holdfast::testing {
namespace {

constexpr const char* kCatalog = "/catalog";
constexpr const char* kFetched = "/fetched";

agent::BackupRequest backup_request(const format::Charter& charter) {
  agent::BackupRequest request;
  request.host = "simulated";
  request.paths = {"/"};
  request.write_quorum = charter.write_quorum;
  request.charter_version = charter.version;
  request.catalog_path = kCatalog;
  return request;
}

std::vector<agent::NodeLink*> pointers(const std::vector<std::unique_ptr<agent::NodeLink>>& links) {
  std::vector<agent::NodeLink*> all;
  for (const auto& link : links) all.push_back(link.get());
  return all;
}

}  // namespace

void Run::connect(const std::vector<format::CharterNode>& nodes, const RepositoryId& repository,
                  const agent::LinkPolicy& policy) {
  for (const format::CharterNode& node : nodes) {
    links_.push_back(std::make_unique<agent::NodeLink>(node, repository, ports_.loop, ports_.clock,
                                                       ports_.random, policy));
    check(links_.back()->start(*dialer_).has_value(), "a simulated node can be dialled");
  }
}

std::vector<agent::NodeLink*> Run::links() const { return pointers(links_); }

std::size_t Run::excess_bytes(std::size_t largest_frame) const {
  std::size_t excess = 0;
  for (const auto& link : links_) {
    // One frame goes out however small the window is.
    const std::size_t most = std::max<std::size_t>(link->window_bytes(), largest_frame);
    if (link->unanswered_bytes() > most) excess += link->unanswered_bytes() - most;
  }
  return excess;
}

BackupRun::BackupRun(RunPorts ports, std::unique_ptr<Dialer> dialer, const format::Charter& charter,
                     const agent::WriterKeys& writer, MemorySource& source,
                     const agent::LinkPolicy& policy, std::uint64_t upload_bytes_per_s)
    : Run(ports, std::move(dialer)),
      scan_(source, 16),
      contents_(std::make_shared<const Files>(source.contents())) {
  connect(charter.nodes, writer.repository, policy);
  agent::BackupRequest request = backup_request(charter);
  request.upload_bytes_per_s = upload_bytes_per_s;
  session_ = std::make_unique<agent::BackupSession>(ports_, source, scan_, writer, links(),
                                                    std::move(request),
                                                    [this](Result<agent::BackupReport> report) {
                                                      result_.emplace(std::move(report));
                                                      done_ = true;
                                                    });
  session_->start();
}

RestoreRun::RestoreRun(RunPorts ports, std::unique_ptr<Dialer> dialer,
                       const std::vector<format::CharterNode>& nodes,
                       std::shared_ptr<const agent::ReaderKeys> reader,
                       format::SignedManifest snapshot, const agent::LinkPolicy& policy)
    : Run(ports, std::move(dialer)),
      snapshot_(std::move(snapshot)),
      reader_(std::move(reader)),
      fetcher_((connect(nodes, reader_->repository, policy), links()), reader_, ports_.loop,
               ports_.clock, ports_.executor),
      fetch_(fetcher_, ports_.files, ports_.loop, ports_.executor) {
  fetch_.start(snapshot_.manifest.root, snapshot_.bytes, kFetched, {},
               [this](Result<agent::FetchedCatalog> fetched) { take_catalog(std::move(fetched)); });
}

void RestoreRun::take_catalog(Result<agent::FetchedCatalog> fetched) {
  if (!fetched) {
    outcome_ = std::move(fetched).error();
    done_ = true;
    return;
  }
  if (!fetched->lost.empty()) outcome_ = fetched->lost.front().error;
  restore_ = std::make_unique<agent::RestoreSession>(fetcher_, ports_.files, target_, nullptr,
                                                     reader_, ports_.loop, ports_.executor);
  restore_->start(kFetched, {}, [this](Result<agent::RestoreResult> restored) {
    take_files(std::move(restored));
  });
}

void RestoreRun::take_files(Result<agent::RestoreResult> restored) {
  done_ = true;
  if (!restored) {
    outcome_ = std::move(restored).error();
    return;
  }
  if (outcome_ && !restored->problems.empty()) outcome_ = restored->problems.front().error;
  for (const auto& [path, node] : target_.nodes())
    if (node.entry.is_regular() && node.finished) files_[path] = node.content;
}

ListingRun::ListingRun(RunPorts ports, std::unique_ptr<Dialer> dialer,
                       const format::Charter& charter,
                       std::shared_ptr<const agent::ReaderKeys> reader,
                       const agent::LinkPolicy& policy)
    : Run(ports, std::move(dialer)),
      reader_(std::move(reader)),
      listing_((connect(charter.nodes, reader_->repository, policy), links()), charter,
               &reader_->private_key, ports_.loop, ports_.executor) {
  listing_.start([this](agent::SnapshotList list) {
    list_ = std::move(list);
    done_ = true;
  });
}

VerifyRun::VerifyRun(RunPorts ports, std::unique_ptr<Dialer> dialer, const format::Charter& charter,
                     std::shared_ptr<const agent::ReaderKeys> reader, bool read_data,
                     const agent::LinkPolicy& policy)
    : Run(ports, std::move(dialer)),
      reader_(std::move(reader)),
      listing_((connect(charter.nodes, reader_->repository, policy), links()), charter,
               &reader_->private_key, ports_.loop, ports_.executor),
      session_(links(), reader_, ports_.loop, ports_.clock, ports_.executor, ports_.random) {
  if (read_data) options_.read_data = agent::DataSubset{};
  options_.spot_checks = 4;
  listing_.start([this](agent::SnapshotList list) {
    session_.start(std::move(list), options_, [this](agent::VerifyResult result) {
      result_ = std::move(result);
      done_ = true;
    });
  });
}

RepairRun::RepairRun(RunPorts ports, std::unique_ptr<Dialer> dialer, const format::Charter& charter,
                     const agent::WriterKeys& writer,
                     std::shared_ptr<const agent::ReaderKeys> reader,
                     const agent::LinkPolicy& policy)
    : Run(ports, std::move(dialer)),
      writer_(writer),
      reader_(std::move(reader)),
      listing_((connect(charter.nodes, reader_->repository, policy), links()), charter,
               &reader_->private_key, ports_.loop, ports_.executor) {
  listing_.start([this](agent::SnapshotList list) {
    list_ = std::move(list);
    repair_next();
  });
}

void RepairRun::repair_next() {
  for (; next_ < links_.size(); ++next_) {
    auto missed = agent::missed_by(list_, next_);
    if (missed.empty() || links_[next_]->state() != agent::NodeLink::State::kReady) continue;
    std::vector<agent::NodeLink*> others = links();
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(next_));
    repair_ = std::make_unique<agent::NodeRepair>(
        agent::RepairPorts{ports_.loop, ports_.clock, ports_.executor, ports_.random}, writer_,
        reader_, *links_[next_], std::move(others));
    return repair_->start(std::move(missed), [this](agent::RepairReport report) {
      reports_.emplace(next_++, std::move(report));
      repair_next();
    });
  }
  done_ = true;
}

CallRun::CallRun(RunPorts ports, std::unique_ptr<Dialer> dialer,
                 const std::vector<format::CharterNode>& nodes, const RepositoryId& repository,
                 const Request& request, const agent::LinkPolicy& policy)
    : Run(ports, std::move(dialer)) {
  connect(nodes, repository, policy);
  for (std::size_t i = 0; i < links_.size(); ++i) {
    auto asked = request(i);
    if (!asked) continue;
    ++open_;
    links_[i]->call(*std::move(asked), {}, [this, i](Result<agent::NodeLink::Reply> reply) {
      replies_.emplace(i, std::move(reply));
      done_ = --open_ == 0;
    });
  }
  done_ = open_ == 0;
}

CharterRun::CharterRun(RunPorts ports, std::unique_ptr<Dialer> dialer,
                       std::vector<format::SignedCharter> charters, const agent::LinkPolicy& policy)
    : Run(ports, std::move(dialer)), charters_(std::move(charters)) {
  const format::Charter& newest = charters_.back().charter;
  connect(newest.nodes, newest.repository(), policy);
  open_ = links_.size();
  for (const auto& link : links_) ask(*link);
}

void CharterRun::ask(agent::NodeLink& link) {
  wire::RequestProto request;
  request.mutable_get_charter();
  link.call(std::move(request), {}, [this, &link](Result<agent::NodeLink::Reply> reply) {
    if (!reply && reply.error().code() == Code::kNoRepository)
      return put(link, charters_.back().charter.version);  // the first one here may be any
    if (!reply) return end(reply.error());
    const auto held = format::parse_charter(as_bytes(reply->proto.get_charter().record()),
                                            charters_.back().charter.repository());
    if (!held) return end(held.error());
    put(link, held->charter.version + 1);
  });
}

void CharterRun::put(agent::NodeLink& link, std::uint64_t version) {
  if (version > charters_.back().charter.version) {
    ++up_to_date_;
    return end({});
  }
  wire::RequestProto request;
  request.mutable_put_charter()->set_record(
      to_string(charters_[static_cast<std::size_t>(version - 1)].record));
  link.call(std::move(request), {}, [this, &link, version](Result<agent::NodeLink::Reply> reply) {
    if (!reply) return end(reply.error());
    put(link, version + 1);
  });
}

void CharterRun::end(const std::optional<Error>& refusal) {
  if (refusal) refusal_ = refusal;
  done_ = --open_ == 0;
}

}  // namespace holdfast::testing
