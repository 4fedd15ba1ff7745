// How the index sets RocksDB up, apart from what it stores in it.
#pragma once

#include <rocksdb/options.h>

#include "repository/posix/rocksdb_index.h"

namespace holdfast::repository {

rocksdb::Options rocksdb_options(const RocksDbLimits& limits);

}  // namespace holdfast::repository
