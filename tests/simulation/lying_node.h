// Ways in which a node lies while a real one stands behind it: garbage and damage in its answers,
// acknowledging what it drops, hiding snapshots, claiming to have everything or nothing.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "common/ports/random.h"
#include "common/wire/message.h"
#include "tests/simulation/cluster_node.h"

namespace holdfast::testing {

enum class Lie { kGarbage, kDropsWhatItAcknowledges, kWithholds, kDamagesFrames, kBoasts, kDenies };
constexpr std::size_t kLieCount = 6;
std::string_view name_of(Lie lie);

// `random` outlives it.
std::unique_ptr<NodeLies> make_lies(Lie lie, Random& random);

// Changes what the node answers as a test says.
class AlteredReplies final : public NodeLies {
 public:
  using Alter = std::function<void(wire::ReplyProto&)>;
  explicit AlteredReplies(Alter change) : change_(std::move(change)) {}
  bool swallows(const Message&, const std::function<void(Message)>&) override { return false; }
  void alter(Message& reply) override;

 private:
  Alter change_;
};

// Takes one kind of request and never says anything about it.
class SilenceAbout final : public NodeLies {
 public:
  explicit SilenceAbout(wire::RequestProto::WhatCase kind) : kind_(kind) {}
  bool swallows(const Message& request, const std::function<void(Message)>&) override;
  void alter(Message&) override {}

 private:
  const wire::RequestProto::WhatCase kind_;
};

}  // namespace holdfast::testing
