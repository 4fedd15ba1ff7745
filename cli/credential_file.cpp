#include "cli/credential_file.h"

#include <fmt/format.h>

namespace holdfast::cli {

Status write_credential(FileSystem& files, const std::string& path,
                        const format::Credential& credential) {
  auto file = files.open(path, OpenMode::kCreateNew);
  if (!file && file.error().code() == Code::kAlreadyExists)
    return Error(
        Code::kAlreadyExists,
        fmt::format("{} exists already, and a credential is never written over anything", path));
  if (!file) return std::move(file).error();
  std::string text = format::encode_credential(credential);
  Status written = (*file)->write_at(0, {as_bytes(text)});
  crypto::wipe({reinterpret_cast<Byte*>(text.data()), text.size()});
  if (written) written = (*file)->sync_data();
  if (written) written = files.sync_directory(parent_path(path));
  if (!written) static_cast<void>(files.remove(path));
  return written;
}

}  // namespace holdfast::cli
