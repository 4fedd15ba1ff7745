#include "repository/posix/node_command_line.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <string>

#include "repository/posix/node_commands.h"

namespace holdfast::repository {
namespace {

std::string host_name() {
  std::array<char, 65> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "node";
  return name.data();
}

struct NodeLine {
  std::string program, data;
  NodeConfiguration configuration;
  std::function<int()> command;
};

void describe(CLI::App& app, NodeLine& line) {
  app.name("holdfast-node");
  app.description("A node of Holdfast: holds repositories for agents.");
  app.require_subcommand(1);
  const auto add = [&](const char* name, const char* what, std::function<int()> run) {
    CLI::App* const command = app.add_subcommand(name, what);
    command->add_option("--data", line.data, "The node's data folder")
        ->required()
        ->type_name("DIR");
    command->callback([&line, run = std::move(run)] { line.command = run; });
    return command;
  };
  line.configuration.name = host_name();
  CLI::App* const init = add("init", "Create the node's key and configuration",
                             [&line] { return init_node(line.data, line.configuration); });
  init->add_option("--listen", line.configuration.listen, "Where agents connect")
      ->required()
      ->type_name("tcp://ADDR:PORT");
  init->add_option("--advertise", line.configuration.advertise,
                   "Where agents reach the node, if that is another address")
      ->type_name("tcp://HOST:PORT");
  init->add_option("--metrics", line.configuration.metrics,
                   "Where Prometheus reads metrics, on this machine only")
      ->type_name("127.0.0.1:PORT|unix:/PATH");
  init->add_option("--name", line.configuration.name,
                   "What people call the node (default: the host's name)")
      ->type_name("NAME");
  add("serve", "Run until SIGTERM or SIGINT",
      [&line] { return serve_node(line.data, line.program); });
  add("invite", "Print one line that lets `holdfast init` or `node add` use this node, once",
      [&line] { return invite_to_node(line.data); });
  add("reindex", "Rebuild the indexes from the segments; the node is stopped",
      [&line] { return reindex_node(line.data); });
}

}  // namespace

int run_node_command_line(int argc, char** argv, const char* version) {
  NodeLine line;
  line.program = version;
  CLI::App app;
  app.set_version_flag("--version", version);
  describe(app, line);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitDone : kExitUsage;
  }
  return line.command();
}

void describe_node_command_line(const std::function<void(const CLI::App&)>& visit) {
  NodeLine line;
  CLI::App app;
  app.set_version_flag("--version", "");
  describe(app, line);
  visit(app);
}

}  // namespace holdfast::repository
