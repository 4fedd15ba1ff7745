// Credentials as files: mode 0600, and never over something that is there.
#pragma once

#include <string>

#include "common/format/credential.h"
#include "common/ports/file_system.h"

namespace holdfast::cli {

// kAlreadyExists. Durable once this returns. A crash leaves it whole or not at all; beside it there
// may then be a file PATH.*.new, of no use to anyone.
Status write_credential(FileSystem& files, const std::string& path,
                        const format::Credential& credential);

}  // namespace holdfast::cli
