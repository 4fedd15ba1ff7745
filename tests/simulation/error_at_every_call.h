// What tests share that back up, restore or verify while one call after the other fails.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/simulation/cluster.h"
#include "tests/testing/seed.h"

namespace holdfast::testing {

inline constexpr Code kDeviceCodes[] = {Code::kIo, Code::kNoSpace};

// Files of one chunk and of some, and one that stays as it is.
inline void change_source(Cluster& cluster) {
  for (const char* path : {"etc/a", "etc/b", "srv/large"}) {
    Bytes content(path[0] == 's' ? 20'000 : 600);
    cluster.random.fill(content);
    cluster.source.put(path, std::move(content));
  }
}

class ErrorAtEveryCall : public ::testing::Test {
 protected:
  // With one snapshot that was acknowledged by all.
  void begin(std::size_t nodes, std::uint32_t write_quorum) {
    kept_.clear();
    cluster_ = std::make_unique<Cluster>(seed(), nodes, write_quorum);
    cluster_->source.put("etc/same", to_bytes("it stays as it is"));
    change_source(*cluster_);
    back_up_well(nodes);
    change_source(*cluster_);
  }
  void back_up_well(std::size_t committed) {
    const auto report = cluster_->back_up();
    ASSERT_TRUE(report) << report.error().message();
    EXPECT_EQ(report->committed, committed);
    kept_.push_back({*report->manifest, cluster_->source.contents()});
  }
  // One backup that a fault strikes.
  Result<agent::BackupReport> back_up() {
    auto report = cluster_->back_up();
    if (report) kept_.push_back({*report->manifest, cluster_->source.contents()});
    return report;
  }
  void restart_nodes() {
    for (const auto& node : cluster_->nodes) {
      node->crash(simulation::CrashKeeps::kNothing);
      node->start();
    }
  }
  // All that was acknowledged restores from as many nodes as acknowledged it at least.
  void expect_kept(std::size_t least) {
    for (const Kept& kept : kept_) {
      std::size_t holders = 0;
      for (std::size_t i = 0; i < cluster_->nodes.size(); ++i) {
        if (!cluster_->holds(i, kept.manifest.id)) continue;
        ++holders;
        const auto contents = cluster_->read(kept.manifest, {i});
        ASSERT_TRUE(contents) << contents.error().message();
        EXPECT_TRUE(*contents == kept.contents) << "other bytes than were backed up";
      }
      EXPECT_GE(holders, least) << "acknowledged and lost: " << kept.manifest.id.hex();
    }
  }
  // For every code and either duration, calls 1, 2, ... until `run` says that there is none.
  static void each_call(const std::function<bool(std::uint64_t, Code, bool)>& run,
                        std::uint64_t least) {
    for (const Code code : kDeviceCodes) {
      for (const bool for_good : {false, true}) {
        for (std::uint64_t call = 1;; ++call) {
          SCOPED_TRACE("call " + std::to_string(call) + " failed with " + std::string(name(code)) +
                       (for_good ? " for good" : " once"));
          if (!run(call, code, for_good)) {
            EXPECT_GT(call, least);
            break;
          }
          if (HasFailure()) return;
        }
      }
    }
  }

  struct Kept {
    format::SignedManifest manifest;
    std::map<std::string, Bytes> contents;
  };
  std::unique_ptr<Cluster> cluster_;
  std::vector<Kept> kept_;
};

}  // namespace holdfast::testing
