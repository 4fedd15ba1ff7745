// `holdfast verify`: whether each node alone can restore every snapshot.
#include "agent/verify_session.h"
#include "cli/snapshot_access.h"
#include "cli/verify_output.h"

namespace holdfast::cli {

Result<int> verify(Session& session, const VerifyCommandOptions& given) {
  Workplace& work = session.work;
  agent::VerifyOptions options;
  if (given.read_data) options.read_data = agent::DataSubset{};
  if (!given.subset.empty()) {
    HOLDFAST_ASSIGN_OR(options.read_data, agent::parse_data_subset(given.subset),
                       "--read-data-subset");
  }
  HOLDFAST_ASSIGN(auto access, RepositoryAccess::open(work, session.output, session.access));
  HOLDFAST_ASSIGN(const auto keys, access->reader_keys());
  HOLDFAST_ASSIGN(agent::SnapshotList list, list_and_warn(session, *access, *keys));
  const std::size_t snapshots = list.snapshots.size();

  using Outcome = std::shared_ptr<agent::VerifyResult>;
  Outcome outcome;
  {
    agent::VerifySession run(access->links(), keys, work.loop, work.clock, work.pool, work.random);
    const ProgressDisplay display(work, session.output,
                                  [&] { return picture_of(run.so_far(), snapshots); });
    outcome = work.await<Outcome>([&](const std::function<void(Outcome)>& done) {
      run.start(std::move(list), options, [done](agent::VerifyResult result) {
        done(std::make_shared<agent::VerifyResult>(std::move(result)));
      });
    });
    work.drain();
  }
  print_report(session.output, *outcome);
  return exit_code_of(*outcome);
}

}  // namespace holdfast::cli
