// What an agent's machine keeps beside its catalogs, cut off at every call that changes its disk,
// and again at every call of the next start: what was seen of a repository, by which a rollback is
// noticed, and credentials. There is the old or the new, whole; and what was said to be kept is.
#include <gtest/gtest.h>

#include "agent/seen_heads.h"
#include "cli/credential_file.h"
#include "cli/local_state.h"
#include "tests/simulation/crash_points.h"
#include "tests/simulation/sim_random.h"
#include "tests/testing/seed.h"
#include "tests/testing/test_charter.h"

namespace holdfast::testing {
namespace {

using agent::SeenHeads;
using cli::LocalState;
using simulation::CrashSubject;
using simulation::explore_crashes;
using simulation::explore_errors;
using simulation::SimRandom;

// Versions of the charter and of what two agents did, as one machine comes to see them.
struct Sights {
  explicit Sights(std::uint64_t seed) : charter(seed), repository(charter.repository()) {
    for (std::uint64_t version = 1; version <= kCount; ++version) {
      charter.charter.version = version;
      charter.charter.previous =
          version == 1 ? std::nullopt : std::optional(charters.back().digest);
      charters.push_back(charter.sign());
    }
    for (auto& agent : agents) charter.random.fill(agent.bytes);
  }
  // All that there is once `version` is the newest: the second agent adds every other time.
  agent::SnapshotList list(std::uint64_t version) const {
    agent::SnapshotList list;
    list.nodes = {"node"};
    for (std::size_t i = 0; i < agents.size(); ++i) {
      agent::Snapshot snapshot;
      snapshot.manifest.manifest.agent = agents[i];
      snapshot.manifest.manifest.sequence = i == 0 ? version : version / 2 + 1;
      snapshot.manifest.id.bytes.fill(static_cast<Byte>(10 * version + i));
      if (i == 1) snapshot.manifest.id.bytes.fill(static_cast<Byte>(10 * (version / 2) + i));
      list.snapshots.push_back(std::move(snapshot));
    }
    return list;
  }
  std::map<AgentId, SeenHeads::Head> heads(std::uint64_t version) const {
    SeenHeads seen;
    if (version != 0) seen.advance(list(version));
    return seen.heads();
  }

  static constexpr std::uint64_t kCount = 40;
  TestCharter charter;
  RepositoryId repository;
  std::vector<format::SignedCharter> charters;  // from the first version on
  std::array<AgentId, 2> agents;
};

// Commands, one a process, each of which sees something newer or nothing new.
class MachineUnderCrashes final : public CrashSubject {
 public:
  explicit MachineUnderCrashes(const Sights& sights) : sights_(sights) {}

  void work() override {
    for (std::uint64_t version = 1; version <= 5; ++version) {
      recover();
      see(version);
    }
  }
  void end_process() override { local_.reset(); }
  void recover() override {
    end_process();
    auto opened = LocalState::open(disk(), sights_.repository);
    expect(opened ? Status() : Status(opened.error()), "open");
    if (!opened) return;
    auto charter = opened->known_charter();
    expect(charter ? Status() : Status(charter.error()), "load the charter");
    auto heads = SeenHeads::load(disk(), opened->heads_path());
    expect(heads ? Status() : Status(heads.error()), "load the heads");
    if (!charter || !heads) return;
    local_.emplace(std::move(*opened));
    charter_ = *charter ? (*charter)->charter.version : 0;
    heads_ = heads->heads();
    const auto head = heads_.find(sights_.agents[0]);
    version_ = head == heads_.end() ? 0 : head->second.sequence;
  }
  void settle() override { recover(); }
  void check() override {
    ASSERT_TRUE(local_);
    EXPECT_GE(charter_, kept_charter_) << "an older charter would not be noticed";
    EXPECT_LE(charter_, attempted_);
    EXPECT_GE(version_, kept_heads_) << "a rollback would not be noticed";
    EXPECT_LE(version_, attempted_);
    EXPECT_EQ(heads_, sights_.heads(version_));
  }
  std::uint64_t observed() override { return 100 * charter_ + version_; }
  std::uint64_t promised() const override { return 100 * kept_charter_ + kept_heads_; }
  // A command that relies on what it found; every other time something new is seen as well.
  void go_on() override {
    kept_charter_ = charter_;
    kept_heads_ = version_;
    if (version_ % 2 == 0) see(attempted_ + 1);
  }

 private:
  void see(std::uint64_t version) {
    if (!local_) return;
    attempted_ = version;
    const Status kept = local_->keep_charter(sights_.charters[version - 1]);
    expect(kept, "keep the charter");
    if (kept) kept_charter_ = version;
    const auto warnings =
        agent::compare_with_seen(disk(), local_->heads_path(), sights_.list(version));
    if (warnings.empty())
      kept_heads_ = version;
    else
      EXPECT_TRUE(excused()) << warnings[0];
  }

  const Sights& sights_;
  std::optional<LocalState> local_;
  std::map<AgentId, SeenHeads::Head> heads_;
  std::uint64_t charter_ = 0, version_ = 0;          // as loaded
  std::uint64_t kept_charter_ = 0, kept_heads_ = 0;  // said to be kept
  std::uint64_t attempted_ = 0;
};

// Credentials to paths that are free, and to one that is not.
class CredentialsUnderCrashes final : public CrashSubject {
 public:
  explicit CredentialsUnderCrashes(const std::vector<format::Credential>& credentials)
      : credentials_(credentials) {
    ::holdfast::check(make_directories(disk(), kFolder).has_value(), "the user has a folder");
  }

  void work() override {
    for (std::size_t i = 0; i < 3; ++i) write(i);
    if (written_.contains(0)) refuse(0, 1);
    write(3);
  }
  void end_process() override {}
  void recover() override {}
  void settle() override {}
  void check() override {
    for (std::size_t i = 0; i < attempted_; ++i) {
      const auto there = disk().exists(path(i));
      ASSERT_TRUE(there);
      EXPECT_TRUE(*there || !written_.contains(i)) << "lost: " << path(i);
      if (*there) {
        EXPECT_EQ(content(i), format::encode_credential(credentials_[i]));
      }
    }
  }
  std::uint64_t observed() override {
    std::uint64_t all = 0;
    for (std::size_t i = 0; i < attempted_; ++i)
      all = 2 * all + (disk().exists(path(i)).value() ? 1 : 0);
    return all;
  }
  std::uint64_t promised() const override { return written_.size(); }
  // Whoever was cut off begins again, with the same keys, as an export does, or with others.
  void go_on() override {
    for (std::size_t i = 0; i < attempted_; ++i) {
      if (disk().exists(path(i)).value())
        refuse(i, i + 1);
      else
        write(i);
    }
    write(attempted_);
  }

 private:
  static constexpr const char* kFolder = "/home/user";
  static std::string path(std::size_t i) {
    return std::string(kFolder) + "/" + std::to_string(i) + ".credential";
  }
  std::string content(std::size_t i) {
    const auto text = read_file(disk(), path(i), 1 << 20);
    return text ? to_string(*text) : text.error().message();
  }
  void write(std::size_t i) {
    attempted_ = std::max(attempted_, i + 1);
    const Status written = cli::write_credential(disk(), path(i), credentials_[i]);
    expect(written, "write a credential");
    if (written) written_.insert(i);
  }
  void refuse(std::size_t i, std::size_t other) {
    const Status written = cli::write_credential(disk(), path(i), credentials_[other]);
    ASSERT_FALSE(written);
    if (written.error().code() != Code::kAlreadyExists) expect(written, "refuse to overwrite");
  }

  const std::vector<format::Credential>& credentials_;
  std::size_t attempted_ = 0;
  std::set<std::size_t> written_;
};

class AgentCrashPoints : public ::testing::Test {
 protected:
  using Make = std::function<std::unique_ptr<CrashSubject>()>;

  static std::vector<format::Credential> credentials() {
    SeededRandom random(seed());
    std::vector<format::Credential> all;
    for (int i = 0; i < 6; ++i) all.push_back(test_credential(random));
    return all;
  }
  static void crash(const Make& make, std::uint64_t least) {
    SimRandom random(seed());
    const auto figures = explore_crashes(make, random);
    if (HasFailure()) return;
    std::printf("%s\n", describe(figures).c_str());
    EXPECT_GE(figures.states, least);
  }
  static void fail(const Make& make, std::uint64_t least) {
    SimRandom random(seed());
    const auto failed = explore_errors(make, random);
    if (HasFailure()) return;
    std::printf("%llu calls failed\n", static_cast<unsigned long long>(failed));
    EXPECT_GE(failed, least);
  }
  const Sights sights_{seed()};
  const std::vector<format::Credential> credentials_ = credentials();
};

TEST_F(AgentCrashPoints, WhatWasSeenOfARepositorySurvivesAllOfThem) {
  crash([&] { return std::make_unique<MachineUnderCrashes>(sights_); }, 100);
}

TEST_F(AgentCrashPoints, CredentialsSurviveAllOfThem) {
  crash([&] { return std::make_unique<CredentialsUnderCrashes>(credentials_); }, 50);
}

TEST_F(AgentCrashPoints, WhatWasSeenOfARepositoryIsKeptWhicheverCallFails) {
  fail([&] { return std::make_unique<MachineUnderCrashes>(sights_); }, 100);
}

TEST_F(AgentCrashPoints, CredentialsAreWholeOrNotThereWhicheverCallFails) {
  fail([&] { return std::make_unique<CredentialsUnderCrashes>(credentials_); }, 100);
}

// Nodes were rolled back, and at this moment the file with the heads cannot be read.
TEST(SeenHeads, ARollbackIsToldOnceTheFileCanBeReadAgainWhichItWasNotWhenTheListCame) {
  const Sights sights(seed());
  const auto after = sights.list(6), before = sights.list(3);
  for (std::uint64_t call = 1;; ++call) {
    SCOPED_TRACE("call " + std::to_string(call));
    simulation::SimFileSystem files;
    ASSERT_TRUE(agent::compare_with_seen(files, "/heads", after).empty());
    const std::uint64_t first = files.calls();
    files.fail_call(call, Code::kIo, false);
    EXPECT_FALSE(agent::compare_with_seen(files, "/heads", before).empty());
    const bool reached = files.calls() - first >= call;
    files.clear_faults();
    const auto warnings = agent::compare_with_seen(files, "/heads", before);
    ASSERT_EQ(warnings.size(), 2U) << "the heads were written over";
    EXPECT_NE(warnings[0].find("rolled back"), std::string::npos) << warnings[0];
    if (reached) continue;
    EXPECT_GT(call, 4U);
    return;
  }
}

TEST(LocalState, ACharterThatCannotBeReadIsNotOneThatIsNotThere) {
  const Sights sights(seed());
  simulation::SimFileSystem files;
  auto local = LocalState::open(files, sights.repository);
  ASSERT_TRUE(local);
  EXPECT_FALSE(local->known_charter().value());
  ASSERT_TRUE(local->keep_charter(sights.charters[2]));
  for (std::uint64_t call = 1;; ++call) {
    const std::uint64_t first = files.calls();
    files.fail_call(call, Code::kIo, false);
    const auto known = local->known_charter();
    const bool reached = files.calls() - first >= call;
    files.clear_faults();
    if (!reached) break;
    ASSERT_FALSE(known) << call;
    EXPECT_EQ(known.error().code(), Code::kIo);
  }
  const auto known = local->known_charter();
  ASSERT_TRUE(known && *known);
  EXPECT_EQ((*known)->charter.version, 3U);
}

}  // namespace
}  // namespace holdfast::testing
