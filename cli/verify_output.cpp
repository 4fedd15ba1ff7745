#include "cli/verify_output.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/exit_code.h"
#include "common/base/text.h"

namespace holdfast::cli {
namespace {

using agent::NodeVerdict;
using agent::VerifyFinding;
using agent::VerifyResult;

constexpr std::size_t kFindingsPrinted = 100;

std::string text_of(const VerifyFinding& finding) {
  std::string text;
  if (finding.object) text += fmt::format("object {}: ", finding.object->short_hex());
  text += finding.problem;
  if (finding.snapshot) {
    text += fmt::format("; snapshot {}", finding.snapshot->short_hex());
    if (!finding.path.empty())
      text += fmt::format(", {}/{}", finding.is_subtree ? "from " : "", printable(finding.path));
    if (finding.is_subtree) text += " on";
  }
  return text;
}

void print_finding(Output& output, const std::string& node, const VerifyFinding& finding) {
  output.line(fmt::format("  {}", text_of(finding)));
  Json object{{"message_type", "finding"}, {"problem", finding.problem}};
  if (!node.empty()) object["node"] = node;
  if (finding.object) object["object"] = finding.object->hex();
  if (finding.snapshot) {
    object["snapshot"] = finding.snapshot->hex();
    put_bytes(object, "path", "/" + finding.path);
    object["is_subtree"] = finding.is_subtree;
  }
  output.object(object);
}

void print_findings(Output& output, const std::string& node,
                    const std::vector<VerifyFinding>& findings, std::uint64_t count) {
  const std::size_t most = output.json ? findings.size() : kFindingsPrinted;
  for (std::size_t at = 0; at < std::min(most, findings.size()); ++at)
    print_finding(output, node, findings[at]);
  if (count > most) output.line(fmt::format("  and {} more", count - most));
}

void print_node(Output& output, const NodeVerdict& node) {
  const std::string name = printable(node.name);
  if (node.failure)
    output.line(fmt::format("node {}: not verified: {}", name, node.failure->message()));
  else if (node.is_clean())
    output.line(fmt::format("node {}: no problem; {} frames, {} read, {} drawn and opened here",
                            name, node.frames, human_bytes(node.bytes), node.spot_checks));
  else
    output.line(fmt::format("node {}: DAMAGED", name));
  for (const std::string& problem : node.problems) output.line("  " + printable(problem));
  for (const ManifestId& id : node.incomplete)
    output.line(fmt::format("  snapshot {} is not whole here", id.short_hex()));
  print_findings(output, node.name, node.findings, node.finding_count);
  Json object{{"message_type", "node"},
              {"name", node.name},
              {"verified", node.done && !node.failure},
              {"clean", node.is_clean()},
              {"frames", node.frames},
              {"bytes", node.bytes},
              {"spot_checks", node.spot_checks},
              {"findings", node.finding_count},
              {"problems", node.problems},
              {"incomplete", Json::array()}};
  for (const ManifestId& id : node.incomplete) object["incomplete"].push_back(id.hex());
  if (node.failure) object["error"] = node.failure->message();
  output.object(object);
}

}  // namespace

ProgressDisplay::Picture picture_of(const VerifyResult& result, std::size_t snapshots) {
  ProgressDisplay::Picture picture;
  picture.lines.push_back(fmt::format("{} of {} snapshots, {} catalog objects read",
                                      result.snapshots, snapshots, result.lists));
  picture.status = Json{{"message_type", "status"},
                        {"snapshots", snapshots},
                        {"snapshots_read", result.snapshots},
                        {"lists", result.lists}};
  picture.status["nodes"] = Json::array();
  for (const NodeVerdict& node : result.nodes) {
    picture.lines.push_back(
        fmt::format("  {:<16} {}", printable(node.name),
                    node.failure ? "failed: " + node.failure->message()
                    : node.done  ? std::string("done")
                    : node.total_bytes == 0
                        ? std::string("checking")
                        : fmt::format("{}  {} of {}", bar(node.bytes, node.total_bytes),
                                      human_bytes(node.bytes), human_bytes(node.total_bytes))));
    picture.status["nodes"].push_back({{"name", node.name},
                                       {"done", node.done},
                                       {"bytes", node.bytes},
                                       {"total_bytes", node.total_bytes}});
  }
  return picture;
}

int exit_code_of(const VerifyResult& result) {
  const bool damaged =
      result.finding_count > 0 || std::ranges::any_of(result.nodes, [](const NodeVerdict& node) {
        return !node.problems.empty() || !node.incomplete.empty() || node.finding_count > 0;
      });
  if (damaged) return kDamaged;
  return result.is_clean() ? kDone : kFailed;
}

void print_report(Output& output, const VerifyResult& result) {
  for (const NodeVerdict& node : result.nodes) print_node(output, node);
  if (result.finding_count > 0) {
    output.line("on no node, or wrong wherever it comes from:");
    print_findings(output, "", result.findings, result.finding_count);
  }
  const int code = exit_code_of(result);
  output.line(fmt::format("{} snapshots, {} catalog objects: {}", result.snapshots, result.lists,
                          code == kDone      ? "no problem found"
                          : code == kDamaged ? "DAMAGE FOUND"
                                             : "not everything could be verified"));
  output.object(Json{{"message_type", "summary"},
                     {"snapshots", result.snapshots},
                     {"lists", result.lists},
                     {"clean", code == kDone}});
}

}  // namespace holdfast::cli
