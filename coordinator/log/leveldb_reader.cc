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
  std::string message = fmt::format("{}: {}", what, status.ToString());
  return status.IsCorruption() ? log_damaged(message) : log_unavailable(std::move(message));
}

Error log_damaged(std::string_view what) {
  return log_unavailable(fmt::format(
      "{}. `assentctl log verify` says what else is wrong with it. Restore the folder from a copy "
      "made by `assentctl log backup` and start assentd with --restored: what was decided after "
      "the copy is missing then, and nothing is presumed until a person allows it. If there is no "
      "copy, give assentd an empty folder: the new log knows no decision and no key of this one, "
      "so it presumes nothing until a person allows it, and shows the branches of this one, to be "
      "resolved by hand",
      what));
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

Result<std::vector<std::uint64_t>> read_gtrid_index(leveldb::DB& db, LogId log_id,
                                                    const Gtrid& gtrid) {
  auto value = read_value(db, gtrid_key(log_id, gtrid));
  if (!value) return std::move(value).error();
  if (!*value) return std::vector<std::uint64_t>{};
  auto numbers = parse_numbers(**value);
  if (!numbers || numbers->empty()) return damaged_index("of transactions");
  return std::move(*numbers);
}

RecordWalk::RecordWalk(leveldb::DB& db) {
  leveldb::ReadOptions options = careful();
  options.fill_cache = false;
  at_.reset(db.NewIterator(options));
}

RecordWalk::~RecordWalk() = default;

void RecordWalk::to_last() {
  at_->SeekToLast();
}

void RecordWalk::to(std::uint64_t number) {
  at_->Seek(record_key(number));
}

void RecordWalk::forward() {
  at_->Next();
}

void RecordWalk::back() {
  at_->Prev();
}

Result<std::optional<std::uint64_t>> RecordWalk::number() const {
  if (at_->Valid()) return parse_record_key({at_->key().data(), at_->key().size()});
  // A block that can't be read ends the walk too.
  if (!at_->status().ok()) return log_unavailable("reading the decision log", at_->status());
  return std::optional<std::uint64_t>{};
}

std::string_view RecordWalk::bytes() const {
  return {at_->value().data(), at_->value().size()};
}

Result<StoredRecord> RecordWalk::record(std::uint64_t number) const {
  auto record = decode_record(bytes());
  if (!record) {
    return log_unavailable(fmt::format("record {}: {}", number, record.error().message));
  }
  return record;
}

}  // namespace assent::coordinator
