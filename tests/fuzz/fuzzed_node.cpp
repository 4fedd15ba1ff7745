#include "tests/fuzz/fuzzed_node.h"

#include <algorithm>

#include "tests/fuzz/promises.h"

namespace holdfast::fuzz {

using repository::MemoryIndex;
using repository::TestAgent;

namespace {

constexpr const char* kFolder = "/repositories";
const NodeId kNode{{7}};

void copy_files(FileSystem& from, const std::string& folder, NodeFiles& to) {
  const auto entries = *from.list(folder);
  for (const DirectoryEntry& entry : entries) {
    const std::string path = folder + "/" + entry.name;
    if (entry.is_directory) {
      copy_files(from, path, to);
    } else if (entry.name != "lock") {
      const Buffer content = *read_file(from, path, 1 << 20);
      to.emplace_back(path, Bytes(content.view().begin(), content.view().end()));
    }
  }
}

}  // namespace

NodeFiles found_repository(const format::SignedCharter& charter, repository::ObjectIndex& index,
                           const std::function<void(repository::Store&)>& fill) {
  simulation::SimFileSystem disk;
  check(make_directories(disk, kFolder).has_value(), "no folder");
  const std::string path = std::string(kFolder) + "/" + charter.charter.repository().hex();
  check(repository::Store::create(disk, path, kNode).has_value(), "no store");
  {
    const auto store = *repository::Store::open(disk, path, index, kNode);
    check(store->append_charter(1, charter.record).has_value(), "no charter");
    fill(*store);
    check(store->sync().has_value(), "a store that does not sync");
  }
  NodeFiles files;
  copy_files(disk, kFolder, files);
  return files;
}

FuzzedRepository& fuzzed_repository() {
  static FuzzedRepository repository;
  return repository;
}

FuzzedRepository::FuzzedRepository()
    : first(enrolled.data("the first chunk")),
      second(enrolled.data("the second, which is longer")),
      root(enrolled.list({first.id, second.id}, "a list over both")),
      data_frame(enrolled.frame(enrolled.writer, {first, second})),
      list_frame(enrolled.frame(enrolled.writer, {root})),
      manifest(enrolled.manifest(enrolled.writer, root.id)) {
  files = found_repository(enrolled.first_charter(), index, [&](repository::Store& store) {
    for (const SharedBytes& frame : {data_frame, list_frame})
      check(store.put_frame(*format::parse_frame(frame)).has_value(), "no frame");
    check(store.append_manifest(manifest.id, root.id, {1}, manifest.bytes).has_value(),
          "no manifest");
  });
  for (const auto& [name, content] : files)
    if (name.ends_with(".seg")) segment = name;
}

const TestAgent* FuzzedRepository::agent(const AgentId& id) const {
  for (const TestAgent* one :
       {&enrolled.owner, &enrolled.writer, &enrolled.other_writer, &enrolled.reader,
        &enrolled.admin, &enrolled.powerless, &enrolled.revoked})
    if (one->id() == id) return one;
  return nullptr;
}

// What a node answers is held against docs/protocol.md.
class FuzzedNode::Replies final : public Responder {
 public:
  void reply(const Peer&, Message message) override {
    auto proto = wire::decode_reply(message.head);
    check(proto.has_value(), "a node sent what is no reply");
    if (proto->has_error()) {
      const auto& error = proto->error();
      check(documented_codes().contains(error.code()), "an error that the protocol does not name");
      check(!error.message().empty(), "an error without words");
      check(proto->what_case() == wire::ReplyProto::WHAT_NOT_SET, "an error with an answer");
    } else {
      check(proto->what_case() != wire::ReplyProto::WHAT_NOT_SET, "a reply that says nothing");
    }
    check(message.body.empty() || proto->has_get_frame(), "a second part where none is due");
    check(proto->incarnation() != 0, "a reply of no life");
    came.push_back({*std::move(proto), std::move(message.body)});
  }
  void disconnect(const Peer&) override {}
  std::vector<Reply> came;
};

FuzzedNode::FuzzedNode(const NodeFiles& files) : replies_(std::make_unique<Replies>()) {
  for (const auto& [path, content] : files) {
    check(make_directories(disk_, parent_path(path)).has_value(), "no folder");
    const auto file = *disk_.open(path, OpenMode::kCreateNew);
    check(file->write_at(0, {content}).has_value() && file->sync_data().has_value(), "no file");
  }
  shelf_ = std::make_unique<repository::FolderShelf>(
      disk_, kFolder, kNode,
      [this](const std::string&) -> Result<std::unique_ptr<repository::ObjectIndex>> {
        return std::unique_ptr<repository::ObjectIndex>(std::make_unique<MemoryIndex>(index_));
      });
}

FuzzedNode::~FuzzedNode() {
  executor_.forget_everything();
  node_.reset();
}

void FuzzedNode::start(const MemoryIndex& index) {
  executor_.forget_everything();
  node_.reset();
  loop_.forget_everything();
  index_ = index;
  repository::NodeOptions options;
  options.id = kNode;
  node_ = std::make_unique<repository::Node>(
      options, repository::NodePorts{loop_, executor_, clock_, random_, *replies_, *shelf_,
                                     invitations_, log_});
  check(node_->start().has_value(), "a node that does not start");
  run();
}

NodeFiles FuzzedNode::files() {
  NodeFiles files;
  copy_files(disk_, kFolder, files);
  return files;
}

void FuzzedNode::run() {
  while (loop_.run_posted() || executor_.run_one()) continue;
}

std::vector<FuzzedNode::Reply> FuzzedNode::send(const Peer& peer, Message message) {
  node_->on_message(peer, std::move(message));
  run();
  check(replies_->came.size() <= 1, "more than one reply");
  return std::exchange(replies_->came, {});
}

FuzzedNode::Reply FuzzedNode::ask(wire::RequestProto request, SharedBytes body) {
  request.set_id(next_request_++);
  request.set_repository(fuzzed_repository().enrolled.id().str());
  auto replies =
      send({1, fuzzed_repository().enrolled.owner.curve}, wire::encode(request, std::move(body)));
  check(replies.size() == 1 && replies[0].proto.id() == request.id(), "the owner is not answered");
  return std::move(replies[0]);
}

std::vector<std::string> FuzzedNode::verify() {
  // Whoever verifies now and does not go on loses its turn.
  pass(std::chrono::minutes(1));
  wire::RequestProto request;
  request.mutable_verify()->set_run(++next_run_ << 32);
  request.mutable_verify()->set_depth(2);
  request.mutable_verify()->set_fraction(1);
  for (int steps = 0; steps < 1000; ++steps) {
    const auto reply = ask(request).proto;
    if (reply.has_error()) return {reply.error().message()};
    if (!reply.verify().done()) continue;
    std::vector<std::string> findings(reply.verify().problems().begin(),
                                      reply.verify().problems().end());
    if (!reply.verify().damaged().empty()) findings.emplace_back("damaged objects");
    return findings;
  }
  check(false, "a verification that never ends");
  return {};
}

}  // namespace holdfast::fuzz
