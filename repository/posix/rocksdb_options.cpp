#include "repository/posix/rocksdb_options.h"

#include <rocksdb/cache.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

namespace holdfast::repository {
namespace {

constexpr double kFilterBitsPerKey = 10;  // 1 % of absent ids are looked for in vain
constexpr int kOpenTables = 256;          // descriptors

// RocksDB's own log would be a file; when the disk is full it cannot be written, and Debian's build
// of the library, with its assertions, ends the process at the second line that fails. Errors reach
// us as results of calls.
class NoLog final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};

rocksdb::BlockBasedTableOptions table_options(const RocksDbLimits& limits) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(limits.cache_bytes, 2, false, 0.6);
  // Filters and indexes share the cache, in parts that can be dropped one by one, and are dropped
  // after the data: memory stays bounded however many objects there are.
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.pin_top_level_index_and_filter = true;
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;
  // Ribbon filters take 30 % less room than Bloom filters and longer to build, which the small
  // and short-lived level 0 does not pay for.
  table.filter_policy.reset(rocksdb::NewRibbonFilterPolicy(kFilterBitsPerKey, 1));
  table.optimize_filters_for_memory = true;
  table.whole_key_filtering = true;
  table.format_version = 5;
  table.checksum = rocksdb::kXXH3;
  table.block_size = 4096;
  table.data_block_index_type = rocksdb::BlockBasedTableOptions::kDataBlockBinaryAndHash;
  return table;
}

}  // namespace

rocksdb::Options rocksdb_options(const RocksDbLimits& limits) {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table_options(limits)));
  options.write_buffer_size = limits.memtable_bytes / 3;
  options.max_write_buffer_number = 3;
  options.target_file_size_base = 32 << 20;
  options.max_bytes_for_level_base = 128 << 20;
  options.compression = rocksdb::kNoCompression;  // ids are random
  options.max_open_files = kOpenTables;
  options.max_background_jobs = 2;
  options.max_subcompactions = 1;
  options.compaction_readahead_size = 1 << 20;
  options.writable_file_max_buffer_size = 256 << 10;
  options.paranoid_checks = true;
  options.max_manifest_file_size = 4 << 20;
  options.info_log = std::make_shared<NoLog>();
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  return options;
}

}  // namespace holdfast::repository
