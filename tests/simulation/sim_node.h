// A file or folder of the simulated file system, as seen and as on the device.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/ports/random.h"
#include "tests/simulation/sim_file_system.h"

namespace holdfast::simulation {

constexpr std::uint64_t kPageSize = 4096;
constexpr std::uint64_t kSectorSize = 512;

struct SimNode {
  using Names = std::map<std::string, std::shared_ptr<SimNode>>;
  // One change of a folder's names that the device has or has not.
  struct NameChange {
    std::optional<std::string> removed, added;
    std::shared_ptr<SimNode> node;  // of `added`
  };

  explicit SimNode(bool folder) : is_folder(folder) {}

  const bool is_folder;
  // A file:
  Bytes seen, stored;
  std::set<std::uint64_t> dirty;  // pages that the next sync writes
  bool size_is_dirty = false;
  // A folder:
  Names names, stored_names;
  std::vector<NameChange> changes;  // since the last sync, in order

  void write(std::uint64_t offset, ByteView bytes);
  void resize(std::uint64_t size);
  void sync_data();
  // A failed sync: what was written stays seen, and no later sync writes it.
  void forget_dirty();
  // What is seen and not dirty is what the device has, with zeros where it is shorter.
  void forget_cached();
  void change_names(NameChange change);
  void sync_names();
  // What the device holds, as a tree of its own.
  std::shared_ptr<SimNode> image() const;
  // What a crash leaves becomes both states; goes down into folders.
  void crash(CrashKeeps keeps, Random& random);
  // All of it is on the device, whatever lies in it too.
  void persist();
  // The same with all that can be reached from it, each node once.
  using Copies = std::map<const SimNode*, std::shared_ptr<SimNode>>;
  std::shared_ptr<SimNode> copy(Copies& done) const;
  // Lets go of all names of all folders that can be reached from it. A folder that was moved into
  // one that lay in it before, which the device has not heard of, would own itself for ever.
  void dismantle();
  // Mixes what is seen and what is on the device into `hash`.
  void mix_into(std::uint64_t& hash) const;

 private:
  void mark_dirty(std::uint64_t begin, std::uint64_t end);
  void crash_file(CrashKeeps keeps, Random& random);
  void crash_names(CrashKeeps keeps, Random& random);
};

}  // namespace holdfast::simulation
