#include "coordinator/log/leveldb_reader.h"

#include <fmt/format.h>
#include <leveldb/db.h>

#include <utility>

#include "coordinator/log/leveldb_keys.h"

namespace assent::coordinator {
namespace {

leveldb::ReadOptions careful() {
  leveldb::ReadOptions options;
  options.verify_checksums = true;
  return options;
}

Error damaged_index(std::string_view which) {
  return log_unavailable(fmt::format("the entry of the index {} is damaged", which));
}

}  // namespace

Error log_unavailable(std::string message) {
  return {.code = ErrorCode::kLogUnavailable, .message = std::move(message)};
}

Error log_unavailable(std::string_view what, const leveldb::Status& status) {
  return log_unavailable(fmt::format("{}: {}", what, status.ToString()));
}

Result<std::optional<std::string>> read_value(leveldb::DB& db, std::string_view key) {
  std::string value;
  const auto status = db.Get(careful(), leveldb::Slice(key.data(), key.size()), &value);
  if (status.IsNotFound()) return std::optional<std::string>{};
  if (!status.ok()) return log_unavailable("reading the decision log", status);
  return std::optional<std::string>(std::move(value));
}

Result<StoredRecord> read_record(leveldb::DB& db, std::uint64_t number) {
  auto bytes = read_value(db, record_key(number));
  if (!bytes) return std::move(bytes).error();
  if (!*bytes) return log_unavailable(fmt::format("record {} is missing", number));
  auto record = decode_record(**bytes);
  if (!record) {
    return log_unavailable(fmt::format("record {}: {}", number, record.error().message));
  }
  if (record->header.number != number) {
    return log_unavailable(
        fmt::format("record {} stands where {} belongs", record->header.number, number));
  }
  return record;
}

Result<std::vector<std::uint64_t>> read_idempotency_index(leveldb::DB& db, std::uint64_t hash) {
  auto value = read_value(db, idempotency_index_key(hash));
  if (!value) return std::move(value).error();
  if (!*value) return std::vector<std::uint64_t>{};
  auto numbers = parse_numbers(**value);
  if (!numbers || numbers->empty()) return damaged_index("of keys");
  return std::move(*numbers);
}

Result<std::optional<std::uint64_t>> read_gtrid_index(leveldb::DB& db, const Gtrid& gtrid) {
  auto value = read_value(db, gtrid_key(gtrid));
  if (!value) return std::move(value).error();
  if (!*value) return std::optional<std::uint64_t>{};
  const auto numbers = parse_numbers(**value);
  if (!numbers || numbers->size() != 1) return damaged_index("of transactions");
  return std::optional<std::uint64_t>(numbers->front());
}

}  // namespace assent::coordinator
