// The command line of holdfast-node.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <exception>
#include <iostream>

#include "repository/posix/node_commands.h"

namespace holdfast::repository {
namespace {

constexpr const char* kProgram = "holdfast-node " HOLDFAST_VERSION;

std::string host_name() {
  std::array<char, 65> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "node";
  return name.data();
}

int run(int argc, char** argv) {
  CLI::App app("A node of Holdfast: holds repositories for agents.", "holdfast-node");
  app.set_version_flag("--version", kProgram);
  app.require_subcommand(1);
  std::string data;
  const auto add = [&](const char* name, const char* what) {
    CLI::App* command = app.add_subcommand(name, what);
    command->add_option("--data", data, "The node's data folder")->required()->type_name("DIR");
    return command;
  };

  NodeConfiguration configuration;
  configuration.name = host_name();
  CLI::App* init = add("init", "Create the node's key and configuration");
  init->add_option("--listen", configuration.listen, "Where agents connect")
      ->required()
      ->type_name("tcp://ADDR:PORT");
  init->add_option("--advertise", configuration.advertise,
                   "Where agents reach the node, if that is another address")
      ->type_name("tcp://HOST:PORT");
  init->add_option("--metrics", configuration.metrics,
                   "Where Prometheus reads metrics, on this machine only")
      ->type_name("127.0.0.1:PORT|unix:/PATH");
  init->add_option("--name", configuration.name, "What people call the node")
      ->capture_default_str();
  CLI::App* serve = add("serve", "Run until SIGTERM or SIGINT");
  CLI::App* invite =
      add("invite", "Print one line that lets `holdfast init` or `node add` use this node, once");
  CLI::App* reindex = add("reindex", "Rebuild the indexes from the segments; the node is stopped");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitDone : kExitUsage;
  }
  if (*init) return init_node(data, configuration);
  if (*serve) return serve_node(data, kProgram);
  if (*invite) return invite_to_node(data);
  if (*reindex) return reindex_node(data);
  return kExitUsage;
}

}  // namespace
}  // namespace holdfast::repository

int main(int argc, char** argv) {
  try {
    return holdfast::repository::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "holdfast-node: " << error.what() << "\n";
    return holdfast::repository::kExitFailed;
  }
}
