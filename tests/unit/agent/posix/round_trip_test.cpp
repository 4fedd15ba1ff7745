// What a scan says of a tree holds for its restored copy: a property over generated trees.
#include <gtest/gtest.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <random>

#include "agent/posix/posix_restore_target.h"
#include "tests/testing/seed.h"
#include "tests/unit/agent/posix/tree_fixture.h"

namespace holdfast::agent {
namespace {

using RoundTrip = TreeFixture;

class TreeGenerator {
 public:
  TreeGenerator(std::string root, std::uint64_t seed) : random_(seed), folders_{std::move(root)} {}

  void make(int count) {
    for (int i = 0; i < count; ++i) make_one();
    // From the bottom up, so that a closed folder does not keep us out.
    for (auto path = made_.rbegin(); path != made_.rend(); ++path) give_attributes(*path);
  }

 private:
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

  std::string name() {
    std::string made;
    for (auto length = below(10) == 0 ? 255 : 1 + below(12); length > 0; --length) {
      char c = static_cast<char>(1 + below(255));
      made += c == '/' ? '_' : c;
    }
    return made == "." || made == ".." ? "dots" : made;
  }

  void make_one() {
    const std::string path = folders_[below(folders_.size())] + "/" + name();
    bool fresh = false;
    switch (below(8)) {
      case 0:
      case 1:
        fresh = path.size() < 3000 && ::mkdir(path.c_str(), 0700) == 0;
        if (fresh) folders_.push_back(path);
        break;
      case 2:
        fresh = ::symlink(name().c_str(), path.c_str()) == 0;
        break;
      case 3:
        fresh = ::mknod(path.c_str(), (below(2) == 0 ? S_IFIFO : S_IFSOCK) | 0600, 0) == 0;
        break;
      case 4:
        if (!files_.empty())
          fresh = ::link(files_[below(files_.size())].c_str(), path.c_str()) == 0;
        break;
      default:
        fresh = make_file(path);
    }
    if (fresh) made_.push_back(path);
  }

  bool make_file(const std::string& path) {
    const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file) return false;
    std::string content(below(4) == 0 ? below(200'000) : below(100), '\0');
    for (char& c : content) c = static_cast<char>(random_());
    EXPECT_EQ(::pwrite(file.get(), content.data(), content.size(),
                       static_cast<off_t>(below(5) == 0 ? below(100'000) : 0)),
              static_cast<ssize_t>(content.size()));
    files_.push_back(path);
    return true;
  }

  void give_attributes(const std::string& path) {
    if (below(3) == 0 && !std::filesystem::is_symlink(path)) {
      const std::string value(below(200), 'v');
      // Not every file system keeps them; what is not set is not compared.
      (void)::lsetxattr(path.c_str(), ("user." + std::to_string(below(3))).c_str(), value.data(),
                        value.size(), 0);
    }
    if (::geteuid() == 0 && below(2) == 0) {
      const auto uid = static_cast<uid_t>(below(3));
      EXPECT_EQ(::lchown(path.c_str(), uid, static_cast<gid_t>(below(3))), 0);
    }
    if (!std::filesystem::is_symlink(path)) {
      // Whoever is not root could not read what he closed.
      const mode_t least = ::geteuid() == 0 ? 0 : 0500;
      EXPECT_EQ(::chmod(path.c_str(), static_cast<mode_t>(below(010000)) | least), 0);
    }
    const struct timespec times[2] = {
        {0, UTIME_OMIT},
        {static_cast<time_t>(below(4'000'000'000)), static_cast<long>(below(1'000'000'000))}};
    EXPECT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW), 0);
  }

  std::mt19937_64 random_;
  std::vector<std::string> folders_, files_, made_;
};

struct Tree {
  std::vector<Entry> entries;  // with paths from the root
  std::map<std::string, std::string> contents;
  std::map<std::string, std::string> first_names;  // of files with several, by path
};

Tree read_tree(const std::string& root) {
  auto source = PosixSourceTree::create({root}, {}).value();
  Scanned scanned = scan(*source);
  EXPECT_TRUE(scanned.status);
  EXPECT_TRUE(scanned.problems.empty());
  Tree tree;
  std::map<std::uint64_t, std::string> first;
  for (Entry& entry : scanned.entries) {
    if (entry.path.size() <= root.size()) continue;
    EXPECT_TRUE(source->describe(entry)) << entry.path;
    const std::string path = entry.path.substr(root.size());
    if (entry.is_regular()) tree.contents[path] = read_all(*source, entry, 65'536).value();
    if (!entry.is_directory() && entry.links > 1)
      tree.first_names[path] = first.try_emplace(entry.inode, path).first->second;
    entry.path = path;
    tree.entries.push_back(std::move(entry));
  }
  return tree;
}

void restore(const Tree& tree, RestoreTarget& target) {
  for (const Entry& entry : tree.entries) {
    ASSERT_TRUE(!entry.is_directory() || target.make_directory(entry.path));
  }
  for (const Entry& entry : tree.entries) {
    const auto link = tree.first_names.find(entry.path);
    Status status;
    if (link != tree.first_names.end() && link->second != entry.path)
      status = target.make_hard_link(entry.path, link->second);
    else if (entry.is_symlink())
      status = target.make_symlink(entry.path, entry);
    else if (entry.is_regular())
      status = target.write_file(entry.path, entry, as_bytes(tree.contents.at(entry.path)));
    else if (!entry.is_directory())
      status = target.make_special(entry.path, entry);
    ASSERT_TRUE(status) << status.error().message();
  }
  for (auto entry = tree.entries.rbegin(); entry != tree.entries.rend(); ++entry)
    if (entry->is_directory()) {
      const Status status = target.finish_directory(entry->path, *entry);
      ASSERT_TRUE(status) << status.error().message();
    }
}

// All but what belongs to the copy alone.
Entry comparable(Entry entry) {
  entry.ctime = {};
  entry.inode = entry.device = 0;
  if (entry.is_directory()) entry.links = 1;
  return entry;
}

TEST_F(RoundTrip, CopyIsScannedAsTheOriginal) {
  for (std::uint64_t round = 0; round < 5; ++round) {
    const std::string source = "source" + std::to_string(round);
    make_folder(source);
    TreeGenerator(at(source), testing::seed() + round).make(150);
    const Tree original = read_tree(at(source));
    ASSERT_GT(original.entries.size(), 50U);
    // The second time over what is there already.
    const auto target = PosixRestoreTarget::open(at("copy" + std::to_string(round))).value();
    for (int time = 0; time < 2; ++time) {
      restore(original, *target);
      const Tree copy = read_tree(at("copy" + std::to_string(round)));
      ASSERT_EQ(copy.entries.size(), original.entries.size());
      for (std::size_t i = 0; i < copy.entries.size(); ++i)
        EXPECT_EQ(comparable(copy.entries[i]), comparable(original.entries[i]))
            << original.entries[i].path;
      EXPECT_EQ(copy.contents, original.contents);
      EXPECT_EQ(copy.first_names, original.first_names);
    }
  }
}

}  // namespace
}  // namespace holdfast::agent
