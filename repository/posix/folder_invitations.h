// Invitations as files, INVITES/<public key in hex>, so that `holdfast-node invite` can hand one
// out while the node runs: every question reads the file.
//
//   expires 1790000000            seconds since 1970
//   repository <id in hex>        once it is used
#pragma once

#include <string>

#include "common/format/credential.h"
#include "common/ports/clock.h"
#include "common/ports/file_system.h"
#include "repository/invitations.h"

namespace holdfast::repository {

class FolderInvitations final : public Invitations {
 public:
  static constexpr Duration kLifetime = std::chrono::hours(24);

  // `folder` need not exist before the first issue().
  FolderInvitations(FileSystem& files, const Clock& clock, std::string folder)
      : files_(files), clock_(clock), folder_(std::move(folder)) {}

  Result<std::optional<Invitation>> find(const CurveKey& key) override;
  Status bind(const CurveKey& key, const RepositoryId& repository) override;

  // A new invitation to `node`, durable. Forgets those that are long expired.
  Result<format::Invite> issue(const format::CharterNode& node);

 private:
  struct Entry {
    UnixTime expires;
    Invitation invitation;
  };
  std::string path_of(const CurveKey& key) const;
  Result<Entry> read(const std::string& path);
  Status write(const std::string& path, const Entry& entry);
  void remove_expired();

  FileSystem& files_;
  const Clock& clock_;
  const std::string folder_;
};

}  // namespace holdfast::repository
