#include "protocol/wire/convert_common.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "protocol/message/agent.h"
#include "protocol/proto/common.pb.h"
#include "protocol/wire/utf8.h"

namespace assent::wire {
namespace {

constexpr std::size_t kSqlstateBytesMax = 5;

void check_text(std::string_view text, std::size_t bytes_max, Empty empty, const Place& here) {
  if (text.empty() && empty == Empty::kRefused) here.refuse("is empty");
  if (text.size() > bytes_max) {
    here.refuse("is longer than " + std::to_string(bytes_max) + " bytes");
  } else if (!is_utf8(text)) {
    here.refuse("is not UTF-8");
  }
}

// Of one value; `out` is fresh.
struct PutValue {
  v1::Value& out;

  void operator()(std::monostate) const { out.set_null(true); }
  void operator()(bool value) const { out.set_boolean(value); }
  void operator()(std::int64_t value) const { out.set_integer(value); }
  void operator()(double value) const { out.set_real(value); }
  void operator()(const std::string& value) const {
    if (is_utf8(value)) {
      out.set_text(value);
    } else {
      out.set_raw(value);  // a database may hold text of another encoding: its bytes survive
    }
  }
  void operator()(const Bytes& value) const { out.set_raw(value.data); }
};

Value take_value(v1::Value& from, const Place& here) {
  switch (from.of_case()) {
    case v1::Value::kNull:
      return std::monostate();
    case v1::Value::kBoolean:
      return from.boolean();
    case v1::Value::kInteger:
      return static_cast<std::int64_t>(from.integer());
    case v1::Value::kReal:
      return from.real();
    case v1::Value::kText:
      return take_text(*from.mutable_text(), kFrameBytesMax, Empty::kAllowed, here);
    case v1::Value::kRaw:
      return Bytes{std::move(*from.mutable_raw())};
    case v1::Value::OF_NOT_SET:
      break;
  }
  here.refuse("is of no type that this version knows");
  return std::monostate();
}

std::size_t payload_bytes(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return text->size();
  if (const auto* raw = std::get_if<Bytes>(&value)) return raw->data.size();
  return 0;
}

std::vector<Value> take_row(v1::Row& from, std::size_t columns, const Place& here) {
  std::vector<Value> row;
  const auto count = static_cast<std::size_t>(from.values_size());
  if (count != columns) {
    here.refuse("has another number of values than there are columns");
    return row;
  }
  row.reserve(count);
  for (auto& value : *from.mutable_values()) {
    row.push_back(take_value(value, here.at("values", row.size())));
  }
  return row;
}

void take_rows(v1::StatementResult& from, StatementResult& to, const Place& here) {
  std::size_t bytes = 0;
  to.rows.reserve(static_cast<std::size_t>(from.rows_size()));
  for (auto& row : *from.mutable_rows()) {
    to.rows.push_back(take_row(row, to.columns.size(), here.at("rows", to.rows.size())));
    for (const auto& value : to.rows.back()) bytes += payload_bytes(value);
  }
  if (bytes > kRowBytesMax) here.in("rows").refuse("hold more bytes than a statement may return");
}

}  // namespace

std::string take_text(std::string& text, std::size_t bytes_max, Empty empty, const Place& here) {
  check_text(text, bytes_max, empty, here);
  return std::move(text);
}

std::string take_text(const std::string& text, std::size_t bytes_max, Empty empty,
                      const Place& here) {
  check_text(text, bytes_max, empty, here);
  return text;
}

std::string take_short_text(const std::string& text, const Place& here) {
  return take_text(text, kShortTextBytesMax, Empty::kAllowed, here);
}

std::string take_participant_name(const std::string& name, const Place& here) {
  if (!is_participant_name(name)) {
    here.refuse("is not a participant's name: 1 to 32 of a-z 0-9 _ -, beginning with a letter");
  }
  return name;
}

std::string take_key(const std::string& key, Empty empty, const Place& here) {
  return take_text(key, kKeyBytesMax, empty, here);
}

std::uint32_t take_version(std::uint32_t version, const Place& here) {
  if (version != kProtocolVersion) {
    here.refuse("is " + std::to_string(version) + "; this process speaks protocol version " +
                    std::to_string(kProtocolVersion) +
                    ": run the same release of Assent on both sides",
                ErrorCode::kUnsupportedVersion);
  }
  return version;
}

Duration take_duration(std::int64_t us, const Place& here) {
  if (us >= 0 && us <= kDurationMax.count()) return Duration(us);
  here.refuse("is not a duration of 0 to 366 days");
  return Duration::zero();
}

std::int64_t clamped_us(Duration told) {
  return std::clamp(told, Duration::zero(), kDurationMax).count();
}

void check_count(std::size_t count, std::size_t max, const Place& here) {
  if (count > max) {
    here.refuse("are " + std::to_string(count) + ", at most " + std::to_string(max) +
                " are allowed");
  }
}

void put(const Error& from, v1::Error& to) {
  to.set_code(static_cast<std::uint32_t>(from.code));
  to.set_effect(static_cast<v1::Effect>(from.effect));
  to.set_message(made_utf8(from.message, kErrorTextBytesMax));
  if (!from.participant.empty()) to.set_participant(from.participant);
  if (!from.sqlstate.empty()) to.set_sqlstate(made_utf8(from.sqlstate, kSqlstateBytesMax));
  to.set_native(from.native);
  to.set_step(from.step);
}

Error take(const v1::Error& from, const Place& here) {
  Error to;
  const int code = from.code() <= 255 ? static_cast<int>(from.code()) : 0;
  to.code = take_enum(code, ErrorCode::kInvalid, ErrorCode::kStepsDiffer, here.in("code"));
  to.effect = take_enum(from.effect(), Effect::kNone, Effect::kUnknown, here.in("effect"));
  to.message = take_text(from.message(), kErrorTextBytesMax, Empty::kAllowed, here.in("message"));
  if (!from.participant().empty()) {
    to.participant = take_participant_name(from.participant(), here.in("participant"));
  }
  to.sqlstate = take_text(from.sqlstate(), kSqlstateBytesMax, Empty::kAllowed, here.in("sqlstate"));
  to.native = from.native();
  to.step = from.step();
  if (to.step < -1) here.in("step").refuse("is neither an index nor -1");
  return to;
}

void put(const Gtrid& from, v1::Gtrid& to) {
  to.set_log_id(static_cast<std::uint64_t>(from.log_id));
  to.set_epoch(static_cast<std::uint32_t>(from.epoch));
  to.set_sequence(static_cast<std::uint64_t>(from.sequence));
}

Gtrid take(const v1::Gtrid& from, const Place& here) {
  if (from.log_id() == 0 || from.epoch() == 0 || from.sequence() == 0) {
    here.refuse("is missing or names no transaction: log id, epoch and sequence begin with 1");
  }
  return {LogId{from.log_id()}, Epoch{from.epoch()}, Sequence{from.sequence()}};
}

void put(const Xid& from, v1::Xid& to) {
  put(from.gtrid, *to.mutable_gtrid());
  to.set_bqual(from.bqual);
}

Xid take(const v1::Xid& from, const Place& here) {
  Xid to;
  to.gtrid = take(from.gtrid(), here.in("gtrid"));
  to.bqual = take_participant_name(from.bqual(), here.in("bqual"));
  return to;
}

void put(const Statement& from, v1::Statement& to) {
  to.set_sql(from.sql);
  to.mutable_params()->Reserve(static_cast<int>(from.params.size()));
  for (const auto& param : from.params) std::visit(PutValue{*to.add_params()}, param);
  if (from.expect_rows) to.set_expect_rows(*from.expect_rows);
}

Statement take(v1::Statement& from, const Place& here) {
  Statement to;
  to.sql = take_text(*from.mutable_sql(), kSqlBytesMax, Empty::kRefused, here.in("sql"));
  const auto count = static_cast<std::size_t>(from.params_size());
  check_count(count, kParamsMax, here.in("params"));
  to.params.reserve(count);
  for (auto& param : *from.mutable_params()) {
    to.params.push_back(take_value(param, here.at("params", to.params.size())));
  }
  if (from.has_expect_rows()) {
    to.expect_rows = from.expect_rows();
    if (*to.expect_rows < 0) here.in("expect_rows").refuse("is negative");
  }
  return to;
}

void put(const StatementResult& from, v1::StatementResult& to) {
  to.set_rows_affected(from.rows_affected);
  for (const auto& column : from.columns) {
    to.add_columns(made_utf8(column, kColumnNameBytesMax));
  }
  to.mutable_rows()->Reserve(static_cast<int>(from.rows.size()));
  for (const auto& row : from.rows) {
    v1::Row& out = *to.add_rows();
    for (const auto& value : row) std::visit(PutValue{*out.add_values()}, value);
  }
}

StatementResult take(v1::StatementResult& from, const Place& here) {
  StatementResult to;
  to.rows_affected = from.rows_affected();
  for (const auto& column : from.columns()) {
    to.columns.push_back(take_text(column, kColumnNameBytesMax, Empty::kAllowed,
                                   here.at("columns", to.columns.size())));
  }
  check_count(static_cast<std::size_t>(from.rows_size()), kRowsMax, here.in("rows"));
  take_rows(from, to, here);
  return to;
}

void put(const Step& from, v1::Step& to) {
  to.set_participant(from.participant);
  put(from.statement, *to.mutable_statement());
  to.set_read_only(from.read_only);
  to.set_shared_reads(from.shared_reads);
}

Step take(v1::Step& from, const Place& here) {
  Step to;
  to.participant = take_participant_name(from.participant(), here.in("participant"));
  to.statement = take(*from.mutable_statement(), here.in("statement"));
  to.read_only = from.read_only();
  to.shared_reads = from.shared_reads();
  return to;
}

void put(const DatabaseIdentity& from, v1::DatabaseIdentity& to) {
  to.set_id(from.id);
  to.set_timeline(from.timeline);
  to.set_position(from.position);
  to.set_takeover(from.takeover);
}

DatabaseIdentity take(const v1::DatabaseIdentity& from, const Place& here) {
  DatabaseIdentity to;
  to.id = take_text(from.id(), kShortTextBytesMax, Empty::kAllowed, here.in("id"));
  to.timeline = from.timeline();
  to.position = from.position();
  to.takeover = from.takeover();
  return to;
}

void put(const BranchProof& from, v1::BranchProof& to) {
  put(from.database, *to.mutable_database());
  to.set_transaction_id(from.transaction_id);
  to.set_witness_row(from.witness_row);
}

BranchProof take(const v1::BranchProof& from, const Place& here) {
  BranchProof to;
  to.database = take(from.database(), here.in("database"));
  to.transaction_id = from.transaction_id();
  to.witness_row = from.witness_row();
  return to;
}

}  // namespace assent::wire
