// Everything is built while the loop does not run yet, on the caller's thread; from then on the
// loop's thread owns it. The end goes the other way round: the node says that it is durable, the
// loop ends, the pool is drained (it may still hold a sync), and only then node and stores go.
#include "repository/posix/node_host.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/statvfs.h>

#include <filesystem>
#include <future>
#include <thread>

#include "common/posix/system_call.h"
#include "common/posix/system_random.h"
#include "common/posix/thread_pool.h"
#include "common/posix/zap_authenticator.h"
#include "repository/posix/folder_invitations.h"

namespace holdfast::repository {
namespace {

// A sync at a time for a repository or two; the loop itself does the rest.
constexpr unsigned kThreads = 2;
constexpr std::size_t kProbeBytes = 4096;
constexpr Duration kLockRetry = std::chrono::milliseconds(100);

// The node is made before its front, which needs it.
class Front final : public Responder {
 public:
  void connect(Responder* to) { to_ = to; }
  void reply(const Peer& peer, Message message) override {
    if (to_ != nullptr) to_->reply(peer, std::move(message));
  }
  void disconnect(const Peer& peer) override {
    if (to_ != nullptr) to_->disconnect(peer);
  }

 private:
  Responder* to_ = nullptr;
};

// Writes and syncs a block that nobody needs, in a file of its own.
Result<DiskSpace> probe_disk(FileSystem& files, const std::string& folder) {
  const std::string path = folder + "/probe";
  auto file = files.open(path, OpenMode::kReadWrite);
  if (!file && file.error().code() == Code::kNotFound)
    file = files.open(path, OpenMode::kCreateNew);
  if (!file) return std::move(file).error();
  const Bytes block(kProbeBytes);
  HOLDFAST_TRY((*file)->write_at(0, {block}));
  HOLDFAST_TRY((*file)->sync_data());
  struct statvfs space {};
  if (::statvfs(folder.c_str(), &space) != 0) return system_error("statvfs", folder);
  return DiskSpace{space.f_bavail * space.f_frsize, space.f_blocks * space.f_frsize};
}

// Tries again and again on a loop of its own, since the lock tells nobody when it is free.
Result<std::unique_ptr<FileLock>> lock_patiently(DataFolder& folder, const LockPatience& patience) {
  auto lock = folder.lock();
  const auto in_use = [&] { return !lock && lock.error().code() == Code::kConflict; };
  if (!in_use() || patience.timeout <= Duration{0}) return lock;
  if (patience.wait && !patience.wait(lock.error())) return lock;
  PollLoop loop;
  const Instant deadline = loop.clock().now() + patience.timeout;
  std::function<void()> try_again = [&] {
    lock = folder.lock();
    if (!in_use() || loop.clock().now() >= deadline) return loop.stop();
    loop.after(kLockRetry, try_again);
  };
  loop.after(kLockRetry, try_again);
  loop.run();
  return lock;
}

}  // namespace

struct NodeHost::State {
  State(DataFolder its_folder, std::unique_ptr<FileLock> its_lock, EventLog& its_log,
        HostOptions its_options, bool embedded)
      : folder(std::move(its_folder)),
        lock(std::move(its_lock)),
        log(its_log),
        options(std::move(its_options)),
        id(folder.id()),
        shelf(folder.shelf(options.store)),
        invitations(folder.files(), clock, folder.invites_path()),
        pool(std::make_unique<ThreadPool>(kThreads, "node-sync")),
        node(NodeOptions{.id = id,
                         .program = options.program,
                         .embedded = embedded,
                         .limits = options.limits},
             NodePorts{loop, *pool, clock, random, front, shelf, invitations, log}) {}
  ~State() {
    zmq_front.reset();
    in_process_front.reset();
    pool.reset();
    probe_pool.reset();
  }

  DataFolder folder;
  std::unique_ptr<FileLock> lock;
  EventLog& log;
  const HostOptions options;
  const NodeId id;
  std::string endpoint;

  SystemClock clock;
  const UnixTime started_at = clock.wall();
  SystemRandom random;
  PollLoop loop;
  FolderShelf shelf;
  FolderInvitations invitations;
  Front front;
  std::unique_ptr<ThreadPool> pool;
  Node node;

  struct ZmqFront {
    explicit ZmqFront(State& state)
        : authenticator(context, state.loop,
                        [&state](const CurveKey& key) { return state.node.admits(key); }),
          listener(context, state.loop, authenticator, state.folder.keys().clone(), state.node,
                   state.options.listener) {}
    ZmqContext context;
    ZapAuthenticator authenticator;
    ZmqListener listener;
  };
  std::unique_ptr<ZmqFront> zmq_front;
  std::unique_ptr<InProcessNode> in_process_front;
  std::unique_ptr<ThreadPool> probe_pool;
  std::optional<DiskProbe> probe;
  std::string told;  // as status
  std::thread thread;

  void begin_to_probe();
  void on_disk_changed(const std::optional<Error>& trouble);
  void tell_status();
  HostFigures figures();
};

void NodeHost::State::begin_to_probe() {
  probe_pool = std::make_unique<ThreadPool>(1, "node-probe");
  probe.emplace(
      DiskProbe::Ports{loop, *probe_pool, clock}, options.probe,
      [this] { return probe_disk(folder.files(), folder.path()); },
      DiskProbe::Hooks{[this] { options.alive(); },
                       [this](const auto& trouble) { on_disk_changed(trouble); }});
  probe->start();
  tell_status();
}

void NodeHost::State::on_disk_changed(const std::optional<Error>& trouble) {
  if (trouble)
    log.note({Severity::kError, "disk_unwell",
              fmt::format("the disk of {} is unwell: {}", folder.path(), trouble->message())});
  else
    log.note(
        {Severity::kInfo, "disk_well", fmt::format("the disk of {} is well again", folder.path())});
}

// Of what costs nothing to know.
void NodeHost::State::tell_status() {
  std::string now = !zmq_front->listener.listening() ? "Agents cannot connect"
                    : probe->trouble() ? "The disk is unwell: " + probe->trouble()->message()
                                       : fmt::format("Serves {} repositories at {}, {} connections",
                                                     node.repositories(), endpoint,
                                                     zmq_front->listener.connections());
  if (now != told) options.status(told = std::move(now));
  loop.after(options.probe.interval, [this] { tell_status(); });
}

HostFigures NodeHost::State::figures() {
  HostFigures figures;
  figures.node = node.figures();
  figures.name = folder.configuration().name;
  figures.started_at = started_at;
  if (zmq_front != nullptr) {
    figures.listening = zmq_front->listener.listening();
    figures.connections = zmq_front->listener.connections();
    figures.listener = zmq_front->listener.counters();
    figures.handshakes = zmq_front->authenticator.counters();
  }
  if (probe) {
    figures.disk = probe->space();
    figures.disk_trouble = probe->trouble();
    figures.disk_probe_took = probe->took();
  }
  return figures;
}

Result<std::unique_ptr<NodeHost>> NodeHost::serve(DataFolder folder, EventLog& log,
                                                  HostOptions options) {
  const std::string listen = folder.configuration().listen;
  if (listen.empty())
    return Error(Code::kInvalidArgument,
                 fmt::format("the node in {} has no address; `holdfast-node init` with --listen "
                             "gives it one",
                             folder.path()));
  HOLDFAST_ASSIGN(auto lock, folder.lock());
  auto state = std::make_unique<State>(std::move(folder), std::move(lock), log, std::move(options),
                                       /*embedded=*/false);
  HOLDFAST_TRY(state->node.start());
  state->zmq_front = std::make_unique<State::ZmqFront>(*state);
  HOLDFAST_TRY(state->zmq_front->authenticator.start());
  HOLDFAST_TRY(state->zmq_front->listener.bind(listen));
  state->endpoint = state->zmq_front->listener.endpoint();
  // For who asks on this machine. A full disk is no reason to give nothing back.
  if (Status written = state->folder.write_endpoint(state->endpoint); !written)
    log.note(
        {Severity::kWarning, "endpoint_unwritten",
         fmt::format("where it listens could not be written down: {}", written.error().message())});
  state->front.connect(&state->zmq_front->listener);
  return std::unique_ptr<NodeHost>(new NodeHost(std::move(state)));
}

Result<std::unique_ptr<NodeHost>> NodeHost::embed(DataFolder folder, InProcessNetwork& network,
                                                  EventLog& log, LockPatience patience,
                                                  HostOptions options) {
  HOLDFAST_ASSIGN(auto lock, lock_patiently(folder, patience));
  auto state = std::make_unique<State>(std::move(folder), std::move(lock), log, std::move(options),
                                       /*embedded=*/true);
  HOLDFAST_TRY(state->node.start());
  state->endpoint = embedded_endpoint(state->folder.path());
  HOLDFAST_ASSIGN(state->in_process_front,
                  InProcessNode::listen(network, state->endpoint, state->loop, state->node));
  state->front.connect(state->in_process_front.get());
  return std::unique_ptr<NodeHost>(new NodeHost(std::move(state)));
}

NodeHost::NodeHost(std::unique_ptr<State> state)
    : endpoint_(state->endpoint), id_(state->id), state_(std::move(state)) {
  if (state_->zmq_front != nullptr) state_->begin_to_probe();
  state_->thread = std::thread([loop = &state_->loop] {
    sigset_t all;  // signals are for the thread that expects them
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    loop->run();
  });
}

NodeHost::~NodeHost() { static_cast<void>(stop()); }

Result<std::shared_ptr<const HostFigures>> NodeHost::figures(Duration patience) {
  // Shared: the loop may still come to it when nobody waits any more.
  using Promise = std::promise<std::shared_ptr<const HostFigures>>;
  const auto promise = std::make_shared<Promise>();
  auto answer = promise->get_future();
  state_->loop.post([state = state_.get(), promise] {
    promise->set_value(std::make_shared<const HostFigures>(state->figures()));
  });
  if (answer.wait_for(patience) == std::future_status::ready) return answer.get();
  return Error(Code::kTimedOut, fmt::format("the node's loop did not answer within {:.1f} s",
                                            std::chrono::duration<double>(patience).count()));
}

Status NodeHost::stop() {
  if (state_ == nullptr) return {};
  std::promise<Status> outcome;
  state_->loop.post([this, &outcome] {
    state_->node.stop([&outcome](const Status& result) { outcome.set_value(result); });
  });
  Status result = outcome.get_future().get();
  state_->loop.stop();
  state_->thread.join();
  state_.reset();
  return result;
}

std::string embedded_endpoint(const std::string& path) {
  return "dir:" + std::filesystem::absolute(path).lexically_normal().string();
}

}  // namespace holdfast::repository
