#include "repository/posix/data_folder.h"

#include <fmt/format.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <sstream>

#include "common/crypto/hash.h"
#include "repository/posix/local_address.h"
#include "repository/posix/rocksdb_index.h"

namespace holdfast::repository {
namespace {

constexpr std::size_t kMaxSmallFile = 64 << 10;
constexpr std::size_t kMaxName = 64;

std::string configuration_path(const std::string& folder) { return folder + "/node.toml"; }
std::string key_path_in(const std::string& folder) { return folder + "/node.key"; }
std::string endpoint_path(const std::string& folder) { return folder + "/endpoint"; }
std::string process_path(const std::string& folder) { return folder + "/process"; }

Error invalid(std::string message) { return Error(Code::kInvalidArgument, std::move(message)); }

// The parts of "tcp://HOST:PORT"; the host keeps the brackets of an IPv6 address.
struct Endpoint {
  std::string host;
  bool any_port = false;
  bool is_wildcard() const { return host == "*" || host == "0.0.0.0" || host == "[::]"; }
};

Result<Endpoint> split_endpoint(const std::string& text) {
  constexpr std::string_view kScheme = "tcp://";
  const auto colon = text.rfind(':');
  if (!text.starts_with(kScheme) || colon == std::string::npos || colon <= kScheme.size() ||
      colon + 1 == text.size() || text.find_first_of(" \t\n") != std::string::npos)
    return invalid(fmt::format("{} is not of the form tcp://ADDRESS:PORT", printable(text)));
  const std::string_view port = std::string_view(text).substr(colon + 1);
  return Endpoint{text.substr(kScheme.size(), colon - kScheme.size()), port == "0" || port == "*"};
}

Status check_configuration(const NodeConfiguration& configuration) {
  const std::string& name = configuration.name;
  if (name.empty() || name.size() > kMaxName || !is_utf8(name) || printable(name) != name)
    return invalid(fmt::format("a node's name has 1 to {} printable bytes", kMaxName));
  if (!configuration.listen.empty()) HOLDFAST_TRY(split_endpoint(configuration.listen));
  if (!configuration.advertise.empty()) {
    HOLDFAST_ASSIGN(const Endpoint advertised, split_endpoint(configuration.advertise));
    if (advertised.is_wildcard() || advertised.any_port)
      return invalid(
          fmt::format("{} is not an address that others can connect to", configuration.advertise));
  }
  if (!configuration.metrics.empty())
    HOLDFAST_TRY_OR(parse_local_address(configuration.metrics), "metrics");
  return {};
}

std::string encode(const NodeConfiguration& configuration) {
  toml::table table;
  table.insert("name", configuration.name);
  if (!configuration.listen.empty()) table.insert("listen", configuration.listen);
  if (!configuration.advertise.empty()) table.insert("advertise", configuration.advertise);
  if (!configuration.metrics.empty()) table.insert("metrics", configuration.metrics);
  std::ostringstream text;
  text << table << "\n";
  return text.str();
}

Result<NodeConfiguration> decode(const std::string& path, std::string_view text) {
  NodeConfiguration configuration;
  try {
    const toml::table table = toml::parse(text);
    for (const auto& [key, value] : table) {
      const auto string = value.value<std::string>();
      std::string* to = key == "name"        ? &configuration.name
                        : key == "listen"    ? &configuration.listen
                        : key == "advertise" ? &configuration.advertise
                        : key == "metrics"   ? &configuration.metrics
                                             : nullptr;
      if (to == nullptr || !string)
        return invalid(fmt::format("{}: `{}` is not a setting of a node, or no text", path,
                                   printable(key.str())));
      *to = *string;
    }
  } catch (const toml::parse_error& error) {
    return invalid(fmt::format("{}, line {}: {}", path, error.source().begin.line,
                               printable(error.description())));
  }
  HOLDFAST_TRY_OR(check_configuration(configuration), path);
  return configuration;
}

Result<NodeConfiguration> read_configuration(FileSystem& files, const std::string& folder) {
  const std::string path = configuration_path(folder);
  HOLDFAST_ASSIGN(const Buffer text, read_file(files, path, kMaxSmallFile));
  return decode(path, as_text(text));
}

Result<std::string> read_line(FileSystem& files, const std::string& path) {
  HOLDFAST_ASSIGN(const Buffer bytes, read_file(files, path, kMaxSmallFile));
  std::string text = to_string(bytes);
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

Result<CurveKeyPair> read_key(FileSystem& files, const std::string& path) {
  HOLDFAST_ASSIGN(std::string text, read_line(files, path));
  auto bytes = hex_decode(text);
  crypto::wipe({reinterpret_cast<Byte*>(text.data()), text.size()});
  if (!bytes || bytes->size() != crypto::SecretKey::kSize)
    return Error(Code::kCorrupt, fmt::format("{}: not a node's key", path));
  auto keys = curve_key_pair_from_secret(*bytes);
  crypto::wipe(*bytes);
  return keys;
}

// A folder of somebody's files is not made a node by a slip of the hand.
Status check_empty(FileSystem& files, const std::string& path) {
  HOLDFAST_ASSIGN(const bool exists, files.exists(path));
  if (!exists) return {};
  HOLDFAST_ASSIGN(const auto entries, files.list(path));
  for (const DirectoryEntry& entry : entries)
    if (entry.name != "node.key" && !entry.name.starts_with("node."))
      return invalid(fmt::format("{} is not empty and holds no node", path));
  return {};
}

}  // namespace

NodeId node_id(const CurveKey& server_key) {
  return NodeId{crypto::sha256({as_bytes("holdfast v1 node"), ByteView(server_key)}).bytes};
}

DataFolder::DataFolder(FileSystem& files, std::string path, NodeConfiguration configuration,
                       CurveKeyPair keys)
    : files_(files),
      path_(std::move(path)),
      configuration_(std::move(configuration)),
      keys_(std::move(keys)) {}

// The configuration is written last: with it the folder is a node, without it nothing was done.
Status DataFolder::create(FileSystem& files, const std::string& path,
                          const NodeConfiguration& configuration) {
  HOLDFAST_TRY(check_configuration(configuration));
  if (!configuration.listen.empty() && configuration.advertise.empty()) {
    HOLDFAST_ASSIGN(const Endpoint listen, split_endpoint(configuration.listen));
    if (listen.is_wildcard())
      return invalid(
          fmt::format("{} listens everywhere; --advertise tcp://HOST:PORT says where "
                      "others reach the node",
                      configuration.listen));
  }
  HOLDFAST_ASSIGN(const bool is_node, files.exists(configuration_path(path)));
  if (is_node) {
    HOLDFAST_ASSIGN(const NodeConfiguration before, read_configuration(files, path));
    if (!before.listen.empty() || configuration.listen.empty())
      return Error(Code::kAlreadyExists, fmt::format("{} is a node already", path));
  } else {
    HOLDFAST_TRY(check_empty(files, path));
    HOLDFAST_TRY(make_directories(files, path));
  }
  HOLDFAST_ASSIGN(const bool has_key, files.exists(key_path_in(path)));
  if (!has_key) {
    std::string text = hex_encode(generate_curve_key_pair().secret_key.view()) + "\n";
    const Status written = write_file_atomically(files, key_path_in(path), as_bytes(text));
    crypto::wipe({reinterpret_cast<Byte*>(text.data()), text.size()});
    HOLDFAST_TRY(written);
  } else {
    // Who made it may have been killed before its name was durable, and a folder with a
    // configuration and no key is nobody's.
    HOLDFAST_TRY(files.sync_directory(path));
  }
  return write_file_atomically(files, configuration_path(path), as_bytes(encode(configuration)));
}

Result<DataFolder> DataFolder::open(FileSystem& files, const std::string& path,
                                    const std::string& key_path) {
  HOLDFAST_ASSIGN(const bool is_node, files.exists(configuration_path(path)));
  if (!is_node) return Error(Code::kNoRepository, fmt::format("there is no node in {}", path));
  // What create() was cut off behind its last rename may be seen and not be durable.
  HOLDFAST_TRY(files.sync_directory(path));
  HOLDFAST_ASSIGN(NodeConfiguration configuration, read_configuration(files, path));
  HOLDFAST_ASSIGN(CurveKeyPair keys,
                  read_key(files, key_path.empty() ? key_path_in(path) : key_path));
  return DataFolder(files, path, std::move(configuration), std::move(keys));
}

Result<std::unique_ptr<FileLock>> DataFolder::lock() {
  auto lock = files_.lock(path_ + "/lock");
  if (!lock) {
    if (lock.error().code() != Code::kConflict) return std::move(lock).error();
    const auto process = read_line(files_, process_path(path_));
    const bool known = process && !process->empty() &&
                       process->find_first_not_of("0123456789") == std::string::npos;
    return Error(Code::kConflict, fmt::format("{} is in use by {}", path_,
                                              known ? "process " + *process : "another process"));
  }
  // Only for that message; a node that cannot write it works all the same.
  static_cast<void>(write_file_atomically(files_, process_path(path_),
                                          as_bytes(fmt::format("{}\n", ::getpid()))));
  return lock;
}

FolderShelf DataFolder::shelf(StoreLimits limits) const {
  const auto open_index = [](const std::string& path) -> Result<std::unique_ptr<ObjectIndex>> {
    HOLDFAST_ASSIGN(auto index, RocksDbIndex::open(path));
    return std::unique_ptr<ObjectIndex>(std::move(index));
  };
  return FolderShelf(files_, path_ + "/repositories", id(), open_index, limits);
}

Status DataFolder::write_endpoint(const std::string& endpoint) {
  return write_file_atomically(files_, endpoint_path(path_), as_bytes(endpoint + "\n"));
}

Result<std::string> DataFolder::public_endpoint() const {
  if (!configuration_.advertise.empty()) return configuration_.advertise;
  if (configuration_.listen.empty())
    return invalid(
        fmt::format("the node in {} has no address; `holdfast-node init --data {} "
                    "--listen tcp://ADDRESS:PORT` gives it one",
                    path_, path_));
  HOLDFAST_ASSIGN(const Endpoint listen, split_endpoint(configuration_.listen));
  if (listen.is_wildcard())
    return invalid(
        fmt::format("the node in {} listens everywhere; `advertise` in {} says where "
                    "others reach it",
                    path_, configuration_path(path_)));
  if (!listen.any_port) return configuration_.listen;
  auto endpoint = read_line(files_, endpoint_path(path_));
  if (!endpoint && endpoint.error().code() == Code::kNotFound)
    return invalid(fmt::format("the node in {} has no port before it was started", path_));
  return endpoint;
}

}  // namespace holdfast::repository
