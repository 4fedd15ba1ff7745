// Memory that is not there, at every allocation there is. A parser throws std::bad_alloc, leaks
// nothing and says nothing wrong; a store that is left in the middle of whatever it did is a
// process that ends: what it had acknowledged is durable, and the next process goes on.
#include <gtest/gtest.h>

#include "common/format/credential.h"
#include "common/wire/message.h"
#include "tests/exhaustion/failing_allocation.h"
#include "tests/simulation/sim_random.h"
#include "tests/simulation/store_under_crashes.h"
#include "tests/testing/seed.h"
#include "tests/testing/test_charter.h"

namespace holdfast::testing {
namespace {

// Whatever allocation fails, `parse` throws, or takes its bytes for what they are.
template <typename Parse>
void expect_throws_or_parses(const char* what, const Parse& parse) {
  SCOPED_TRACE(what);
  bool parsed = false;
  const std::uint64_t allocations = fail_each_allocation(
      [&] { parsed = parse(); },
      [&](std::uint64_t nth, bool thrown) {
        EXPECT_TRUE(thrown || parsed) << "allocation " << nth << " failed, and good bytes are bad";
        return !::testing::Test::HasFailure();
      });
  EXPECT_TRUE(parsed);
  EXPECT_GT(allocations, 0U);
}

TEST(Exhaustion, ParsersThrowAndSayNothingWrong) {
  const SealedSnapshots snapshots(seed(), 1, 300);
  const auto& snapshot = snapshots.all()[0];
  expect_throws_or_parses("a frame",
                          [&] { return format::parse_frame(snapshot.root.bytes).has_value(); });
  expect_throws_or_parses(
      "a manifest", [&] { return format::parse_manifest(snapshot.manifest.bytes).has_value(); });
  const TestCharter charter(seed());
  const Bytes record = charter.sign().record;
  const RepositoryId repository = charter.repository();
  expect_throws_or_parses("a charter",
                          [&] { return format::parse_charter(record, repository).has_value(); });
  SeededRandom random(seed());
  const std::string credential = format::encode_credential(test_credential(random));
  expect_throws_or_parses("a credential",
                          [&] { return format::parse_credential(credential).has_value(); });

  wire::RequestProto request;
  request.set_repository(repository.str());
  request.mutable_present()->set_ids(std::string(32 * 100, 'x'));
  const Message message = wire::encode(request);
  expect_throws_or_parses("a request",
                          [&] { return wire::decode_request(message.head).has_value(); });
}

class StoreOutOfMemory final : public StoreUnderCrashes {
 public:
  explicit StoreOutOfMemory(const SealedSnapshots& snapshots)
      : StoreUnderCrashes(snapshots, {1200, 512, 0}) {
    create();
  }
  void work() override {
    open();
    const auto& all = snapshots().all();
    append_charter(1);
    put_all(all[0]);
    auto first = begin_sync();
    put(all[1].chunks);
    finish_sync(std::move(first));
    append_manifest(all[0]);
    sync();
    put(all[1].others);
    put(all[1].low);
    put(all[1].root);
    append_manifest(all[1]);
    sync();
    reindex();
    open();
  }
};

TEST(Exhaustion, StorePromisesNothingInVain) {
  const SealedSnapshots snapshots(seed(), 3, 300);
  simulation::SimRandom random(seed());
  std::unique_ptr<StoreOutOfMemory> store = std::make_unique<StoreOutOfMemory>(snapshots);
  std::uint64_t promised = 0;
  const std::uint64_t allocations = fail_each_allocation(
      [&] { store->work(); },
      [&](std::uint64_t nth, bool thrown) {
        SCOPED_TRACE("allocation " + std::to_string(nth));
        EXPECT_TRUE(thrown) << "a failed allocation was taken for something else";
        promised += store->promised();
        store->disk().crash(simulation::CrashKeeps::kNothing, random);
        store->end_process();
        store->recover();
        if (!::testing::Test::HasFailure()) store->check();
        if (!::testing::Test::HasFailure()) store->go_on();
        store = std::make_unique<StoreOutOfMemory>(snapshots);
        return !::testing::Test::HasFailure();
      });
  std::printf("%llu allocations failed\n", static_cast<unsigned long long>(allocations));
  EXPECT_GT(allocations, 500U);
  EXPECT_GT(promised, 0U);
}

}  // namespace
}  // namespace holdfast::testing
