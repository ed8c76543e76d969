#include "tests/log/losing.h"

#include <leveldb/write_batch.h>

#include <memory>
#include <optional>
#include <vector>

#include "coordinator/log/leveldb_keys.h"
#include "coordinator/log/record.h"
#include "tests/log/raw_database.h"

namespace assent::testing {
namespace {

using coordinator::decode_record_header;
using coordinator::parse_numbers;
using coordinator::parse_record_key;
using coordinator::record_key;
using coordinator::RecordType;

constexpr int kCheckpointsRead = 2;

std::unique_ptr<leveldb::Iterator> all_of(RawDatabase& database) {
  std::unique_ptr<leveldb::Iterator> entry(database.db().NewIterator({}));
  entry->SeekToFirst();
  return entry;
}

bool leads_to(const leveldb::Iterator& index, std::uint64_t number) {
  const auto numbers = parse_numbers(index.value().ToString());
  return numbers && !numbers->empty() && numbers->front() == number;
}

}  // namespace

std::uint64_t newest_record(const std::filesystem::path& log) {
  RawDatabase database(log);
  const auto entry = all_of(database);
  entry->SeekToLast();
  return entry->Valid() ? parse_record_key(entry->key().ToString()).value_or(0) : 0;
}

std::uint64_t newest_unread_record(const std::filesystem::path& log) {
  RawDatabase database(log);
  const auto entry = all_of(database);
  int checkpoints = 0;
  for (entry->SeekToLast(); entry->Valid(); entry->Prev()) {
    const auto number = parse_record_key(entry->key().ToString());
    if (!number) continue;
    if (checkpoints == kCheckpointsRead) return *number;
    const auto header = decode_record_header(entry->value().ToString());
    if (header && header->type == RecordType::kCheckpoint) ++checkpoints;
  }
  return 0;
}

void lose_record(const std::filesystem::path& log, std::uint64_t number) {
  RawDatabase database(log);
  static_cast<void>(database.get(record_key(number)));  // throws when it is not there
  leveldb::WriteBatch lost;
  lost.Delete(record_key(number));
  for (const auto entry = all_of(database); entry->Valid(); entry->Next()) {
    const bool is_record = parse_record_key(entry->key().ToString()).has_value();
    if (!is_record && leads_to(*entry, number)) lost.Delete(entry->key());
  }
  database.write(lost);
}

}  // namespace assent::testing
