// When every byte of a store was last read and checked, kept in a file beside its segments so that
// a restart does not forget it. It is said to people and decides nothing: it may be lost, and it
// may be of an earlier verification than the last, but it is never made up.
#pragma once

#include <optional>
#include <string>

#include "common/ports/clock.h"
#include "common/ports/file_system.h"

namespace holdfast::repository {

// `store` is the folder of the store.
Status keep_verification_time(FileSystem& files, const std::string& store, UnixTime ended);
// Nothing if none was kept, or if the file cannot be read or is not what was written.
std::optional<UnixTime> kept_verification_time(FileSystem& files, const std::string& store);

}  // namespace holdfast::repository
