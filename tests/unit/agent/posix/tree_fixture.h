// A folder with files made by the test, and what a scan says of it.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "agent/posix/posix_source_tree.h"
#include "tests/unit/common/posix/temporary_folder.h"

namespace holdfast::agent {

// With all new system calls, and by the ways around them.
inline const std::vector<KernelFeatures>& feature_sets() {
  static const std::vector<KernelFeatures> sets = {KernelFeatures::probe(), KernelFeatures{}};
  return sets;
}

class TreeFixture : public ::testing::Test {
 protected:
  const std::string& root() const { return folder_.path(); }
  std::string at(const std::string& path) const { return root() + "/" + path; }
  // As in an Entry.
  std::string entry_path(const std::string& path) const {
    return path.empty() ? root().substr(1) : at(path).substr(1);
  }

  void make_folder(const std::string& path) const {
    ASSERT_EQ(::mkdir(at(path).c_str(), 0755), 0) << path;
  }
  void make_file(const std::string& path, const std::string& content = "x") const {
    const Descriptor file(::open(at(path).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    ASSERT_TRUE(static_cast<bool>(file)) << path;
    ASSERT_EQ(::write(file.get(), content.data(), content.size()),
              static_cast<ssize_t>(content.size()));
  }
  void make_link(const std::string& target, const std::string& path) const {
    ASSERT_EQ(::symlink(target.c_str(), at(path).c_str()), 0) << path;
  }

 private:
  TemporaryFolder folder_;
};

// Runs `body` on a thread of its own, which may change what is its alone: its user, its working
// folder, what is mounted; true if it returned true. A child process would run as well, but count
// nothing for the coverage.
inline bool on_own_thread(const std::function<bool()>& body) {
  bool result = false;
  std::thread([&] { result = body(); }).join();
  return result;
}
constexpr unsigned kNobody = 65534;
// Makes an ordinary user of the calling thread, if it is root's. The C library's calls would take
// all threads along.
inline bool become_nobody() {
  return ::geteuid() != 0 || (::syscall(SYS_setgroups, 0, nullptr) == 0 &&
                              ::syscall(SYS_setresgid, kNobody, kNobody, kNobody) == 0 &&
                              ::syscall(SYS_setresuid, kNobody, kNobody, kNobody) == 0);
}
// What the calling thread mounts from here on is there for it alone, and ends with it.
inline bool mount_for_this_thread_alone() {
  return ::unshare(CLONE_NEWNS) == 0 &&
         ::mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

struct Scanned {
  std::vector<Entry> entries;
  std::vector<ScanProblem> problems;
  Status status;

  std::vector<std::string> paths() const {
    std::vector<std::string> all;
    for (const Entry& entry : entries) all.push_back(entry.path);
    return all;
  }
  // Paths below `folder`, relative to it.
  std::vector<std::string> below(const std::string& folder) const {
    std::vector<std::string> all;
    for (const Entry& entry : entries)
      if (entry.path.starts_with(folder + "/")) all.push_back(entry.path.substr(folder.size() + 1));
    return all;
  }
  // The entries of `folder` and all below. The folders above it belong to everybody, whose doings
  // change their times.
  std::vector<Entry> within(const std::string& folder) const {
    std::vector<Entry> all;
    for (const Entry& entry : entries)
      if (entry.path == folder || entry.path.starts_with(folder + "/")) all.push_back(entry);
    return all;
  }
  const Entry& find(const std::string& path) const {
    for (const Entry& entry : entries)
      if (entry.path == path) return entry;
    ADD_FAILURE() << "no entry " << path;
    static const Entry none;
    return none;
  }
};

inline Scanned scan(SourceTree& tree) {
  Scanned result;
  result.status = tree.scan(
      [&](Entry&& entry) {
        result.entries.push_back(std::move(entry));
        return true;
      },
      [&](ScanProblem&& problem) { result.problems.push_back(std::move(problem)); });
  return result;
}

inline Scanned scan(const std::vector<std::string>& sources, ScanOptions options = {},
                    KernelFeatures features = KernelFeatures::probe()) {
  auto tree = PosixSourceTree::create(sources, std::move(options), features);
  if (!tree) return {.entries = {}, .problems = {}, .status = tree.error()};
  return scan(**tree);
}

// All of a file's content, `step` bytes a read.
inline Result<std::string> read_all(SourceTree& tree, const Entry& entry, std::size_t step = 7) {
  HOLDFAST_ASSIGN(const auto reader, tree.open(entry));
  std::string content;
  Bytes buffer(step);
  for (;;) {
    HOLDFAST_ASSIGN(const std::size_t length, reader->read(buffer));
    content.append(as_text(ByteView(buffer).first(length)));
    if (length < buffer.size()) return content;
  }
}

}  // namespace holdfast::agent
