#include "repository/posix/folder_invitations.h"

#include <fmt/format.h>

#include <charconv>

#include "common/posix/curve_key_pair.h"

namespace holdfast::repository {
namespace {

constexpr std::size_t kMaxFile = 4'096;
constexpr std::int64_t kSecond = 1'000'000'000;

// The rest of the line that begins with `word`; nullopt if there is none.
std::optional<std::string_view> field(std::string_view text, std::string_view word) {
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    if (line.starts_with(word) && line.size() > word.size() && line[word.size()] == ' ')
      return line.substr(word.size() + 1);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return std::nullopt;
}

}  // namespace

std::string FolderInvitations::path_of(const CurveKey& key) const {
  return folder_ + "/" + hex_encode(key);
}

Result<FolderInvitations::Entry> FolderInvitations::read(const std::string& path) {
  HOLDFAST_ASSIGN(const Buffer bytes, read_file(files_, path, kMaxFile));
  const std::string_view text = as_text(bytes);
  const auto malformed = [&] {
    return Error(Code::kCorrupt, fmt::format("{}: not an invitation", path));
  };
  const auto expires = field(text, "expires");
  std::int64_t seconds = 0;
  if (!expires ||
      std::from_chars(expires->data(), expires->data() + expires->size(), seconds).ec !=
          std::errc() ||
      seconds < 0 || seconds > INT64_MAX / kSecond)
    return malformed();
  Entry entry{{seconds * kSecond}, {}};
  if (const auto repository = field(text, "repository")) {
    entry.invitation.used_for = RepositoryId::from_hex(*repository);
    if (!entry.invitation.used_for) return malformed();
  }
  return entry;
}

Status FolderInvitations::write(const std::string& path, const Entry& entry) {
  std::string text = fmt::format("expires {}\n", entry.expires.nanoseconds / kSecond);
  if (entry.invitation.used_for)
    text += fmt::format("repository {}\n", entry.invitation.used_for->hex());
  return write_file_atomically(files_, path, as_bytes(text));
}

Result<std::optional<Invitation>> FolderInvitations::find(const CurveKey& key) {
  const auto entry = read(path_of(key));
  if (!entry && entry.error().code() == Code::kNotFound) return std::optional<Invitation>();
  if (!entry) return Error(entry.error()).with_context("invitation");
  if (entry->expires <= clock_.wall()) return std::optional<Invitation>();
  return std::optional<Invitation>(entry->invitation);
}

Status FolderInvitations::bind(const CurveKey& key, const RepositoryId& repository) {
  const std::string path = path_of(key);
  HOLDFAST_ASSIGN(Entry entry, read(path));
  if (entry.expires <= clock_.wall()) return Error(Code::kNotFound, "the invitation has expired");
  // The binding that is seen may be one whose sync failed, or was cut off.
  if (entry.invitation.used_for == repository) return files_.sync_directory(folder_);
  if (entry.invitation.used_for)
    return Error(Code::kConflict, "the invitation was used for another repository");
  entry.invitation.used_for = repository;
  return write(path, entry);
}

Result<format::Invite> FolderInvitations::issue(const format::CharterNode& node) {
  HOLDFAST_TRY(make_directories(files_, folder_));
  remove_expired();
  CurveKeyPair keys = generate_curve_key_pair();
  const Entry entry{{clock_.wall().nanoseconds + kLifetime.count()}, {}};
  HOLDFAST_TRY_OR(write(path_of(keys.public_key), entry), "invitation");
  return format::Invite{node, std::move(keys.secret_key)};
}

// Kept as long again as they lived, for who looks into the folder. Failures are no reason not to
// hand out another one.
void FolderInvitations::remove_expired() {
  const auto entries = files_.list(folder_);
  if (!entries) return;
  for (const DirectoryEntry& name : *entries) {
    const std::string path = folder_ + "/" + name.name;
    const auto entry = read(path);
    if (entry && clock_.wall().nanoseconds - entry->expires.nanoseconds > kLifetime.count())
      static_cast<void>(files_.remove(path));
  }
}

}  // namespace holdfast::repository
