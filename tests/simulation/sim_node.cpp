#include "tests/simulation/sim_node.h"

#include <algorithm>
#include <cstring>

#include "common/base/check.h"

namespace holdfast::simulation {
namespace {

std::ptrdiff_t at(std::uint64_t offset) { return static_cast<std::ptrdiff_t>(offset); }

void apply_change(SimNode::Names& names, const SimNode::NameChange& change) {
  if (change.removed) names.erase(*change.removed);
  if (change.added) names[*change.added] = change.node;
}

// Copies [begin, end) of `from` as far as both have it.
void copy_range(const Bytes& from, Bytes& to, std::uint64_t begin, std::uint64_t end) {
  end = std::min<std::uint64_t>({end, from.size(), to.size()});
  if (begin < end)
    std::copy(from.begin() + at(begin), from.begin() + at(end), to.begin() + at(begin));
}

// FNV-1a over words; the bytes of a disk are many.
void mix(std::uint64_t& hash, std::uint64_t word) {
  hash = (hash ^ word) * 1'099'511'628'211u;
  hash ^= hash >> 29;
}

void mix(std::uint64_t& hash, ByteView bytes) {
  mix(hash, bytes.size());
  while (!bytes.empty()) {
    std::uint64_t word = 0;
    const std::size_t size = std::min(bytes.size(), sizeof word);
    std::memcpy(&word, bytes.data(), size);
    mix(hash, word);
    bytes = bytes.subspan(size);
  }
}

}  // namespace

void SimNode::mark_dirty(std::uint64_t begin, std::uint64_t end) {
  for (std::uint64_t page = begin / kPageSize; page * kPageSize < end; ++page) dirty.insert(page);
}

void SimNode::write(std::uint64_t offset, ByteView bytes) {
  if (bytes.empty()) return;
  if (offset + bytes.size() > seen.size()) resize(offset + bytes.size());
  std::memcpy(seen.data() + offset, bytes.data(), bytes.size());
  mark_dirty(offset, offset + bytes.size());
}

void SimNode::resize(std::uint64_t size) {
  mark_dirty(std::min<std::uint64_t>(size, seen.size()),
             std::max<std::uint64_t>(size, seen.size()));
  seen.resize(static_cast<std::size_t>(size));
  size_is_dirty = true;
}

void SimNode::sync_data() {
  stored.resize(seen.size());
  for (const std::uint64_t page : dirty)
    copy_range(seen, stored, page * kPageSize, (page + 1) * kPageSize);
  dirty.clear();
  size_is_dirty = false;
}

void SimNode::forget_dirty() {
  dirty.clear();
  size_is_dirty = false;
}

void SimNode::forget_cached() {
  for (std::uint64_t begin = 0; begin < seen.size(); begin += kPageSize) {
    if (dirty.contains(begin / kPageSize)) continue;
    const std::uint64_t end = std::min<std::uint64_t>(begin + kPageSize, seen.size());
    const std::uint64_t held = std::clamp<std::uint64_t>(stored.size(), begin, end);
    copy_range(stored, seen, begin, held);
    std::fill(seen.begin() + at(held), seen.begin() + at(end), Byte{0});
  }
}

void SimNode::change_names(NameChange change) {
  apply_change(names, change);
  changes.push_back(std::move(change));
}

void SimNode::sync_names() {
  stored_names = names;
  changes.clear();
}

std::shared_ptr<SimNode> SimNode::image() const {
  auto copy = std::make_shared<SimNode>(is_folder);
  copy->seen = copy->stored = stored;
  for (const auto& [name, node] : stored_names) copy->names[name] = node->image();
  copy->stored_names = copy->names;
  return copy;
}

void SimNode::crash(CrashKeeps keeps, Random& random) {
  if (!is_folder) return crash_file(keeps, random);
  crash_names(keeps, random);
  for (const auto& [name, node] : names) node->crash(keeps, random);
}

void SimNode::persist() {
  if (!is_folder) return sync_data();
  sync_names();
  for (const auto& [name, node] : names) node->persist();
}

void SimNode::dismantle() {
  std::vector<std::shared_ptr<SimNode>> reached;  // kept until none is asked any more
  const auto take = [&reached](SimNode& folder) {
    for (Names* of : {&folder.names, &folder.stored_names}) {
      for (auto& [name, node] : *of) reached.push_back(std::move(node));
      of->clear();
    }
    for (NameChange& change : folder.changes)
      if (change.node) reached.push_back(std::move(change.node));
    folder.changes.clear();
  };
  take(*this);
  for (std::size_t i = 0; i < reached.size(); ++i) take(*std::shared_ptr(reached[i]));
}

std::shared_ptr<SimNode> SimNode::copy(Copies& done) const {
  auto& made = done[this];
  if (made) return made;
  made = std::make_shared<SimNode>(*this);
  const auto result = made;  // the reference does not outlive the next copy
  for (Names* of : {&result->names, &result->stored_names})
    for (auto& [name, node] : *of) node = node->copy(done);
  for (NameChange& change : result->changes)
    if (change.node) change.node = change.node->copy(done);
  return result;
}

void SimNode::mix_into(std::uint64_t& hash) const {
  mix(hash, ByteView(seen));
  mix(hash, ByteView(stored));
  for (const Names* of : {&names, &stored_names}) {
    mix(hash, of->size());
    for (const auto& [name, node] : *of) {
      mix(hash, as_bytes(name));
      node->mix_into(hash);
    }
    if (names == stored_names) break;
  }
}

void SimNode::crash_file(CrashKeeps keeps, Random& random) {
  if (keeps == CrashKeeps::kEverything) {
    sync_data();
  } else if (keeps == CrashKeeps::kSome) {
    const std::uint64_t old_size = stored.size();
    if (size_is_dirty) {
      const std::uint64_t low = std::min<std::uint64_t>(old_size, seen.size());
      const std::uint64_t high = std::max<std::uint64_t>(old_size, seen.size());
      const std::uint64_t choice = random.below(4);
      const std::uint64_t size = choice == 0   ? old_size
                                 : choice == 1 ? seen.size()
                                               : low + random.below(high - low + 1);
      stored.resize(static_cast<std::size_t>(size));
    }
    for (const std::uint64_t page : dirty) {
      const std::uint64_t choice = random.below(4);
      for (std::uint64_t sector = page * kPageSize; sector < (page + 1) * kPageSize;
           sector += kSectorSize)
        if (choice == 0 || choice == 1 || (choice == 2 && random.below(2) == 0))
          copy_range(seen, stored, sector, sector + kSectorSize);
    }
  }
  seen = stored;
  dirty.clear();
  size_is_dirty = false;
}

void SimNode::crash_names(CrashKeeps keeps, Random& random) {
  if (keeps == CrashKeeps::kEverything) {
    sync_names();
  } else if (keeps == CrashKeeps::kSome) {
    for (const NameChange& change : changes)
      if (random.below(2) == 0) apply_change(stored_names, change);
  }
  names = stored_names;
  changes.clear();
}

}  // namespace holdfast::simulation
