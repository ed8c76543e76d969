#include "coordinator/tools/json_in.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <utility>

#include <boost/json/error.hpp>
#include <boost/json/parser.hpp>
#include <boost/json/value.hpp>

#include "coordinator/tools/base64.h"

namespace assent::tools {
namespace {

namespace json = boost::json;

Error invalid(std::string message) {
  Error error;
  error.code = ErrorCode::kInvalid;
  error.message = std::move(message);
  return error;
}

Error wrong(std::string_view where, std::string_view what) {
  return invalid(fmt::format("{}: {}", where, what));
}

Error at_place(std::string_view text, std::size_t at, std::string_view what) {
  const std::string_view before = text.substr(0, at);
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const auto line_begin = before.rfind('\n');
  const auto column = line_begin == std::string_view::npos ? at + 1 : at - line_begin;
  return invalid(fmt::format("line {}, column {}: {}", line, column, what));
}

bool is_whole_number_beyond_int64(std::string_view number) {
  if (number.find_first_of(".eE") != std::string_view::npos) return false;
  std::int64_t value = 0;
  const auto parsed = std::from_chars(number.data(), number.data() + number.size(), value);
  return parsed.ec == std::errc::result_out_of_range;
}

/// The parser makes a double of a whole number that fits nowhere else, which would change its value
/// without a word. `text` is JSON.
Result<> refuse_numbers_beyond_int64(std::string_view text) {
  constexpr std::string_view kOfNumber = "+-.0123456789eE";
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '"') {
      for (++at; text[at] != '"'; ++at) at += text[at] == '\\' ? 1 : 0;
    } else if (text[at] == '-' || (text[at] >= '0' && text[at] <= '9')) {
      const auto end = std::min(text.find_first_not_of(kOfNumber, at), text.size());
      if (is_whole_number_beyond_int64(text.substr(at, end - at)))
        return at_place(text, at,
                        "a whole number must fit into 64 bits with sign; send it as text");
      at = end - 1;
    }
  }
  return {};
}

Result<json::value> parse(std::string_view text) {
  json::parser parser;
  boost::system::error_code error;
  const std::size_t read = parser.write_some(text.data(), text.size(), error);
  if (error) return at_place(text, read, fmt::format("not JSON: {}", error.message()));
  if (text.find_first_not_of(" \t\r\n", read) != std::string_view::npos)
    return at_place(text, read, "not JSON: something stands behind the end");
  if (auto ok = refuse_numbers_beyond_int64(text); ok.has_error()) return ok.error();
  return parser.release();
}

Result<> check_keys(const json::object& object, std::string_view where,
                    std::initializer_list<std::string_view> known) {
  for (const auto& member : object) {
    const std::string_view key(member.key().data(), member.key().size());
    if (std::find(known.begin(), known.end(), key) == known.end())
      return wrong(fmt::format("{}{}", where, key),
                   fmt::format("there is no such key; known are {}", fmt::join(known, ", ")));
  }
  return {};
}

Result<> read_text(const json::object& object, const std::string& key, std::string_view where,
                   std::string& into) {
  const json::value* found = object.if_contains(key);
  if (found == nullptr) return {};
  if (!found->is_string()) return wrong(fmt::format("{}{}", where, key), "must be a text");
  into.assign(found->get_string().data(), found->get_string().size());
  return {};
}

Result<> read_bool(const json::object& object, const std::string& key, std::string_view where,
                   bool& into) {
  const json::value* found = object.if_contains(key);
  if (found == nullptr) return {};
  if (!found->is_bool()) return wrong(fmt::format("{}{}", where, key), "must be true or false");
  into = found->get_bool();
  return {};
}

Result<std::optional<std::int64_t>> read_number(const json::object& object, const std::string& key,
                                                std::string_view where, std::int64_t max) {
  const json::value* found = object.if_contains(key);
  if (found == nullptr) return std::optional<std::int64_t>();
  if (!found->is_int64() || found->get_int64() < 0 || found->get_int64() > max)
    return wrong(fmt::format("{}{}", where, key),
                 fmt::format("must be a whole number from 0 to {}", max));
  return std::optional<std::int64_t>(found->get_int64());
}

Result<Value> read_bytes(const json::object& object, std::string_view where) {
  const json::value* found = object.size() == 1 ? object.if_contains("bytes") : nullptr;
  if (found == nullptr || !found->is_string())
    return wrong(where, R"(an object must be {"bytes":"<base64>"})");
  auto bytes = from_base64({found->get_string().data(), found->get_string().size()});
  if (!bytes) return wrong(where, "bytes must be base64 with padding");
  return Value(Bytes{std::move(*bytes)});
}

Result<Value> read_param(const json::value& value, std::string_view where) {
  switch (value.kind()) {
    case json::kind::null:
      return Value(std::monostate{});
    case json::kind::bool_:
      return Value(value.get_bool());
    case json::kind::int64:
      return Value(value.get_int64());
    case json::kind::uint64:
      break;  // refused by refuse_numbers_beyond_int64
    case json::kind::double_:
      return Value(value.get_double());
    case json::kind::string:
      return Value(std::string(value.get_string().data(), value.get_string().size()));
    case json::kind::object:
      return read_bytes(value.get_object(), where);
    case json::kind::array:
      return wrong(where, "a parameter is one value, not a list");
  }
  return wrong(where, "not a value");
}

Result<> read_params(const json::object& object, std::string_view where, std::vector<Value>& into) {
  const json::value* found = object.if_contains("params");
  if (found == nullptr) return {};
  if (!found->is_array()) return wrong(fmt::format("{}params", where), "must be a list");
  for (const json::value& each : found->get_array()) {
    auto param = read_param(each, fmt::format("{}params[{}]", where, into.size()));
    if (param.has_error()) return param.error();
    into.push_back(std::move(*param));
  }
  return {};
}

Result<Step> read_step(const json::value& value, const std::string& name) {
  if (!value.is_object()) return wrong(name, "must be an object");
  const json::object& object = value.get_object();
  const std::string where = name + ".";
  Step step;
  if (auto ok =
          check_keys(object, where,
                     {"participant", "sql", "params", "expect_rows", "read_only", "shared_reads"});
      ok.has_error())
    return ok.error();
  if (auto ok = read_text(object, "participant", where, step.participant); ok.has_error())
    return ok.error();
  if (auto ok = read_text(object, "sql", where, step.statement.sql); ok.has_error())
    return ok.error();
  if (step.participant.empty()) return wrong(where + "participant", "is missing");
  if (step.statement.sql.empty()) return wrong(where + "sql", "is missing");
  if (auto ok = read_params(object, where, step.statement.params); ok.has_error())
    return ok.error();
  auto rows = read_number(object, "expect_rows", where, std::numeric_limits<std::int64_t>::max());
  if (rows.has_error()) return rows.error();
  step.statement.expect_rows = *rows;
  if (auto ok = read_bool(object, "read_only", where, step.read_only); ok.has_error())
    return ok.error();
  if (auto ok = read_bool(object, "shared_reads", where, step.shared_reads); ok.has_error())
    return ok.error();
  return step;
}

Result<> read_wait(const json::object& object, WaitFor& into) {
  std::string wait = "applied";
  if (auto ok = read_text(object, "wait", "", wait); ok.has_error()) return ok.error();
  if (wait != "decided" && wait != "applied")
    return wrong("wait", R"(must be "decided" or "applied")");
  into = wait == "decided" ? WaitFor::kDecided : WaitFor::kApplied;
  return {};
}

Result<> read_times(const json::object& object, Submission& submission) {
  constexpr std::int64_t kDayMs = 24LL * 3600 * 1000;
  auto timeout = read_number(object, "timeout_ms", "", kDayMs);
  if (timeout.has_error()) return timeout.error();
  if (*timeout) submission.timeout = std::chrono::milliseconds(**timeout);
  auto not_after =
      read_number(object, "not_after_ms", "", std::numeric_limits<std::int64_t>::max());
  if (not_after.has_error()) return not_after.error();
  if (*not_after) submission.not_after = WallTime{**not_after};
  return {};
}

Result<> read_steps(const json::object& object, std::vector<Step>& into) {
  const json::value* found = object.if_contains("steps");
  if (found == nullptr || !found->is_array() || found->get_array().empty())
    return wrong("steps", "must be a list of at least one step");
  for (const json::value& each : found->get_array()) {
    auto step = read_step(each, fmt::format("steps[{}]", into.size()));
    if (step.has_error()) return step.error();
    into.push_back(std::move(*step));
  }
  return {};
}

}  // namespace

Result<Submission> read_submission(std::string_view text) {
  auto root = parse(text);
  if (root.has_error()) return root.error();
  if (!root->is_object()) return invalid("the file must hold one JSON object");
  const json::object& object = root->get_object();
  Submission submission;
  if (auto ok = check_keys(object, "", {"key", "wait", "timeout_ms", "not_after_ms", "steps"});
      ok.has_error())
    return ok.error();
  if (auto ok = read_text(object, "key", "", submission.key); ok.has_error()) return ok.error();
  if (auto ok = read_wait(object, submission.wait); ok.has_error()) return ok.error();
  if (auto ok = read_times(object, submission); ok.has_error()) return ok.error();
  if (auto ok = read_steps(object, submission.steps); ok.has_error()) return ok.error();
  return submission;
}

}  // namespace assent::tools
