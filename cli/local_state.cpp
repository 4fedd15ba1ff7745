#include "cli/local_state.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

#include "common/crypto/hash.h"

namespace holdfast::cli {
namespace {

constexpr Duration kLockRetry = std::chrono::milliseconds(50);

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value != nullptr ? value : "";
}

}  // namespace

std::string cache_folder() {
  if (std::string own = environment("HOLDFAST_CACHE_DIR"); !own.empty()) return own;
  // The specification of XDG says that a relative path is to be ignored.
  if (std::string xdg = environment("XDG_CACHE_HOME"); xdg.starts_with('/'))
    return xdg + "/holdfast";
  if (std::string home = environment("HOME"); !home.empty()) return home + "/.cache/holdfast";
  return "/var/cache/holdfast";
}

Result<LocalState> LocalState::open(FileSystem& files, const RepositoryId& repository) {
  const std::string folder = cache_folder() + "/" + repository.hex();
  auto made = make_directories(files, folder);
  // What lies in it is relied on; who wrote it may have been killed before it was durable.
  if (made) made = files.sync_directory(folder);
  if (!made)
    return Error(made.error().code(), fmt::format("cache folder: {}; HOLDFAST_CACHE_DIR may name "
                                                  "another",
                                                  made.error().message()));
  return LocalState(files, repository, folder);
}

Result<std::optional<format::SignedCharter>> LocalState::known_charter() const {
  using Known = std::optional<format::SignedCharter>;
  HOLDFAST_ASSIGN(const bool there, files_->exists(charter_path()));
  if (!there) return Known();
  HOLDFAST_ASSIGN(const Buffer record, read_file(*files_, charter_path(), format::kMaxCharterSize));
  HOLDFAST_ASSIGN_OR(auto known, format::parse_charter(record, repository_), charter_path());
  return Known(std::move(known));
}

Status LocalState::keep_charter(const format::SignedCharter& charter) {
  return write_file_atomically(*files_, charter_path(), charter.record);
}

std::string LocalState::scratch_path(const std::string& what) const {
  return fmt::format("{}/{}.{}", folder_, what, ::getpid());
}

Result<std::string> LocalState::agent_folder(const AgentId& agent) {
  std::string folder = folder_ + "/" + agent.short_hex();
  HOLDFAST_TRY_OR(make_directories(*files_, folder), "cache folder");
  return folder;
}

Result<std::string> LocalState::catalog_path(const AgentId& agent,
                                             const std::vector<std::string>& parts) {
  HOLDFAST_ASSIGN(const std::string folder, agent_folder(agent));
  std::string text;
  for (const std::string& part : parts) text += fmt::format("{}:{}", part.size(), part);
  const auto digest = crypto::sha256(as_bytes(text));
  return fmt::format("{}/{}.catalog", folder, hex_encode(ByteView(digest.bytes).first(16)));
}

Result<std::unique_ptr<FileLock>> LocalState::lock(const AgentId& agent, Duration patience,
                                                   Workplace& work, Output& output) {
  HOLDFAST_ASSIGN(const std::string folder, agent_folder(agent));
  const Instant give_up = work.clock.now() + patience;
  for (bool said = false;; said = true) {
    auto lock = files_->lock(folder + "/lock");
    if (lock || lock.error().code() != Code::kConflict) return lock;
    if (work.clock.now() >= give_up)
      return Error(Code::kConflict,
                   "another backup of this agent runs on this machine; --lock-wait says how long "
                   "to wait for it");
    if (!said) output.note("waiting for another backup of this agent on this machine");
    work.await<bool>([&](const std::function<void(bool)>& done) {
      work.loop.after(kLockRetry, [done] { done(true); });
    });
  }
}

}  // namespace holdfast::cli
