#include "coordinator/core/request_rules.h"

#include <algorithm>
#include <cstddef>
#include <set>
#include <utility>

#include "protocol/message/statement.h"

namespace assent::coordinator {
namespace {

/// The work that an agent is sent is as long as the request and a header more, and must fit a
/// frame, else it would cost everybody the link.
constexpr std::size_t kRequestBytesMax = kFrameBytesMax - 64 * 1024;

constexpr std::size_t kByBytesMax = 256;

/// A digit or a letter, of whatever alphabet.
bool is_of_a_word(char c) {
  const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  return letter || (c >= '0' && c <= '9') || static_cast<unsigned char>(c) >= 0x80;
}

/// At most, as it travels: tags and lengths included.
std::size_t bytes_of(const Value& value) {
  constexpr std::size_t kNumberAndTags = 16;
  if (const auto* text = std::get_if<std::string>(&value)) return kNumberAndTags + text->size();
  if (const auto* bytes = std::get_if<Bytes>(&value)) return kNumberAndTags + bytes->data.size();
  return kNumberAndTags;
}

std::size_t bytes_of(const Step& step) {
  constexpr std::size_t kFixedFields = 64;
  std::size_t bytes = kFixedFields + step.participant.size() + step.statement.sql.size();
  for (const Value& param : step.statement.params) bytes += bytes_of(param);
  return bytes;
}

std::optional<Error> complaint_about_bytes(std::size_t bytes) {
  if (bytes <= kRequestBytesMax) return std::nullopt;
  return invalid("the statements and their parameters take more than " +
                 std::to_string(kRequestBytesMax) + " bytes; split the transaction");
}

std::optional<Error> complaint_about_statement(const Statement& statement) {
  if (statement.sql.empty()) return invalid("a step has no SQL; give it one statement");
  if (statement.sql.size() > kSqlBytesMax) {
    return invalid("a statement has more than " + std::to_string(kSqlBytesMax) +
                   " bytes; shorten it or bind its values as parameters");
  }
  if (statement.params.size() > kParamsMax) {
    return invalid("a statement has more than " + std::to_string(kParamsMax) + " parameters");
  }
  if (statement.expect_rows && *statement.expect_rows < 0) {
    return invalid("expect_rows is negative");
  }
  return std::nullopt;
}

std::optional<Error> complaint_about_not_after(const Submit& submit, const Config& config,
                                               WallTime now) {
  if (!submit.not_after) return std::nullopt;
  if (submit.key.empty()) return invalid("not_after needs an idempotency key");
  // Records stay until not_after is older than the retention, so it can't be anywhere (R15).
  if (*submit.not_after > now + config.retention / 2) {
    return invalid("not_after is more than half the retention ahead; choose an earlier one");
  }
  return std::nullopt;
}

std::optional<Error> complaint_about_steps(const Submit& submit, const Config& config) {
  if (submit.steps.empty()) return invalid("a submit needs at least one step");
  if (submit.steps.size() > kStepsMax) {
    return invalid("a submit has more than " + std::to_string(kStepsMax) + " steps");
  }
  std::size_t bytes = 0;
  std::set<std::string_view> participants;
  for (std::size_t i = 0; i < submit.steps.size(); ++i) {
    auto complaint = complaint_about(submit.steps[i], config);
    if (complaint) {
      complaint->step = static_cast<std::int32_t>(i);
      return complaint;
    }
    bytes += bytes_of(submit.steps[i]);
    participants.insert(submit.steps[i].participant);
  }
  if (auto complaint = complaint_about_bytes(bytes)) return complaint;
  if (participants.size() > kParticipantsMax) {
    return invalid("a transaction has more than " + std::to_string(kParticipantsMax) +
                   " participants");
  }
  return std::nullopt;
}

}  // namespace

Error invalid(std::string message) {
  return {
      .code = ErrorCode::kInvalid, .effect = assent::Effect::kNone, .message = std::move(message)};
}

std::optional<Error> complaint_about_length(const std::string& key) {
  if (key.size() <= kKeyBytesMax) return std::nullopt;
  return invalid("the idempotency key has more than " + std::to_string(kKeyBytesMax) + " bytes");
}

std::optional<Error> complaint_about(const Submit& submit, const Config& config, WallTime now) {
  if (submit.timeout < Duration{0}) return invalid("the timeout is negative");
  if (auto complaint = complaint_about_not_after(submit, config, now)) return complaint;
  return complaint_about_steps(submit, config);
}

std::optional<Error> complaint_about(const Begin& begin) {
  if (begin.timeout < Duration{0}) return invalid("the timeout is negative");
  return std::nullopt;
}

std::optional<Error> complaint_about(const Step& step, const Config& config) {
  const auto& known = config.participants;
  if (std::find(known.begin(), known.end(), step.participant) == known.end()) {
    return Error{.code = ErrorCode::kUnknownParticipant,
                 .effect = assent::Effect::kNone,
                 .message =
                     "no participant of that name is configured; "
                     "`assentctl participants` lists them",
                 .participant = step.participant};
  }
  auto complaint = complaint_about_statement(step.statement);
  if (!complaint) complaint = complaint_about_bytes(bytes_of(step));
  if (complaint) complaint->participant = step.participant;
  return complaint;
}

std::optional<Error> complaint_about(const ByHand& hand) {
  const bool says_why = std::any_of(hand.reason.begin(), hand.reason.end(), is_of_a_word);
  const bool none_needed = !hand.act && hand.reason.empty();
  if (!says_why && !none_needed) {
    return invalid("say why, in words, for the audit record: --reason");
  }
  if (hand.reason.size() > kReasonBytesMax) {
    return invalid("the reason has more than " + std::to_string(kReasonBytesMax) + " bytes");
  }
  if (hand.by.size() > kByBytesMax) {
    return invalid("the name of who acts has more than " + std::to_string(kByBytesMax) + " bytes");
  }
  return std::nullopt;
}

std::optional<Error> complaint_about_key(const std::string& key) {
  if (key.empty()) return invalid("the idempotency key is empty");
  return complaint_about_length(key);
}

Duration timeout_or(Duration asked, Duration otherwise, Duration max) {
  return std::min(asked > Duration{0} ? asked : otherwise, max);
}

}  // namespace assent::coordinator
