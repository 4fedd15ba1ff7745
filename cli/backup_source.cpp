#include "cli/backup_source.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "agent/posix/posix_source_tree.h"
#include "agent/posix/scan_thread.h"
#include "agent/posix/stream_source.h"
#include "common/base/byte_size.h"
#include "common/base/text.h"
#include "common/posix/system_call.h"

namespace holdfast::cli {
namespace {

constexpr std::size_t kMaxListFile = 16 << 20;

class TreeSource final : public BackupSource {
 public:
  TreeSource(std::vector<std::string> paths, std::vector<std::string> identity,
             std::unique_ptr<agent::PosixSourceTree> tree)
      : BackupSource(std::move(paths), std::move(identity)),
        tree_(std::move(tree)),
        scan_(*tree_) {}
  agent::SourceTree& tree() override { return *tree_; }
  agent::EntryStream& scan() override { return scan_; }
  void cancel() override { scan_.cancel(); }

 private:
  const std::unique_ptr<agent::PosixSourceTree> tree_;
  agent::ScanThread scan_;
};

class StreamedSource final : public BackupSource {
 public:
  StreamedSource(std::vector<std::string> identity, std::unique_ptr<agent::StreamSource> stream)
      : BackupSource({stream->path()}, std::move(identity)), stream_(std::move(stream)) {}
  agent::SourceTree& tree() override { return *stream_; }
  agent::EntryStream& scan() override { return *stream_; }
  void cancel() override { stream_->cancel(); }

 private:
  const std::unique_ptr<agent::StreamSource> stream_;
};

Result<std::string> read_stdin(std::size_t limit) {
  std::string text;
  std::array<char, 64 << 10> piece{};
  for (;;) {
    const ssize_t count =
        retry_interrupted([&] { return ::read(STDIN_FILENO, piece.data(), piece.size()); });
    if (count < 0) return error_from_errno(errno, "standard input");
    if (count == 0) return text;
    text.append(piece.data(), static_cast<std::size_t>(count));
    if (text.size() > limit)
      return Error(Code::kInvalidArgument,
                   fmt::format("standard input: larger than {}", human_bytes(limit)));
  }
}

Result<std::string> read_list(FileSystem& files, const std::string& path, std::string_view option) {
  if (path == "-") {
    auto text = read_stdin(kMaxListFile);
    return text ? std::move(text) : std::move(text).error().with_context(option);
  }
  HOLDFAST_ASSIGN_OR(const Buffer bytes, read_file(files, path, kMaxListFile), option);
  return std::string(as_text(bytes));
}

// The pieces between `end` that are not empty.
std::vector<std::string> split(std::string_view text, char end) {
  std::vector<std::string> pieces;
  while (!text.empty()) {
    const std::size_t length = std::min(text.find(end), text.size());
    if (length != 0) pieces.emplace_back(text.substr(0, length));
    text.remove_prefix(std::min(length + 1, text.size()));
  }
  return pieces;
}

// One pattern a line; blank lines and those that begin with '#' are left out.
Result<std::vector<std::string>> all_patterns(FileSystem& files, const SourceOptions& options) {
  std::vector<std::string> patterns = options.excludes;
  for (const std::string& path : options.exclude_files) {
    HOLDFAST_ASSIGN_OR(const Buffer bytes, read_file(files, path, kMaxListFile), "--exclude-file");
    for (std::string& line : split(as_text(bytes), '\n')) {
      if (line.ends_with('\r')) line.pop_back();
      if (!line.empty() && line.front() != '#') patterns.push_back(std::move(line));
    }
  }
  return patterns;
}

Result<std::vector<std::string>> all_paths(FileSystem& files, const SourceOptions& options) {
  std::vector<std::string> paths = options.paths;
  const auto take = [&](const std::vector<std::string>& lists, char end,
                        std::string_view option) -> Status {
    for (const std::string& list : lists) {
      HOLDFAST_ASSIGN(const std::string text, read_list(files, list, option));
      for (std::string& path : split(text, end)) paths.push_back(std::move(path));
    }
    return {};
  };
  HOLDFAST_TRY(take(options.files_from, '\n', "--files-from"));
  HOLDFAST_TRY(take(options.files_from0, '\0', "--files-from0"));
  if (paths.empty())
    return Error(Code::kInvalidArgument, "nothing to save: name paths, or a list that holds some");
  for (const std::string& path : paths)
    if (options.absolute_only && !path.starts_with('/'))
      return Error(Code::kInvalidArgument,
                   fmt::format("the path \"{}\" is not absolute", printable(path)));
  return paths;
}

Status check_stdin_use(const SourceOptions& options) {
  const auto lists = std::count(options.files_from.begin(), options.files_from.end(), "-") +
                     std::count(options.files_from0.begin(), options.files_from0.end(), "-");
  if (lists > 1)
    return Error(Code::kInvalidArgument, "standard input can be only one list of paths");
  if (options.from_stdin && !options.stdin_command.empty())
    return Error(Code::kInvalidArgument, "give --stdin or --stdin-from-command, one of them");
  const bool selects =
      !options.paths.empty() || !options.files_from.empty() || !options.files_from0.empty();
  if (options.is_stream() && selects)
    return Error(Code::kInvalidArgument, "a backup is of paths or of one stream, not of both");
  if (!options.is_stream() && !options.stdin_filename.empty())
    return Error(Code::kInvalidArgument,
                 "--stdin-filename names a stream: --stdin or --stdin-from-command gives one");
  return {};
}

Result<agent::ScanOptions> scan_options(const SourceOptions& options,
                                        const std::vector<std::string>& patterns) {
  agent::ScanOptions scan;
  HOLDFAST_ASSIGN(scan.exclude, agent::PathFilter::parse(patterns));
  HOLDFAST_ASSIGN_OR(scan.exclude_in_any_case,
                     agent::PathFilter::parse(options.excludes_in_any_case, true), "--iexclude");
  for (const std::string& text : options.exclude_if_present) {
    HOLDFAST_ASSIGN_OR(auto mark, agent::FolderMark::parse(text), "--exclude-if-present");
    scan.exclude_if_present.push_back(std::move(mark));
  }
  if (options.exclude_caches) scan.exclude_if_present.push_back(agent::FolderMark::cache());
  if (!options.exclude_larger_than.empty()) {
    scan.exclude_larger_than = parse_byte_size(options.exclude_larger_than);
    if (!scan.exclude_larger_than)
      return Error(
          Code::kInvalidArgument,
          fmt::format("--exclude-larger-than: \"{}\" is no size as 500, 20k, 10M, 4G or 1T",
                      printable(options.exclude_larger_than)));
  }
  scan.one_file_system = options.one_file_system;
  return scan;
}

std::vector<std::string> identity_of(const SourceOptions& options,
                                     const std::vector<std::string>& paths,
                                     const std::vector<std::string>& patterns) {
  std::vector<std::string> identity{options.one_file_system ? "x" : "",
                                    options.exclude_caches ? "c" : ""};
  const auto add = [&](const std::vector<std::string>& texts) {
    identity.insert(identity.end(), texts.begin(), texts.end());
    identity.emplace_back();
  };
  add(paths);
  identity.insert(identity.end(), patterns.begin(), patterns.end());
  // Only where one is given, so that the local catalogs of backups without stay theirs.
  if (options.excludes_in_any_case.empty() && options.exclude_if_present.empty() &&
      options.exclude_larger_than.empty())
    return identity;
  identity.emplace_back();
  add(options.excludes_in_any_case);
  add(options.exclude_if_present);
  identity.push_back(options.exclude_larger_than);
  return identity;
}

Result<std::unique_ptr<BackupSource>> open_stream(const Clock& clock,
                                                  const SourceOptions& options) {
  std::unique_ptr<agent::StreamOrigin> origin;
  if (options.from_stdin)
    origin = std::make_unique<agent::StandardInput>();
  else
    origin = std::make_unique<agent::CommandOutput>(options.stdin_command);
  const std::string name = options.stdin_filename.empty() ? "stdin" : options.stdin_filename;
  HOLDFAST_ASSIGN(auto stream, agent::StreamSource::create(name, std::move(origin), clock.wall()));
  std::vector<std::string> identity{"stream", stream->path()};
  return std::unique_ptr<BackupSource>(
      std::make_unique<StreamedSource>(std::move(identity), std::move(stream)));
}

}  // namespace

Result<std::unique_ptr<BackupSource>> BackupSource::open(FileSystem& files, const Clock& clock,
                                                         const SourceOptions& options) {
  HOLDFAST_TRY(check_stdin_use(options));
  if (options.is_stream()) return open_stream(clock, options);
  HOLDFAST_ASSIGN(const auto patterns, all_patterns(files, options));
  HOLDFAST_ASSIGN(agent::ScanOptions scan, scan_options(options, patterns));
  HOLDFAST_ASSIGN(const auto given, all_paths(files, options));
  HOLDFAST_ASSIGN(const auto sources, agent::SourcePaths::from(given));
  std::vector<std::string> paths;
  for (const std::string& path : sources.sources()) paths.push_back("/" + path);
  HOLDFAST_TRY(sources.check_reachable());
  HOLDFAST_ASSIGN(auto tree, agent::PosixSourceTree::create(given, std::move(scan)));
  std::vector<std::string> identity = identity_of(options, paths, patterns);
  return std::unique_ptr<BackupSource>(
      std::make_unique<TreeSource>(std::move(paths), std::move(identity), std::move(tree)));
}

}  // namespace holdfast::cli
