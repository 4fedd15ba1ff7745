// Measures the restore target beside libarchive's disk writer: both write the same tree, held in
// memory, with all of its metadata. See docs/decisions/0002-restore-writer.md.
//
//   restore_writers TREE OUT holdfast|libarchive THREADS
//
// OUT must not exist. Threads take whole folders, in order.
#include <archive.h>
#include <archive_entry.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "agent/posix/posix_restore_target.h"
#include "agent/posix/posix_source_tree.h"

namespace holdfast::agent {
namespace {

struct Item {
  Entry entry;
  std::string path;  // relative
  Bytes content;
};

template <typename T>
T must(Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "%s\n", result.error().message().c_str());
    std::exit(1);
  }
  return std::move(result).value();
}

void must(const Status& status) {
  if (status) return;
  std::fprintf(stderr, "%s\n", status.error().message().c_str());
  std::exit(1);
}

std::vector<Item> load(const std::string& root) {
  const auto tree = must(PosixSourceTree::create({root}, {}));
  std::vector<Item> items;
  std::size_t above = root.find_last_not_of('/') + 1;  // the path of an entry has no leading '/'
  must(tree->scan(
      [&](Entry&& entry) {
        if (entry.path.size() > above) {
          Item& item = items.emplace_back();
          item.path = entry.path.substr(above);
          item.entry = std::move(entry);
        }
        return true;
      },
      [](ScanProblem&& problem) { std::fprintf(stderr, "%s\n", problem.path.c_str()); }));
  for (Item& item : items) {
    must(tree->describe(item.entry));
    if (!item.entry.is_regular()) continue;
    const auto reader = must(tree->open(item.entry));
    item.content.resize(item.entry.size);
    item.content.resize(must(reader->read(item.content)));
  }
  return items;
}

// Runs `work(first, last)` for stretches that end with a folder, on `threads` threads.
void in_parallel(const std::vector<Item>& items, std::size_t threads,
                 const std::function<void(const Item&)>& work) {
  std::vector<std::size_t> begins;
  for (std::size_t i = 0; i < items.size(); ++i)
    if (i == 0 || items[i].entry.is_directory()) begins.push_back(i);
  begins.push_back(items.size());
  std::atomic<std::size_t> next{0};
  std::vector<std::thread> running;
  for (std::size_t t = 0; t < threads; ++t)
    running.emplace_back([&] {
      for (std::size_t one = next++; one + 1 < begins.size(); one = next++)
        for (std::size_t i = begins[one]; i < begins[one + 1]; ++i)
          if (!items[i].entry.is_directory()) work(items[i]);
    });
  for (std::thread& thread : running) thread.join();
}

void write_with_holdfast(const std::vector<Item>& items, const std::string& out,
                         std::size_t threads) {
  const auto target = must(PosixRestoreTarget::open(out));
  for (const Item& item : items)
    if (item.entry.is_directory()) must(target->make_directory(item.path));
  in_parallel(items, threads, [&](const Item& item) {
    if (item.entry.is_regular())
      must(target->write_file(item.path, item.entry, item.content));
    else if (item.entry.is_symlink())
      must(target->make_symlink(item.path, item.entry));
    else
      must(target->make_special(item.path, item.entry));
  });
  for (auto item = items.rbegin(); item != items.rend(); ++item)
    if (item->entry.is_directory()) must(target->finish_directory(item->path, item->entry));
}

struct archive* new_disk_writer() {
  struct archive* writer = archive_write_disk_new();
  archive_write_disk_set_options(
      writer, ARCHIVE_EXTRACT_OWNER | ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_TIME |
                  ARCHIVE_EXTRACT_ACL | ARCHIVE_EXTRACT_XATTR | ARCHIVE_EXTRACT_UNLINK |
                  ARCHIVE_EXTRACT_SECURE_SYMLINKS | ARCHIVE_EXTRACT_SECURE_NODOTDOT |
                  ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS);
  return writer;
}

void write_one(struct archive* writer, const Item& item) {
  struct archive_entry* entry = archive_entry_new();
  archive_entry_set_pathname(entry, item.path.c_str());
  archive_entry_set_mode(entry, item.entry.mode);
  archive_entry_set_uid(entry, item.entry.uid);
  archive_entry_set_gid(entry, item.entry.gid);
  archive_entry_set_mtime(entry, item.entry.mtime.seconds,
                          static_cast<long>(item.entry.mtime.nanoseconds));
  if (item.entry.is_regular())
    archive_entry_set_size(entry, static_cast<la_int64_t>(item.content.size()));
  if (item.entry.is_symlink()) archive_entry_set_symlink(entry, item.entry.target.c_str());
  for (const Xattr& xattr : item.entry.xattrs)
    archive_entry_xattr_add_entry(entry, xattr.name.c_str(), xattr.value.data(),
                                  xattr.value.size());
  int status = archive_write_header(writer, entry);
  if (status == ARCHIVE_OK && !item.content.empty() &&
      archive_write_data_block(writer, item.content.data(), item.content.size(), 0) < 0)
    status = ARCHIVE_FATAL;
  if (status == ARCHIVE_OK) status = archive_write_finish_entry(writer);
  if (status != ARCHIVE_OK) {
    std::fprintf(stderr, "%s: %s\n", item.path.c_str(), archive_error_string(writer));
    std::exit(1);
  }
  archive_entry_free(entry);
}

void write_with_libarchive(const std::vector<Item>& items, const std::string& out,
                           std::size_t threads) {
  // It knows no other base than the working directory.
  if (::mkdir(out.c_str(), 0700) != 0 || ::chdir(out.c_str()) != 0) std::exit(1);
  struct archive* folders = new_disk_writer();
  for (const Item& item : items)
    if (item.entry.is_directory()) write_one(folders, item);
  in_parallel(items, threads, [&](const Item& item) {
    thread_local const auto writer = [] {
      struct Free {
        void operator()(struct archive* a) const { archive_write_free(a); }
      };
      return std::unique_ptr<struct archive, Free>(new_disk_writer());
    }();
    write_one(writer.get(), item);
  });
  archive_write_free(folders);  // sets modes and times of folders
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

}  // namespace
}  // namespace holdfast::agent

int main(int count, char** arguments) {
  using namespace holdfast::agent;  // NOLINT(google-build-using-namespace): a program's main
  if (count != 5) return 2;
  const std::vector<Item> items = load(arguments[1]);
  const auto threads = static_cast<std::size_t>(std::atoi(arguments[4]));
  rusage before{}, after{};
  ::getrusage(RUSAGE_SELF, &before);
  const auto started = std::chrono::steady_clock::now();
  if (std::string(arguments[3]) == "holdfast")
    write_with_holdfast(items, arguments[2], threads);
  else
    write_with_libarchive(items, arguments[2], threads);
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - started;
  ::getrusage(RUSAGE_SELF, &after);
  std::printf("%s, %zu threads: %zu entries, %.2f s, user %.2f s, system %.2f s\n", arguments[3],
              threads, items.size(), passed.count(),
              seconds(after.ru_utime) - seconds(before.ru_utime),
              seconds(after.ru_stime) - seconds(before.ru_stime));
}
