// Catching up a node that was away, alone: from the local catalog of the backup that it missed.
#include "agent/catch_up.h"

#include <gmock/gmock.h>

#include "tests/simulation/cluster.h"
#include "tests/testing/seed.h"

namespace holdfast::testing {
namespace {

using agent::CatalogFileReader;
using agent::CatalogFileWriter;
using agent::CatchUp;
using agent::ListKind;
using agent::ListObject;
using ::testing::HasSubstr;

class CatchingUp : public ::testing::Test {
 protected:
  // A backup that the second node misses.
  void back_up() {
    cluster_.nodes[1]->crash(simulation::CrashKeeps::kNothing);
    image_ = cluster_.nodes[1]->image();
    const auto report = cluster_.back_up();
    ASSERT_TRUE(report) << report.error().message();
    root_ = report->manifest->manifest.root;
  }
  void put_random(const std::string& path, std::size_t size) {
    Bytes content(size);
    cluster_.random.fill(content);
    cluster_.source.put(path, std::move(content));
  }
  // A local catalog of these list objects.
  void write_catalog(const std::vector<ListObject>& lists) {
    auto writer = CatalogFileWriter::create(owner().disk, kCatalog).value();
    for (const ListObject& list : lists) ASSERT_TRUE(writer.add(list));
    ASSERT_TRUE(writer.finish(lists.back().id, {}));
  }
  ListObject list_of(const std::function<void(agent::CatalogBuilder&)>& fill) {
    ListObject made;
    agent::CatalogBuilder builder(identifier_, [&](ListObject&& list) { made = std::move(list); });
    fill(builder);
    builder.finish();
    return made;
  }
  ClusterAgent& owner() { return *cluster_.agents.front(); }
  SimLoop& loop() { return cluster_.loop; }

  // One attempt, to the second node as it is after the backup that it missed.
  struct Attempt {
    std::unique_ptr<Dialer> dialer;
    std::unique_ptr<agent::NodeLink> link;
    std::unique_ptr<agent::NodeFeed> feed;
    std::optional<CatalogFileReader> catalog;
    std::unique_ptr<CatchUp> catch_up;
    std::optional<Status> ended;
    CatchUp::Figures figures;
  };
  std::unique_ptr<Attempt> begin() {
    ClusterNode& node = *cluster_.nodes[1];
    if (node.running()) node.crash(simulation::CrashKeeps::kNothing);
    node.restore(image_, true);
    EXPECT_TRUE(node.start());
    auto attempt = std::make_unique<Attempt>();
    Attempt& made = *attempt;
    made.dialer = cluster_.dialer(owner());
    made.link =
        std::make_unique<agent::NodeLink>(cluster_.charter().nodes[1], cluster_.repository,
                                          owner().machine, owner().machine, cluster_.random);
    EXPECT_TRUE(made.link->start(*made.dialer));
    made.feed = std::make_unique<agent::NodeFeed>(*made.link, owner().machine, [&made] {
      if (made.catch_up) made.catch_up->feed_changed();
    });
    made.link->on_change([&made] { made.feed->link_changed(); });
    EXPECT_TRUE(
        loop().run_until([&] { return made.link->state() == agent::NodeLink::State::kReady; }));
    made.feed->activate();
    made.catalog.emplace(CatalogFileReader::open(owner().disk, kCatalog).value());
    made.catch_up = std::make_unique<CatchUp>(
        owner().machine, owner().machine, cluster_.source, *owner().writer, run_, counter_,
        identifier_, *made.catalog, *made.feed, [&made](const Status& status, auto figures) {
          EXPECT_FALSE(made.ended) << "ended twice";
          made.ended = status;
          made.figures = figures;
        });
    made.catch_up->start();
    return attempt;
  }
  void finish(Attempt& attempt) {
    EXPECT_TRUE(loop().run_until([&] { return attempt.ended.has_value(); })) << "it never ends";
    loop().run_for(std::chrono::seconds(5));
  }
  // Whether the node has this with all that is below it.
  bool is_whole(Attempt& attempt, const ObjectId& id) {
    agent::NodeFeed feed(*attempt.link, owner().machine, [] {});
    feed.activate();
    std::optional<bool> there;
    feed.ask_present({id}, [&](const std::vector<bool>& bits) { there = bits.at(0); });
    EXPECT_TRUE(loop().run_until([&] { return there.has_value(); }));
    return there.value_or(false);
  }

  static constexpr const char* kCatalog = "/catalog";  // where a simulated agent has it
  Cluster cluster_{seed(), 2, 1};
  ClusterNode::Image image_;
  ObjectId root_;
  const format::RunKeys run_ =
      format::begin_run(cluster_.random, cluster_.repository, cluster_.charter().encryption_key);
  format::FrameCounter counter_;
  format::ObjectIdentifier identifier_{owner().writer->id_key};
};

TEST_F(CatchingUp, BringsFilesAndHugeOnesWithTheirLists) {
  put_random("huge", 8 << 20);
  put_random("small", 500);
  cluster_.source.put("empty", {});
  back_up();
  const auto attempt = begin();
  finish(*attempt);
  EXPECT_TRUE(*attempt->ended) << attempt->ended->error().message();
  EXPECT_EQ(attempt->figures.files_read, 2U);
  EXPECT_TRUE(is_whole(*attempt, root_));
}

// The catalog is read in batches of 64.
TEST_F(CatchingUp, BringsCatalogsOfAsManyListsAsABatchHasAndOfMore) {
  back_up();
  for (const int count : {64, 150}) {
    std::vector<ListObject> lists;
    for (int i = 0; i < count; ++i)
      lists.push_back(list_of([&](agent::CatalogBuilder& builder) {
        agent::CatalogEntry folder;
        folder.entry.path = "f" + std::to_string(i);
        folder.entry.mode = 0040755;
        builder.add(folder);
      }));
    write_catalog(lists);
    const auto attempt = begin();
    finish(*attempt);
    EXPECT_TRUE(*attempt->ended) << attempt->ended->error().message();
    for (const ListObject& list : lists) EXPECT_TRUE(is_whole(*attempt, list.id));
  }
}

TEST_F(CatchingUp, AsksAboutMoreContentsThanOneQuestionMayHave) {
  back_up();
  std::vector<ListObject> lists;
  std::uint32_t chunk = 0;
  for (const char* const name : {"a", "b", "c"})
    lists.push_back(list_of([&](agent::CatalogBuilder& builder) {
      for (int i = 0; i < 6; ++i) {
        agent::CatalogEntry entry;
        entry.entry.path = name + std::to_string(i);
        entry.entry.mode = 0100644;
        entry.entry.size = 1000;
        entry.content.lengths.assign(1000, 1);
        for (int j = 0; j < 1000; ++j) {
          std::memcpy(entry.content.refs.emplace_back().bytes.data(), &++chunk, sizeof chunk);
        }
        builder.add(entry);
      }
    }));
  ASSERT_GT(chunk, wire::kMaxIdsPerRequest);
  write_catalog(lists);
  const auto attempt = begin();
  finish(*attempt);
  ASSERT_FALSE(*attempt->ended);
  EXPECT_EQ(attempt->ended->error().code(), Code::kChanged);
  EXPECT_THAT(attempt->ended->error().message(), HasSubstr("node2: 18 files"));
}

TEST_F(CatchingUp, OfFilesOneOfWhichHasChangedTheOthersAreReadAllTheSame) {
  put_random("a", 700);
  put_random("large", 5 << 20);
  back_up();
  put_random("a", 700);
  const auto attempt = begin();
  finish(*attempt);
  ASSERT_FALSE(*attempt->ended);
  EXPECT_EQ(attempt->ended->error().code(), Code::kChanged);
  EXPECT_THAT(attempt->ended->error().message(), HasSubstr("1 files of which it lacks content"));
  EXPECT_EQ(attempt->figures.files_read, 2U);
  EXPECT_FALSE(is_whole(*attempt, root_));
}

TEST_F(CatchingUp, FromACatalogThatIsDamagedEndsAndSaysSo) {
  back_up();
  ListObject leaf = list_of([](agent::CatalogBuilder&) {});
  leaf.payload = {static_cast<Byte>(ListKind::kLeaf), 0x0A, 0x05};
  write_catalog({leaf});
  const auto attempt = begin();
  finish(*attempt);
  ASSERT_FALSE(*attempt->ended);
  EXPECT_EQ(attempt->ended->error().code(), Code::kCorrupt);
}

class EndingACatchUp : public CatchingUp {
 protected:
  // Does this after 1, 2, ... events, each time to a new one, until one has ended before.
  void after_each_event(const std::function<void(Attempt&)>& act) {
    put_random("large", 3 << 20);
    put_random("a", 700);
    put_random("b", 700);
    back_up();
    for (std::uint64_t events = 1;; ++events) {
      SCOPED_TRACE("after " + std::to_string(events) + " events");
      const auto attempt = begin();
      const std::uint64_t began = loop().steps();
      while (!attempt->ended && loop().steps() - began < events) ASSERT_TRUE(loop().step());
      if (attempt->ended) {
        EXPECT_TRUE(*attempt->ended) << attempt->ended->error().message();
        EXPECT_GT(events, 30U);
        return;
      }
      act(*attempt);
      if (HasFailure()) return;
    }
  }
};

TEST_F(EndingACatchUp, ByGivingItUpLeavesNothingBehindThatComesBackToIt) {
  after_each_event([&](Attempt& attempt) {
    attempt.catch_up.reset();
    loop().run_for(std::chrono::seconds(5));
    EXPECT_FALSE(attempt.ended) << "told who is gone";
  });
}

TEST_F(EndingACatchUp, BecauseTheNodeFailsIsToldOnceWithItsReason) {
  after_each_event([&](Attempt& attempt) {
    attempt.feed->fail(Error(Code::kReadOnly, "its disk is full"));
    finish(attempt);
    if (*attempt.ended)
      EXPECT_TRUE(is_whole(attempt, root_)) << "it had not ended before";
    else
      EXPECT_EQ(attempt.ended->error().message(), "its disk is full");
  });
}

}  // namespace
}  // namespace holdfast::testing
