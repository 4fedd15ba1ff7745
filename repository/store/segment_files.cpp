#include "repository/store/segment_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "repository/store/segment_format.h"

namespace holdfast::repository {
namespace {

constexpr std::size_t kOpenFiles = 16;
constexpr std::size_t kNameDigits = 8;
constexpr std::string_view kSuffix = ".seg";

// 0 for a name that is not a segment's.
std::uint32_t number_of(const std::string& name) {
  if (name.size() != kNameDigits + kSuffix.size() || !name.ends_with(kSuffix)) return 0;
  std::uint32_t number = 0;
  const char* end = name.data() + kNameDigits;
  const auto [stopped, error] = std::from_chars(name.data(), end, number, 16);
  if (error != std::errc() || stopped != end) return 0;
  return name == fmt::format("{:08x}{}", number, kSuffix) ? number : 0;  // one spelling only
}

}  // namespace

std::string SegmentFiles::path(std::uint32_t number) const {
  return fmt::format("{}/{:08x}{}", folder_, number, kSuffix);
}

Result<std::vector<std::uint32_t>> SegmentFiles::list() {
  HOLDFAST_ASSIGN(const auto entries, files_.list(folder_));
  std::vector<std::uint32_t> numbers;
  for (const DirectoryEntry& entry : entries)
    if (const std::uint32_t number = entry.is_directory ? 0 : number_of(entry.name); number != 0)
      numbers.push_back(number);
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

Result<std::shared_ptr<File>> SegmentFiles::read(std::uint32_t number) {
  for (auto at = open_.begin(); at != open_.end(); ++at) {
    if (at->first != number) continue;
    open_.splice(open_.begin(), open_, at);
    return open_.front().second;
  }
  HOLDFAST_ASSIGN(std::shared_ptr<File> file, files_.open(path(number), OpenMode::kRead));
  keep(number, file);
  return file;
}

Result<std::shared_ptr<File>> SegmentFiles::append_to(std::uint32_t number) {
  HOLDFAST_ASSIGN(std::shared_ptr<File> file, files_.open(path(number), OpenMode::kReadWrite));
  keep(number, file);
  return file;
}

Result<std::shared_ptr<File>> SegmentFiles::create(std::uint32_t number) {
  HOLDFAST_ASSIGN(std::shared_ptr<File> file, files_.open(path(number), OpenMode::kCreateNew));
  const auto header = encode_segment_header(number, node_);
  if (Status written = file->write_at(0, {header}); !written) {
    // A file that cannot be removed now is empty, which recovery understands.
    if (Status removed = remove(number); !removed)
      return std::move(written).error().with_context(removed.error().message());
    return std::move(written).error();
  }
  keep(number, file);
  return file;
}

Status SegmentFiles::remove(std::uint32_t number) {
  open_.remove_if([&](const auto& entry) { return entry.first == number; });
  Status removed = files_.remove(path(number));
  if (!removed && removed.error().code() == Code::kNotFound) return {};
  return removed;
}

void SegmentFiles::keep(std::uint32_t number, std::shared_ptr<File> file) {
  open_.remove_if([&](const auto& entry) { return entry.first == number; });
  open_.emplace_front(number, std::move(file));
  if (open_.size() > kOpenFiles) open_.pop_back();
}

}  // namespace holdfast::repository
