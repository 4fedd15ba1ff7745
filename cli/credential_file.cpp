// Written beside its place under a name that only this credential gives, synced, and moved to where
// nothing is: whoever looks at the path at any time sees a whole credential or none.
#include "cli/credential_file.h"

#include <fmt/format.h>

#include "common/crypto/hash.h"

namespace holdfast::cli {
namespace {

Status write_temporary(FileSystem& files, const std::string& path, ByteView text) {
  auto file = files.open(path, OpenMode::kCreateNew);
  if (!file && file.error().code() == Code::kAlreadyExists) {
    HOLDFAST_TRY(files.remove(path));  // an attempt with the same keys was cut off
    file = files.open(path, OpenMode::kCreateNew);
  }
  if (!file) return std::move(file).error();
  HOLDFAST_TRY((*file)->write_at(0, {text}));
  return (*file)->sync_data();
}

Error taken(const std::string& path) {
  return Error(
      Code::kAlreadyExists,
      fmt::format("{} exists already, and a credential is never written over anything", path));
}

}  // namespace

Status write_credential(FileSystem& files, const std::string& path,
                        const format::Credential& credential) {
  HOLDFAST_ASSIGN(const bool exists, files.exists(path));
  if (exists) return taken(path);
  std::string text = format::encode_credential(credential);
  const auto digest = crypto::sha256(as_bytes(text));
  const std::string temporary =
      fmt::format("{}.{}.new", path, hex_encode(ByteView(digest.bytes).first(4)));
  Status written = write_temporary(files, temporary, as_bytes(text));
  crypto::wipe({reinterpret_cast<Byte*>(text.data()), text.size()});
  if (written) written = files.rename_new(temporary, path);
  if (!written) {
    static_cast<void>(files.remove(temporary));
    return written.error().code() == Code::kAlreadyExists ? taken(path) : written;
  }
  written = files.sync_directory(parent_path(path));
  if (!written) static_cast<void>(files.remove(path));
  return written;
}

}  // namespace holdfast::cli
