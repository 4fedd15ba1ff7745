#include "tests/simulation/fault_injector.h"

#include <algorithm>

#include "tests/simulation/lying_node.h"

namespace holdfast::testing {
namespace {

using simulation::CrashKeeps;
using simulation::StopPoint;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::uint64_t kEventsBetweenImages = 3'000;
constexpr unsigned kMostFailedStarts = 5;

// Mostly short, sometimes long: each power of two between both as likely.
Duration draw_span(Random& random, Duration least, Duration most) {
  std::uint64_t doublings = 0;
  for (Duration d = least; d < most; d *= 2) ++doublings;
  const Duration base = least * (std::int64_t{1} << random.below(doublings + 1));
  return base / 2 + Duration(static_cast<std::int64_t>(
                        random.below(static_cast<std::uint64_t>(base.count()))));
}

}  // namespace

FaultInjector::FaultInjector(Scene scene, const SwarmPlan& plan,
                             std::function<void(ClusterAgent&)> kill_agent)
    : scene_(scene),
      kill_agent_(std::move(kill_agent)),
      random_(plan.seed ^ 0x7265'7061'6972),
      next_image_(kEventsBetweenImages) {
  for (const auto& [fault, every] : plan.faults) {
    SeededRandom random(plan.seed * 0x9e3779b97f4a7c15 + static_cast<std::uint64_t>(fault));
    const std::uint64_t first = 200 + random.below(2 * every);
    streams_.push_back({fault, every, first, 0, std::move(random)});
  }
  scene_.cluster.network.set_faults(plan.network);
}

void FaultInjector::count(Fault fault) {
  for (Stream& stream : streams_)
    if (stream.fault == fault) ++stream.count;
}

std::map<Fault, std::uint64_t> FaultInjector::counts() const {
  std::map<Fault, std::uint64_t> counts;
  for (const Stream& stream : streams_) counts[stream.fault] = stream.count;
  const NetworkFigures& figures = scene_.cluster.network.figures();
  if (counts.contains(Fault::kRepetition)) counts[Fault::kRepetition] = figures.repeated;
  if (counts.contains(Fault::kDelay)) counts[Fault::kDelay] = figures.delayed;
  if (counts.contains(Fault::kLoss)) counts[Fault::kLoss] = figures.lost;
  return counts;
}

void FaultInjector::after_event() {
  meet_stopped_machines();
  const std::uint64_t event = scene_.cluster.loop.steps();
  if (ended_ || event < soonest_) return;
  if (event >= next_image_) take_images();
  soonest_ = next_image_;
  for (Stream& stream : streams_) {
    if (event >= stream.next) {
      stream.next = event + 1 + stream.random.below(2 * stream.every);
      if (inject(stream)) {
        ++stream.count;
        scene_.journal.note("fault: {}{}", name_of(stream.fault), where_);
      }
    }
    soonest_ = std::min(soonest_, stream.next);
  }
}

bool FaultInjector::inject(Stream& stream) {
  const std::size_t victim = stream.random.below(scene_.cluster.nodes.size());
  where_ = " on " + node(victim).name();
  switch (stream.fault) {
    case Fault::kLoss:
    case Fault::kRepetition:
    case Fault::kDelay:
    case Fault::kLyingAgent:
      stream.next = ~std::uint64_t{0};  // the network's own, and the workload's
      return false;
    case Fault::kSlowLink:
    case Fault::kPartition:
    case Fault::kOneWayPartition:
    case Fault::kFlapping:
      return inject_network(stream);
    case Fault::kTornWrite:
    case Fault::kBitRot:
    case Fault::kMisdirectedRead:
    case Fault::kMisdirectedWrite:
    case Fault::kIoError:
    case Fault::kDiskFull:
    case Fault::kFailedSync:
    case Fault::kDiskEmptied:
    case Fault::kDiskRolledBack:
      return inject_disk(stream, victim);
    case Fault::kCrash:
    case Fault::kIndexLost:
    case Fault::kPause:
    case Fault::kRestart:
    case Fault::kClockJump:
    case Fault::kLyingNode:
      return inject_process(stream, victim);
    case Fault::kAgentKilled:
    case Fault::kCatalogLost:
    case Fault::kCatalogStale:
      return inject_agent(stream);
  }
  return false;
}

// ---- network

void FaultInjector::undo_later(Duration span, std::function<void()> undo) {
  scene_.cluster.loop.after(span, [this, alive = alive_, undo = std::move(undo)] {
    if (*alive && !ended_) undo();
  });
}

void FaultInjector::cut(const std::string& from, const std::string& to, Duration span) {
  scene_.cluster.network.cut(from, to);
  undo_later(span, [this, from, to] { scene_.cluster.network.mend(from, to); });
}

void FaultInjector::flap(const std::string& name, int times, Duration span) {
  if (times == 0) return;
  cut(name, "", span);
  undo_later(3 * span, [this, name, times, span] { flap(name, times - 1, span); });
}

bool FaultInjector::inject_network(Stream& stream) {
  Cluster& cluster = scene_.cluster;
  Random& random = stream.random;
  const std::string& name = node(random.below(cluster.nodes.size())).name();
  where_ = " at " + name;
  // One agent and one node, or the node and everybody.
  const std::string other =
      random.below(2) == 0 ? "" : cluster.agents[random.below(cluster.agents.size())]->name;
  const Duration span = draw_span(random, milliseconds(100), hours(40));
  switch (stream.fault) {
    case Fault::kSlowLink:
      cluster.network.slow_down(name, draw_span(random, milliseconds(5), seconds(4)));
      undo_later(span, [this, name] { scene_.cluster.network.slow_down(name, Duration(0)); });
      return true;
    case Fault::kPartition:
      cut(name, other, span);
      cut(other, name, span);
      return true;
    case Fault::kOneWayPartition:
      if (random.below(2) == 0)
        cut(name, other, span);
      else
        cut(other, name, span);
      return true;
    default:
      flap(name, static_cast<int>(2 + random.below(20)),
           draw_span(random, milliseconds(50), seconds(10)));
      return true;
  }
}

// ---- disks

void FaultInjector::take_images() {
  next_image_ = scene_.cluster.loop.steps() + kEventsBetweenImages;
  const std::size_t i = random_.below(scene_.cluster.nodes.size());
  if (scene_.model.scarred(i))
    images_.erase(i);
  else
    images_.insert_or_assign(i, node(i).image());
  ClusterAgent& agent = *scene_.cluster.agents[random_.below(scene_.cluster.agents.size())];
  catalog_images_[agent.name] = agent.disk.image();
}

// A machine that stopped within a call says nothing from then on.
void FaultInjector::meet_stopped_machines() {
  for (std::size_t i = 0; i < scene_.cluster.nodes.size(); ++i) {
    if (!node(i).disk().stopped()) continue;
    crash(i, CrashKeeps::kSome);
    restart_later(i);
  }
}

bool FaultInjector::rot(std::size_t i, Random& random) {
  const auto segments = node(i).segments(scene_.cluster.repository);
  if (segments.empty() || !scene_.model.may_doubt(i)) return false;
  const int bits = static_cast<int>(1 + random.below(3));
  for (int k = 0; k < bits; ++k) {
    const std::string& path = segments[random.below(segments.size())];
    const std::uint64_t size = node(i).disk().size_of(path);
    if (size != 0)
      node(i).disk().flip_bit(path, random.below(size), static_cast<unsigned>(random.below(8)));
  }
  scene_.model.scar(i);
  scene_.model.doubt(i);
  return true;
}

bool FaultInjector::empty_disk(std::size_t i) {
  if (!scene_.model.may_lose(i)) return false;
  crash(i, CrashKeeps::kNothing);
  node(i).lose_disk();
  scene_.model.lose(i);
  scene_.model.heal_scars(i);
  if (!node(i).lies()) scene_.model.trust(i);
  restart_later(i);
  return true;
}

bool FaultInjector::roll_back(std::size_t i, Random& random) {
  const auto image = images_.find(i);
  // What is wrong with the disk now may be wrong with its image, too.
  if (image == images_.end() || scene_.model.doubtful(i) || scene_.model.scarred(i) ||
      !scene_.model.may_lose(i))
    return false;
  crash(i, CrashKeeps::kNothing);
  node(i).restore(image->second, random.below(2) == 0);
  scene_.model.lose(i);
  restart_later(i);
  return true;
}

bool FaultInjector::inject_disk(Stream& stream, std::size_t i) {
  Random& random = stream.random;
  simulation::SimFileSystem& disk = node(i).disk();
  switch (stream.fault) {
    case Fault::kBitRot:
      return rot(i, random);
    case Fault::kDiskEmptied:
      return empty_disk(i);
    case Fault::kDiskRolledBack:
      return roll_back(i, random);
    default:
      break;
  }
  if (!node(i).running() || disk.stopped()) return false;
  switch (stream.fault) {
    case Fault::kTornWrite:
      disk.stop_at(1 + random.below(20), static_cast<StopPoint>(random.below(3)), random);
      return true;
    case Fault::kMisdirectedRead:
    case Fault::kMisdirectedWrite:
      if (!scene_.model.may_doubt(i)) return false;
      scene_.model.scar(i);
      scene_.model.doubt(i);
      if (stream.fault == Fault::kMisdirectedRead)
        disk.misdirect_read(random);
      else
        disk.misdirect_write(random);
      return true;
    case Fault::kIoError:
      disk.fail_call(1 + random.below(60), Code::kIo, random.below(4) == 0);
      undo_later(draw_span(random, milliseconds(10), hours(1)),
                 [&disk] { disk.fail_call(0, Code::kIo, false); });
      return true;
    case Fault::kFailedSync:
      disk.fail_sync(1 + random.below(4));
      return true;
    default:
      disk.set_capacity(disk.used_bytes() + random.below(40'000));
      undo_later(draw_span(random, milliseconds(10), hours(40)),
                 [&disk] { disk.set_capacity(std::nullopt); });
      return true;
  }
}

// ---- processes

void FaultInjector::crash(std::size_t i, CrashKeeps keeps) {
  if (keeps == CrashKeeps::kEverything)
    node(i).kill();  // of the process alone
  else
    node(i).crash(keeps);
  if (keeps == CrashKeeps::kSome) scene_.model.tear(i);
  scene_.wire.process_ended(i);
}

void FaultInjector::restart_later(std::size_t i, Duration most) {
  const Duration span = draw_span(random_, milliseconds(5), most);
  scene_.cluster.loop.after(ended_ ? milliseconds(1) : span, [this, alive = alive_, i] {
    if (*alive && !node(i).running()) start(i);
  });
}

void FaultInjector::start(std::size_t i) {
  scene_.wire.process_ended(i);
  const bool started = node(i).start();
  const Status state = started ? scene_.auditor.state(i) : Status(Error(Code::kIo, "not started"));
  if (state || state.error().code() == Code::kNoRepository) {
    scene_.journal.note("{} runs{}", node(i).name(), state ? "" : ", without the repository");
    failed_starts_.erase(i);
    scene_.auditor.suspect(i, true);
    return;
  }
  scene_.journal.note("{} cannot open its repository: {}", node(i).name(), state.error().message());
  if (++failed_starts_[i] >= kMostFailedStarts) {
    // Its operator gives up and puts in another disk. Nothing but damage can bring that about.
    scene_.verdict.require(scene_.model.scarred(i), "an-unharmed-disk-opens", [&] {
      return node(i).name() + " cannot open its repository: " + state.error().message();
    });
    crash(i, CrashKeeps::kEverything);
    node(i).lose_disk();
    scene_.model.lose(i);
    scene_.model.heal_scars(i);
    if (!node(i).lies()) scene_.model.trust(i);
  } else {
    crash(i, CrashKeeps::kEverything);
  }
  restart_later(i);
}

bool FaultInjector::begin_lies(std::size_t i, Random& random) {
  if (node(i).lies() || !scene_.model.may_doubt(i)) return false;
  const Lie lie = static_cast<Lie>(random.below(kLieCount));
  scene_.journal.note("{} lies: {}", node(i).name(), name_of(lie));
  scene_.model.doubt(i);
  node(i).set_lies(make_lies(lie, random));
  undo_later(draw_span(random, minutes(1), hours(60)), [this, i] { end_lies(i); });
  return true;
}

// Whoever was the liar is thrown out; what takes its place has an empty disk.
void FaultInjector::end_lies(std::size_t i) {
  if (!node(i).lies()) return;
  node(i).set_lies(nullptr);
  crash(i, CrashKeeps::kNothing);
  node(i).lose_disk();
  scene_.model.lose(i);
  scene_.model.heal_scars(i);
  scene_.model.trust(i);
  restart_later(i);
}

bool FaultInjector::inject_process(Stream& stream, std::size_t i) {
  Random& random = stream.random;
  ClusterNode& victim = node(i);
  if (stream.fault == Fault::kLyingNode) return begin_lies(i, random);
  if (stream.fault == Fault::kClockJump) {
    constexpr std::int64_t kDays = 365 * 10;
    const auto days = static_cast<std::int64_t>(random.below(2 * kDays)) - kDays;
    SimMachine& machine =
        random.below(4) != 0
            ? victim.machine()
            : scene_.cluster.agents[random.below(scene_.cluster.agents.size())]->machine;
    machine.set_skew(hours(24) * days);
    return true;
  }
  if (!victim.running()) return false;
  switch (stream.fault) {
    case Fault::kCrash:
      crash(i, static_cast<CrashKeeps>(random.below(3)));
      restart_later(i);
      return true;
    case Fault::kIndexLost:
      crash(i, static_cast<CrashKeeps>(random.below(3)));
      victim.lose_index();
      restart_later(i);
      return true;
    case Fault::kRestart:
      victim.stop();
      // Whether it was done with what it had to do by then, or not.
      undo_later(draw_span(random, milliseconds(100), minutes(10)), [this, i] {
        if (node(i).running()) crash(i, CrashKeeps::kEverything);
        start(i);
      });
      return true;
    default:
      victim.machine().pause();
      undo_later(draw_span(random, milliseconds(10), minutes(5)),
                 [&victim] { victim.machine().resume(); });
      return true;
  }
}

// ---- agents

bool FaultInjector::inject_agent(Stream& stream) {
  Random& random = stream.random;
  ClusterAgent& agent = *scene_.cluster.agents[random.below(scene_.cluster.agents.size())];
  where_ = " on " + agent.name;
  kill_agent_(agent);
  agent.machine.kill();
  agent.disk.crash(static_cast<CrashKeeps>(random.below(3)), random);
  if (stream.fault == Fault::kCatalogLost) agent.disk.restore(nullptr);
  if (stream.fault == Fault::kCatalogStale) {
    const auto image = catalog_images_.find(agent.name);
    if (image == catalog_images_.end()) return false;
    agent.disk.restore(image->second);
  }
  return true;
}

// ---- the end

void FaultInjector::end() {
  ended_ = true;
  Cluster& cluster = scene_.cluster;
  cluster.network.set_faults({});
  cluster.network.heal();
  for (const auto& agent : cluster.agents) agent->machine.set_skew(Duration(0));
  for (std::size_t i = 0; i < cluster.nodes.size(); ++i) {
    ClusterNode& one = node(i);
    one.machine().set_skew(Duration(0));
    one.machine().resume();
    one.disk().clear_faults();
    one.disk().set_capacity(std::nullopt);
    if (one.lies())
      end_lies(i);
    else if (!one.running())
      restart_later(i);
    else if (scene_.auditor.state(i).has_value() ||
             scene_.auditor.state(i).error().code() == Code::kNoRepository)
      continue;
    else {
      crash(i, CrashKeeps::kEverything);
      restart_later(i);
    }
  }
}

}  // namespace holdfast::testing
