// Credentials as files: mode 0600, and never over something that is there.
#pragma once

#include <string>

#include "common/format/credential.h"
#include "common/ports/file_system.h"

namespace holdfast::cli {

// kAlreadyExists. Durable once this returns.
Status write_credential(FileSystem& files, const std::string& path,
                        const format::Credential& credential);

}  // namespace holdfast::cli
