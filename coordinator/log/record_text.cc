#include "coordinator/log/record_text.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>
#include <string_view>
#include <variant>

#include "coordinator/core/wording.h"
#include "protocol/base/outcome.h"

namespace assent::coordinator {
namespace {

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') out += '\\';
    out += byte < 0x20 || byte == 0x7F ? fmt::format("\\x{:02x}", byte) : std::string(1, c);
  }
  return out + '"';
}

std::string time_text(WallTime at) {
  const std::chrono::sys_time<std::chrono::milliseconds> time{
      std::chrono::milliseconds(at.ms_since_epoch)};
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", seconds, (time - seconds).count());
}

std::string key_text(const std::string& key) {
  return key.empty() ? "" : " key=" + quoted(key);
}

std::string not_after_text(const std::optional<WallTime>& not_after) {
  return not_after ? " not_after=" + time_text(*not_after) : "";
}

std::string body(const CommitRecord& record) {
  std::string out = "commit " + to_string(record.gtrid) + key_text(record.key);
  out += not_after_text(record.not_after);
  if (record.by_hand) out += " by_hand";
  for (const DecidedBranch& branch : record.branches) {
    out +=
        fmt::format(" branch={} database={}", branch.xid.bqual, quoted(branch.proof.database.id));
    if (branch.proof.transaction_id != 0) {
      out += fmt::format(" transaction_id={}", branch.proof.transaction_id);
    }
    if (branch.proof.witness_row) out += " witness_row";
  }
  return out;
}

std::string body(const RollbackRecord& record) {
  return fmt::format("rollback {}{}{} code={} reason={}", to_string(record.gtrid),
                     key_text(record.key), not_after_text(record.not_after),
                     to_string(record.reason.code), quoted(record.reason.message));
}

std::string body(const EndRecord& record) {
  std::string out = "end " + to_string(record.gtrid);
  for (const BranchEnd& end : record.ends) {
    out += fmt::format(" branch={} evidence={}", end.bqual, to_string(end.evidence));
  }
  return out;
}

std::string body(const OpeningRecord& record) {
  std::string out =
      fmt::format("opening log={} nonce={:016x}", to_string(record.log_id), record.nonce);
  for (const Missing& missing : record.missing) out += " missing=" + quoted(text(missing));
  return out;
}

std::string body(const CheckpointRecord& record) {
  std::string out = fmt::format("checkpoint oldest={} unfinished={} damaged={}", record.oldest,
                                record.unfinished.size(), record.damaged.size());
  if (record.low_water) out += " low_water=" + to_string(*record.low_water);
  for (const Missing& missing : record.missing) {
    out += fmt::format(" {}={}", missing.allowed ? "allowed" : "missing", quoted(text(missing)));
  }
  return out;
}

std::string body(const HeuristicRecord& record) {
  return fmt::format("heuristic {} outcome={} decision={} evidence={} detail={}",
                     to_string(record.xid), quoted(to_string(record.heuristic)),
                     to_string(record.decision), to_string(record.evidence), quoted(record.detail));
}

std::string body(const ChainedHand& record) {
  const HandRecord& hand = record.hand;
  std::string out = fmt::format("by_hand {}", to_string(hand.action));
  if (hand.gtrid) out += " " + to_string(*hand.gtrid);
  if (!hand.participant.empty()) out += " participant=" + hand.participant;
  if (hand.decision) out += fmt::format(" decision={}", to_string(*hand.decision));
  if (hand.allowance) out += fmt::format(" allowance={}", to_string(*hand.allowance));
  if (hand.missing_to != 0) out += fmt::format(" missing_to={}", hand.missing_to);
  if (hand.above != Epoch{})
    out += fmt::format(" above={}", static_cast<std::uint32_t>(hand.above));
  for (const LogId id : hand.lost_logs) out += " lost_log=" + to_string(id);
  for (const auto& participant : hand.despite) out += " despite=" + quoted(participant);
  for (const auto& sentence : hand.evidence) out += " evidence=" + quoted(sentence);
  return out + " by=" + quoted(hand.by) + " reason=" + quoted(hand.reason);
}

std::string body(const LossRecord& record) {
  std::string out = "loss what=" + quoted(record.what);
  if (record.missing_to != 0) out += fmt::format(" missing_to={}", record.missing_to);
  return out;
}

}  // namespace

std::string to_line(const StoredRecord& record) {
  const RecordHeader& header = record.header;
  return fmt::format("{} {} epoch={} {} {}", header.number, time_text(header.log_time),
                     static_cast<std::uint32_t>(header.epoch),
                     header.forced ? "forced" : "unforced",
                     std::visit([](const auto& payload) { return body(payload); }, record.payload));
}

}  // namespace assent::coordinator
