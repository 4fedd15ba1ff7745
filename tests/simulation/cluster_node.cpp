#include "tests/simulation/cluster_node.h"

#include "common/base/check.h"
#include "common/wire/message.h"

namespace holdfast::testing {
namespace {

// Small segments, so that a few snapshots have many.
constexpr repository::StoreLimits kStoreLimits{96 << 10, 16 << 10, 0};
// Less than many a frame, so that agents have to wait for it.
constexpr std::uint64_t kWindowBytes = 8 << 10;
constexpr const char* kRepositories = "/repositories";
constexpr Peer kAsker{~std::uint64_t{0} - 1, {}};

}  // namespace

ClusterNode::ClusterNode(std::string name, SimLoop& loop, SimNetwork& network, Random& random)
    : name_(std::move(name)),
      network_(network),
      random_(random),
      machine_(loop),
      port_(network, name_) {
  random.fill(id_.bytes);
  check(start(), "a simulated node starts on an empty disk");
}

ClusterNode::~ClusterNode() { network_.listen(name_, nullptr); }

bool ClusterNode::start() {
  check(!running(), "a simulated node is started twice");
  process_lives_ = std::make_shared<bool>(true);
  shelf_ = std::make_unique<repository::FolderShelf>(
      disk_, kRepositories, id_,
      [this](const std::string& path) -> Result<std::unique_ptr<repository::ObjectIndex>> {
        auto& index = indexes_[path];
        if (!index) index = std::make_shared<repository::MemoryIndex>();
        return std::unique_ptr<repository::ObjectIndex>(
            std::make_unique<MachineIndex>(index, process_lives_));
      },
      kStoreLimits);
  repository::NodeOptions options;
  options.id = id_;
  options.embedded = true;  // for the owner and who looks on; agents have keys of their own
  options.window_bytes = kWindowBytes;
  node_ = std::make_unique<repository::Node>(
      options, repository::NodePorts{machine_, machine_, machine_, random_, *this, *shelf_,
                                     invitations_, *log_});
  if (!node_->start()) {
    end_process();
    return false;
  }
  network_.listen(name_, this);
  return true;
}

void ClusterNode::end_process() {
  network_.listen(name_, nullptr);
  if (process_lives_) *process_lives_ = false;
  machine_.kill();
  node_.reset();
  shelf_.reset();
}

void ClusterNode::kill() {
  end_process();
  disk_.kill();
}

void ClusterNode::crash(simulation::CrashKeeps keeps) {
  end_process();
  disk_.crash(keeps, random_);
  for (auto entry = indexes_.begin(); entry != indexes_.end();) {
    repository::MemoryIndex& index = *entry->second;
    const std::size_t most = index.unflushed_batches();
    index.crash(keeps == simulation::CrashKeeps::kEverything ? most
                : keeps == simulation::CrashKeeps::kNothing
                    ? 0
                    : static_cast<std::size_t>(random_.below(most + 1)));
    // It lies in the folder of its repository, and goes with it.
    const bool has_home = disk_.exists(parent_path(entry->first)).value_or(false);
    entry = has_home ? std::next(entry) : indexes_.erase(entry);
  }
}

void ClusterNode::stop() {
  if (!running()) return;
  node_->stop([this](const Status&) {
    // Not from within the node.
    machine_.post([this] {
      shelf_.reset();
      network_.listen(name_, nullptr);
      node_.reset();
      kill();
    });
  });
}

bool ClusterNode::serves(const RepositoryId& repository) {
  if (!running() || machine_.paused()) return false;
  wire::RequestProto request;
  request.set_id(2);
  request.set_repository(repository.str());
  request.mutable_get_charter();
  const auto reply = ask(wire::encode(request));
  const auto decoded = reply ? wire::decode_reply(reply->head)
                             : Result<wire::ReplyProto>(Error(Code::kUnavailable, "no answer"));
  return decoded && !decoded->has_error();
}

std::vector<std::string> ClusterNode::segments(const RepositoryId& repository) {
  const std::string folder = std::string(kRepositories) + "/" + repository.hex() + "/segments";
  const auto files = disk_.list(folder);
  std::vector<std::string> paths;
  if (!files) return paths;
  for (const DirectoryEntry& file : *files) paths.push_back(folder + "/" + file.name);
  return paths;
}

std::string ClusterNode::a_segment(const RepositoryId& repository) {
  std::string largest;
  for (const std::string& path : segments(repository))
    if (largest.empty() || disk_.size_of(path) > disk_.size_of(largest)) largest = path;
  return largest;
}

ClusterNode::Image ClusterNode::image() const {
  Image image{disk_.image(), {}};
  for (const auto& [path, index] : indexes_) {
    repository::MemoryIndex copy = *index;
    copy.crash(0);
    image.indexes.emplace(path, std::move(copy));
  }
  return image;
}

void ClusterNode::restore(const Image& image, bool with_index) {
  check(!running(), "the disk of a node that runs is replaced");
  disk_.restore(image.disk);
  indexes_.clear();
  if (!with_index) return;
  for (const auto& [path, index] : image.indexes)
    indexes_[path] = std::make_shared<repository::MemoryIndex>(index);
}

void ClusterNode::on_message(const Peer& peer, Message message) {
  machine_.run([this, peer, message = std::move(message)]() mutable {
    if (!running()) return;
    if (lies_ &&
        lies_->swallows(message, [&](Message said) { port_.reply(peer, std::move(said)); }))
      return;
    network_.note_arrival(name_, peer);
    node_->on_message(peer, std::move(message));
  });
}

void ClusterNode::on_disconnect(const Peer& peer) {
  machine_.run([this, peer] {
    if (running()) node_->on_disconnect(peer);
  });
}

void ClusterNode::reply(const Peer& peer, Message message) {
  if (disk_.stopped()) return;  // so is everything else of the machine
  if (peer.connection == kAsker.connection) {
    asked_ = std::move(message);
    return;
  }
  if (lies_) lies_->alter(message);
  port_.reply(peer, std::move(message));
}

std::optional<Message> ClusterNode::ask(Message request) {
  if (!running()) return std::nullopt;
  asked_.reset();
  disk_.suspend_faults(true);
  node_->on_message(kAsker, std::move(request));
  disk_.suspend_faults(false);
  return std::exchange(asked_, std::nullopt);
}

}  // namespace holdfast::testing
