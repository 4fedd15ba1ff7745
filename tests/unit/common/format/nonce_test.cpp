// A nonce is never used twice under one key. AES-GCM loses everything where it is, and nothing else
// would notice: what is sealed still opens. So this stands as a test of its own, over whatever
// seals: Tarsnap once lost its counter's increment in a refactoring.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <thread>

#include "common/format/manifest.h"
#include "tests/testing/seed.h"
#include "tests/testing/test_repository.h"

namespace holdfast::format {
namespace {

using holdfast::testing::seed;
using holdfast::testing::TestRepository;

// Of each sealed frame: its key (the run's envelope) and its nonce, as they lie in it.
using UsedNonces = std::multiset<std::pair<RunEnvelope, std::uint64_t>>;

UsedNonces seal_on_threads(TestRepository& repository, const RunKeys& run, int threads,
                           int frames) {
  FrameCounter counter;
  std::vector<UsedNonces> used(static_cast<std::size_t>(threads));
  std::vector<std::thread> workers;
  for (int worker = 0; worker < threads; ++worker)
    workers.emplace_back([&, worker] {
      FrameSealer sealer(run, repository.id, repository.agent, counter, 1);
      FrameContent content(worker % 2 == 0 ? FrameRole::kData : FrameRole::kMetadata);
      for (int i = 0; i < frames; ++i) {
        content.add(ObjectId{}, {}, as_bytes("the same content in every frame"));
        const SharedBytes frame = sealer.seal(content);
        const auto parsed = parse_frame(frame);
        used[static_cast<std::size_t>(worker)].emplace(parsed->header.envelope,
                                                       parsed->header.number);
      }
    });
  for (std::thread& worker : workers) worker.join();
  UsedNonces all;
  for (const UsedNonces& some : used) all.insert(some.begin(), some.end());
  return all;
}

TEST(FrameNonce, IsNeverRepeatedByTheThreadsOfARun) {
  TestRepository repository(seed());
  const UsedNonces used = seal_on_threads(repository, repository.run, 4, 200);
  const std::set<UsedNonces::value_type> distinct(used.begin(), used.end());
  EXPECT_EQ(distinct.size(), 800U);
  EXPECT_EQ(distinct.begin()->second, 1U);
  EXPECT_EQ(distinct.rbegin()->second, 800U);  // none skipped, none twice
}

TEST(FrameNonce, IsNeverRepeatedByTwoRuns) {
  TestRepository repository(seed());
  UsedNonces used;
  for (int run = 0; run < 20; ++run)
    used.merge(seal_on_threads(
        repository, begin_run(repository.random, repository.id, repository.public_key), 2, 10));
  EXPECT_EQ((std::set<UsedNonces::value_type>(used.begin(), used.end()).size()), 400U);
}

// The number in the header is the nonce in use: sealing the same plaintext gives bodies that are
// different, in each frame of a run and between runs.
TEST(FrameNonce, ChangesTheSealedBytes) {
  TestRepository repository(seed());
  std::set<std::string> bodies;
  for (int run = 0; run < 3; ++run) {
    for (int i = 0; i < 50; ++i) {
      const Bytes frame = repository.seal(FrameRole::kData, {{{}, to_bytes("the same")}});
      bodies.insert(to_string(parse_frame(frame)->body.first(16)));
    }
    repository.run = begin_run(repository.random, repository.id, repository.public_key);
  }
  EXPECT_EQ(bodies.size(), 150U);
}

TEST(RunKeys, AreNeverSharedByTwoRuns) {
  TestRepository repository(seed());
  std::set<std::string> keys;
  constexpr std::size_t kRuns = 200;
  for (std::size_t i = 0; i < kRuns; ++i) {
    const RunKeys run = begin_run(repository.random, repository.id, repository.public_key);
    keys.insert(to_string(run.frame_key.view()));
    keys.insert(to_string(run.detail_key.view()));
    keys.insert(to_string(run.envelope.ephemeral_key));
    keys.insert(to_string(run.envelope.commitment));
  }
  EXPECT_EQ(keys.size(), 4 * kRuns);
}

// The detail's nonce is a constant, so its key must seal nothing else: not a frame, and not a
// second detail when the agent's place in its order of snapshots has changed.
TEST(DetailNonce, SealsOneDetailARun) {
  TestRepository repository(seed());
  EXPECT_FALSE(crypto::equal_in_constant_time(repository.run.frame_key.view(),
                                              repository.run.detail_key.view()));
  Manifest manifest;
  manifest.repository = repository.id;
  manifest.agent = agent_id(repository.agent.verify_key());
  manifest.sequence = 1;
  const SignedManifest first = sign_manifest(manifest, {}, repository.run, repository.agent);
  Manifest later = first.manifest;
  later.sequence = 2;
  later.previous = first.id;
  EXPECT_EQ(sign_again(later, repository.agent).manifest.sealed_detail,
            first.manifest.sealed_detail);
}

}  // namespace
}  // namespace holdfast::format
