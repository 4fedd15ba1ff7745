// What verify, repair and the lists of problems say, to people and to programs.
#include <gmock/gmock.h>

#include <functional>
#include <sstream>

#include "cli/exit_code.h"
#include "cli/problem_list.h"
#include "cli/repair_output.h"
#include "cli/verify_output.h"

namespace holdfast::cli {
namespace {

using agent::NodeVerdict;
using agent::RepairReport;
using agent::VerifyFinding;
using agent::VerifyResult;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class ReportOutput : public ::testing::Test {
 protected:
  using Print = std::function<void(Output&)>;
  static std::string text_of(const Print& print) {
    ::testing::internal::CaptureStdout();
    Output output("holdfast");
    print(output);
    std::fflush(stdout);
    return ::testing::internal::GetCapturedStdout();
  }
  static std::vector<Json> objects_of(const Print& print) {
    std::istringstream lines(text_of([&](Output& output) {
      output.json = true;
      print(output);
    }));
    std::vector<Json> objects;
    for (std::string line; std::getline(lines, line);) objects.push_back(Json::parse(line));
    return objects;
  }
  static NodeVerdict clean_node() {
    NodeVerdict node;
    node.name = "north";
    node.done = true;
    node.frames = 7;
    node.bytes = node.total_bytes = 2048;
    node.spot_checks = 3;
    return node;
  }
  static Print verdict(const VerifyResult& result) {
    return [&result](Output& output) { print_report(output, result); };
  }

  const ObjectId object_{{0xab}};
  const ManifestId snapshot_{{0xcd}};
};

TEST_F(ReportOutput, OfACleanNodeSaysHowMuchWasSeen) {
  const VerifyResult result{{clean_node()}, {}, 0, 2, 5};
  EXPECT_EQ(exit_code_of(result), kDone);
  EXPECT_EQ(text_of(verdict(result)),
            "node north: no problem; 7 frames, 2.00 KiB read, 3 drawn and opened here\n"
            "2 snapshots, 5 catalog objects: no problem found\n");
  const auto objects = objects_of(verdict(result));
  ASSERT_EQ(objects.size(), 2U);
  EXPECT_EQ(objects[0]["clean"], true);
  EXPECT_EQ(objects[0]["verified"], true);
  EXPECT_EQ(objects[1]["clean"], true);
}

TEST_F(ReportOutput, OfANodeThatWentAwayIsAFailureAndNoDamage) {
  VerifyResult result{{clean_node(), clean_node()}, {}, 0, 2, 5};
  result.nodes[1].failure = Error(Code::kUnavailable, "it went away");
  for (const bool done : {false, true}) {
    result.nodes[1].done = done;
    EXPECT_EQ(exit_code_of(result), kFailed);
    EXPECT_THAT(text_of(verdict(result)),
                AllOf(HasSubstr("node north: not verified: it went away\n"),
                      HasSubstr("not everything could be verified\n")));
    const auto objects = objects_of(verdict(result));
    EXPECT_EQ(objects[1]["verified"], false);
    EXPECT_EQ(objects[1]["clean"], false);
    EXPECT_EQ(objects[1]["error"], "it went away");
    EXPECT_EQ(objects[2]["clean"], false);
  }
  result.nodes[1].failure.reset();
  result.nodes[1].done = false;
  EXPECT_EQ(objects_of(verdict(result))[1]["verified"], false) << "it never said the last of it";
}

// Each kind alone makes the node a damaged one.
TEST_F(ReportOutput, OfANodeNamesEachKindOfDamage) {
  for (const auto& [damage, text, key] :
       std::vector<std::tuple<std::function<void(NodeVerdict&)>, std::string, std::string>>{
           {[](NodeVerdict& node) { node.problems = {"a frame \x1b[2J"}; }, "  a frame \\x1b[2J\n",
            "problems"},
           {[&](NodeVerdict& node) { node.incomplete = {snapshot_}; },
            "  snapshot cd000000 is not whole here\n", "incomplete"},
           {[&](NodeVerdict& node) {
              node.findings = {{object_, "is gone", snapshot_, "a/b", false}};
              node.finding_count = 1;
            },
            "  object ab000000: is gone; snapshot cd000000, /a/b\n", "findings"}}) {
    VerifyResult result{{clean_node()}, {}, 0, 2, 5};
    damage(result.nodes[0]);
    EXPECT_EQ(exit_code_of(result), kDamaged);
    EXPECT_EQ(text_of(verdict(result)),
              "node north: DAMAGED\n" + text + "2 snapshots, 5 catalog objects: DAMAGE FOUND\n");
    const auto objects = objects_of(verdict(result));
    const Json& node = objects.at(objects.size() - 2);
    EXPECT_EQ(node["clean"], false);
    EXPECT_TRUE(node[key].is_array() ? node[key].size() == 1 : node[key] == 1) << node;
    EXPECT_EQ(objects.back()["clean"], false);
  }
}

TEST_F(ReportOutput, OfAFindingSaysWhatItTouches) {
  VerifyResult result{{}, {}, 6, 2, 5};
  result.findings = {{object_, "is gone", {}, "", false},
                     {{}, "the manifest is forged", snapshot_, "", false},
                     {object_, "is gone", snapshot_, "a\n\xff", false},
                     {object_, "is gone", snapshot_, "a/b", true},
                     {object_, "is gone", snapshot_, "", true},
                     {{}, "all is odd", {}, "", false}};
  EXPECT_EQ(exit_code_of(result), kDamaged);
  EXPECT_EQ(text_of(verdict(result)),
            "on no node, or wrong wherever it comes from:\n"
            "  object ab000000: is gone\n"
            "  the manifest is forged; snapshot cd000000\n"
            "  object ab000000: is gone; snapshot cd000000, /a\\x0a\\xff\n"
            "  object ab000000: is gone; snapshot cd000000, from /a/b on\n"
            "  object ab000000: is gone; snapshot cd000000 on\n"
            "  all is odd\n"
            "2 snapshots, 5 catalog objects: DAMAGE FOUND\n");
  const auto objects = objects_of(verdict(result));
  ASSERT_EQ(objects.size(), 7U);
  EXPECT_FALSE(objects[0].contains("snapshot"));
  EXPECT_FALSE(objects[1].contains("object"));
  EXPECT_EQ(objects[2]["snapshot"], snapshot_.hex());
  EXPECT_EQ(objects[2]["object"], object_.hex());
  EXPECT_EQ(objects[2]["path_base64"], "L2EK/w==");
  EXPECT_EQ(objects[3]["is_subtree"], true);
  EXPECT_FALSE(objects[3].contains("node")) << "it is wrong wherever it comes from";
}

TEST_F(ReportOutput, OfManyFindingsPrintsTheFirstHundredAndAllToPrograms) {
  VerifyResult result{{clean_node()}, {}, 0, 2, 5};
  result.nodes[0].findings.assign(101, {object_, "is gone", {}, "", false});
  result.nodes[0].finding_count = 150;  // more than were kept
  const std::string text = text_of(verdict(result));
  EXPECT_EQ(std::ranges::count(text, '\n'), 1 + 100 + 1 + 1);
  EXPECT_THAT(text, HasSubstr("  and 50 more\n"));
  const auto objects = objects_of(verdict(result));
  EXPECT_EQ(objects.size(), 101U + 2);
  EXPECT_EQ(objects[0]["node"], "north");
}

TEST_F(ReportOutput, OfAVerificationShowsHowFarEachNodeIs) {
  VerifyResult result{{clean_node(), clean_node(), clean_node(), clean_node()}, {}, 0, 2, 5};
  result.nodes[1].failure = Error(Code::kUnavailable, "it went away");
  result.nodes[2].done = false;
  result.nodes[2].bytes = 1024;
  result.nodes[3].done = false;
  result.nodes[3].bytes = result.nodes[3].total_bytes = 0;
  const auto picture = picture_of(result, 9);
  EXPECT_THAT(
      picture.lines,
      ElementsAre("2 of 9 snapshots, 5 catalog objects read", "  north            done",
                  "  north            failed: it went away",
                  "  north            [############            ]  50%  1.00 KiB of 2.00 KiB",
                  "  north            checking"));
  EXPECT_EQ(picture.status["snapshots"], 9);
  EXPECT_EQ(picture.status["nodes"][2]["bytes"], 1024);
}

TEST_F(ReportOutput, OfARepairNamesWhatCouldNotBeCompleted) {
  RepairReport report{{snapshot_}, {}, 2048, {}};
  const auto print = [&](Output& output) { print_report(output, "north", report); };
  EXPECT_EQ(text_of(print), "node north: 1 snapshots completed, 2.00 KiB sent\n");
  EXPECT_FALSE(objects_of(print)[0].contains("error"));
  report.failed.push_back({snapshot_, Error(Code::kNotFound, "object is on no node")});
  report.ended = Error(Code::kUnavailable, "it went away");
  EXPECT_EQ(text_of(print),
            "node north: 1 snapshots completed, 2.00 KiB sent\n"
            "  snapshot cd000000 cannot be completed: object is on no node\n"
            "  ended early: it went away\n");
  const Json object = objects_of(print)[0];
  EXPECT_EQ(object["failed"][0]["snapshot"], snapshot_.hex());
  EXPECT_EQ(object["error"], "it went away");
  const auto picture = picture_of("north", report, 5);
  EXPECT_THAT(picture.lines, ElementsAre("north: 2 of 5 snapshots, 2.00 KiB sent"));
  EXPECT_EQ(picture.status["snapshots_done"], 2);
}

struct Problem {
  std::string path;
  Error error;
};

TEST_F(ReportOutput, OfProblemsHasTheFirstHundredAndHowManyMore) {
  std::vector<Problem> problems(150, {"a\n\xff", Error(Code::kIo, "cannot be read")});
  ::testing::internal::CaptureStderr();
  text_of([&](Output& output) { print_problems(output, "archival", problems, 1000); });
  std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::ranges::count(said, '\n'), 101);
  EXPECT_THAT(said, AllOf(HasSubstr("holdfast: warning: a\\x0a\\xff: cannot be read\n"),
                          HasSubstr("holdfast: warning: 900 more like these\n")));
  problems.resize(2, problems[0]);
  ::testing::internal::CaptureStderr();
  const auto objects =
      objects_of([&](Output& output) { print_problems(output, "archival", problems, 2); });
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  ASSERT_EQ(objects.size(), 2U);
  EXPECT_EQ(objects[0]["during"], "archival");
  EXPECT_EQ(objects[0]["item_base64"], "YQr/");
  EXPECT_EQ(objects[0]["code"], name(Code::kIo));
}

}  // namespace
}  // namespace holdfast::cli
