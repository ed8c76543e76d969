#include "coordinator/log/record.h"

#include <fmt/format.h>
#include <google/protobuf/message.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "coordinator/log/little_endian.h"
#include "coordinator/log/log.pb.h"
#include "protocol/base/check.h"
#include "protocol/base/crc32c.h"
#include "protocol/message/statement.h"

namespace assent::coordinator {
namespace {

// Where the header's fields stand; all numbers are little-endian. docs/LOG_FORMAT.md.
constexpr std::size_t kVersionAt = 0;
constexpr std::size_t kTypeAt = 1;
constexpr std::size_t kFlagsAt = 2;
constexpr std::size_t kEpochAt = 4;
constexpr std::size_t kNumberAt = 8;
constexpr std::size_t kLogTimeAt = 16;
constexpr std::size_t kPreviousAt = 24;
constexpr std::size_t kPayloadSizeAt = 28;
constexpr std::size_t kChecksumAt = 32;
constexpr std::size_t kHeaderSize = 36;

constexpr std::uint8_t kVersion = 1;
constexpr std::uint16_t kForcedFlag = 1;
constexpr std::size_t kDetailBytesMax = 1024;

/// Over all of the record but the checksum itself.
std::uint32_t checksum_of(std::string_view record) {
  return crc32c(record.substr(kHeaderSize), crc32c(record.substr(0, kChecksumAt)));
}

Error damaged(std::string what) {
  return {.code = ErrorCode::kLogUnavailable, .message = std::move(what)};
}

// ---- values to payloads. What decoding would doubt is never written: a log that its own program
// can't open again would be worse than a process that stops here.

void check_gtrid(const Gtrid& gtrid, bool may_lack_sequence) {
  ASSENT_CHECK(gtrid.log_id != LogId{});
  ASSENT_CHECK(gtrid.epoch != Epoch{});
  ASSENT_CHECK(may_lack_sequence || gtrid.sequence != Sequence{});
}

void to_proto(const Gtrid& gtrid, log::Gtrid& out) {
  out.set_log_id(static_cast<std::uint64_t>(gtrid.log_id));
  out.set_epoch(static_cast<std::uint32_t>(gtrid.epoch));
  out.set_sequence(static_cast<std::uint64_t>(gtrid.sequence));
}

bool is_zero(const RequestHash& hash) {
  return std::all_of(hash.begin(), hash.end(), [](std::uint8_t byte) { return byte == 0; });
}

/// Zeros, which mean "none", take no room.
template <typename Message>
void set_request_hash(const RequestHash& hash, Message& out) {
  if (!is_zero(hash)) out.mutable_request_hash()->assign(hash.begin(), hash.end());
}

template <typename Message>
void set_not_after(const std::optional<WallTime>& not_after, Message& out) {
  if (not_after) out.set_not_after_ms(not_after->ms_since_epoch);
}

void to_proto(const DecidedBranch& branch, log::Branch& out) {
  out.set_bqual(branch.xid.bqual);
  out.set_database_id(branch.proof.database.id);
  out.set_timeline(branch.proof.database.timeline);
  out.set_position(branch.proof.database.position);
  out.set_takeover(branch.proof.database.takeover);
  out.set_transaction_id(branch.proof.transaction_id);
  out.set_witness_row(branch.proof.witness_row);
}

log::Commit to_proto(const CommitRecord& record) {
  check_gtrid(record.gtrid, false);
  ASSENT_CHECK(record.key.size() <= kKeyBytesMax);
  log::Commit out;
  to_proto(record.gtrid, *out.mutable_gtrid());
  out.set_format_id(kFormatId);
  out.set_key(record.key);
  set_request_hash(record.request_hash, out);
  set_not_after(record.not_after, out);
  out.set_by_hand(record.by_hand);
  for (const auto& branch : record.branches) {
    // The gtrid is written once for all branches.
    ASSENT_CHECK(branch.xid.gtrid == record.gtrid);
    ASSENT_CHECK(is_participant_name(branch.xid.bqual));
    to_proto(branch, *out.add_branches());
  }
  return out;
}

void to_proto(const Error& reason, log::Reason& out) {
  out.set_code(static_cast<std::uint32_t>(reason.code));
  out.set_effect(static_cast<std::uint32_t>(reason.effect));
  out.set_message(reason.message);
  out.set_participant(reason.participant);
  out.set_sqlstate(reason.sqlstate);
  out.set_native(reason.native);
  out.set_step(reason.step);
}

log::Rollback to_proto(const RollbackRecord& record) {
  check_gtrid(record.gtrid, !record.key.empty());
  ASSENT_CHECK(record.key.size() <= kKeyBytesMax);
  log::Rollback out;
  to_proto(record.gtrid, *out.mutable_gtrid());
  out.set_key(record.key);
  set_request_hash(record.request_hash, out);
  set_not_after(record.not_after, out);
  to_proto(record.reason, *out.mutable_reason());
  return out;
}

log::End to_proto(const EndRecord& record) {
  check_gtrid(record.gtrid, false);
  log::End out;
  to_proto(record.gtrid, *out.mutable_gtrid());
  for (const auto& end : record.ends) {
    ASSENT_CHECK(is_participant_name(end.bqual));
    auto& row = *out.add_ends();
    row.set_bqual(end.bqual);
    row.set_evidence(static_cast<std::uint32_t>(end.evidence));
  }
  return out;
}

void to_proto(const Missing& missing, log::Missing& out) {
  out.set_why(static_cast<std::uint32_t>(missing.why));
  out.set_first(missing.first);
  out.set_last(missing.last);
  out.set_allowed(missing.allowed);
  out.set_shown(missing.shown);
}

log::Opening to_proto(const OpeningRecord& record) {
  log::Opening out;
  out.set_log_id(static_cast<std::uint64_t>(record.log_id));
  out.set_nonce(record.nonce);
  for (const auto& missing : record.missing) to_proto(missing, *out.add_missing());
  return out;
}

void to_proto(const ListedRecord& listed, log::Listed& out) {
  out.set_number(listed.number);
  out.set_checksum(listed.checksum);
}

void to_proto(const NewestCommit& newest, log::Newest& out) {
  out.set_number(newest.number);
  to_proto(newest.branch.xid.gtrid, *out.mutable_gtrid());
  to_proto(newest.branch, *out.mutable_branch());
}

void to_proto(const HandLink& link, log::HandLink& out) {
  out.set_number(link.number);
  out.mutable_sha256()->assign(link.sha256.begin(), link.sha256.end());
}

template <typename Messages>
void to_proto(const std::map<std::string, std::uint64_t>& numbers, Messages& out) {
  for (const auto& [participant, number] : numbers) {
    ASSENT_CHECK(is_participant_name(participant));
    auto& row = *out.Add();
    row.set_participant(participant);
    row.set_number(number);
  }
}

log::Checkpoint to_proto(const CheckpointRecord& record) {
  log::Checkpoint out;
  ASSENT_CHECK(record.removed_commit < record.oldest);
  out.set_oldest(record.oldest);
  if (record.removed_commit + 1 < record.oldest) out.set_removed_commit(record.removed_commit);
  out.set_newest_forced(record.newest_forced);
  if (record.low_water) to_proto(*record.low_water, *out.mutable_low_water());
  for (const auto& listed : record.unfinished) to_proto(listed, *out.add_unfinished());
  for (const auto& listed : record.damaged) to_proto(listed, *out.add_damaged());
  for (const auto& newest : record.newest) to_proto(newest, *out.add_newest());
  if (record.last_hand.number != 0) to_proto(record.last_hand, *out.mutable_last_hand());
  for (const auto& missing : record.missing) to_proto(missing, *out.add_missing());
  out.set_opening(record.opening);
  for (const auto& unproved : record.unproved) {
    auto& row = *out.add_unproved();
    row.set_number(unproved.number);
    row.set_ms(unproved.ms);
  }
  for (const LogId id : record.given_up_logs) out.add_given_up_logs(static_cast<std::uint64_t>(id));
  out.set_violation_allowed(record.violation_allowed);
  out.set_above(static_cast<std::uint32_t>(record.above));
  for (const HeldTop& one : record.held) {
    auto& row = *out.add_held();
    row.set_epoch(static_cast<std::uint32_t>(one.epoch));
    row.set_top(one.top);
    row.set_nonce(one.nonce);
  }
  to_proto(record.taken_back, *out.mutable_taken_back());
  to_proto(record.by_hand, *out.mutable_by_hand());
  return out;
}

log::Heuristic to_proto(const HeuristicRecord& record) {
  check_gtrid(record.xid.gtrid, false);
  ASSENT_CHECK(is_participant_name(record.xid.bqual));
  ASSENT_CHECK(record.detail.size() <= kDetailBytesMax);
  log::Heuristic out;
  to_proto(record.xid.gtrid, *out.mutable_gtrid());
  out.set_format_id(kFormatId);
  out.set_bqual(record.xid.bqual);
  out.set_decision(static_cast<std::uint32_t>(record.decision));
  out.set_heuristic(static_cast<std::uint32_t>(record.heuristic));
  out.set_evidence(static_cast<std::uint32_t>(record.evidence));
  out.set_detail(record.detail);
  out.set_violation(record.violation);
  return out;
}

log::Hand to_proto(const ChainedHand& record) {
  const HandRecord& hand = record.hand;
  const bool allows = hand.action == HandAction::kAllow;
  const bool decides = hand.action == HandAction::kResolve || hand.action == HandAction::kFinish;
  ASSENT_CHECK(hand.gtrid.has_value() != allows);
  ASSENT_CHECK(hand.allowance.has_value() == allows);
  ASSENT_CHECK(hand.decision.has_value() == decides);
  ASSENT_CHECK(hand.participant.empty() || is_participant_name(hand.participant));
  log::Hand out;
  out.set_action(static_cast<std::uint32_t>(hand.action));
  if (hand.gtrid) {
    check_gtrid(*hand.gtrid, false);
    to_proto(*hand.gtrid, *out.mutable_gtrid());
  }
  out.set_participant(hand.participant);
  if (hand.decision) out.set_decision(static_cast<std::uint32_t>(*hand.decision));
  if (hand.allowance) out.set_allowance(static_cast<std::uint32_t>(*hand.allowance));
  out.set_missing_to(hand.missing_to);
  out.set_above(static_cast<std::uint32_t>(hand.above));
  for (const LogId id : hand.lost_logs) out.add_lost_logs(static_cast<std::uint64_t>(id));
  for (const auto& name : hand.despite) out.add_despite(name);
  for (const auto& sentence : hand.evidence) out.add_evidence(sentence);
  out.set_by(hand.by);
  out.set_reason(hand.reason);
  if (record.previous.number != 0) to_proto(record.previous, *out.mutable_previous());
  return out;
}

log::Loss to_proto(const LossRecord& record) {
  ASSENT_CHECK(!record.what.empty() && record.what.size() <= kDetailBytesMax);
  log::Loss out;
  out.set_what(record.what);
  out.set_missing_to(record.missing_to);
  return out;
}

template <typename Message>
void encode(RecordHeader& header, RecordType type, const Message& payload, std::string& out) {
  const std::size_t payload_size = payload.ByteSizeLong();
  ASSENT_CHECK(payload_size <= std::numeric_limits<std::int32_t>::max());
  const std::size_t start = out.size();
  out.resize(start + kHeaderSize + payload_size);
  char* record = out.data() + start;
  payload.SerializeWithCachedSizesToArray(reinterpret_cast<std::uint8_t*>(record) + kHeaderSize);

  header.type = type;
  put(record + kVersionAt, kVersion);
  put(record + kTypeAt, static_cast<std::uint8_t>(type));
  put(record + kFlagsAt, header.forced ? kForcedFlag : std::uint16_t{0});
  put(record + kEpochAt, static_cast<std::uint32_t>(header.epoch));
  put(record + kNumberAt, header.number);
  put(record + kLogTimeAt, static_cast<std::uint64_t>(header.log_time.ms_since_epoch));
  put(record + kPreviousAt, header.previous);
  put(record + kPayloadSizeAt, static_cast<std::uint32_t>(payload_size));
  header.checksum = checksum_of(std::string_view(out).substr(start));
  put(record + kChecksumAt, header.checksum);
}

// ---- payloads to values; nullptr from a reader means "fine", else it says what is wrong

using Doubt = const char*;
constexpr Doubt kFine = nullptr;
constexpr Doubt kUnknownFields = "it has fields that this version doesn't know";
constexpr Doubt kUnknownFieldsInside = "an entry has fields that this version doesn't know";
constexpr Doubt kStrangeFormat = "its format id is not ours";
constexpr Doubt kStrangeBqual = "a branch's bqual is not a participant's name";

/// A newer program's, whose meaning is not known here; so is the record's.
bool has_unknown_fields(const google::protobuf::Message& message) {
  return !message.GetReflection()->GetUnknownFields(message).empty();
}

Doubt read(const log::Gtrid& in, bool may_lack_sequence, Gtrid& out) {
  if (has_unknown_fields(in)) return "its gtrid has fields that this version doesn't know";
  out = {LogId{in.log_id()}, Epoch{in.epoch()}, Sequence{in.sequence()}};
  if (in.log_id() == 0 || in.epoch() == 0) return "its gtrid lacks log id or epoch";
  if (in.sequence() == 0 && !may_lack_sequence) return "its gtrid lacks a sequence";
  return kFine;
}

Doubt read_key(const std::string& in, std::string& out) {
  if (in.size() > kKeyBytesMax) return "its key is longer than 200 bytes";
  out = in;
  return kFine;
}

Doubt read_request_hash(const std::string& in, RequestHash& out) {
  if (in.empty()) return kFine;  // zeros
  if (in.size() != out.size()) return "its request hash is not 32 bytes long";
  std::copy(in.begin(), in.end(), out.begin());
  return is_zero(out) ? "its request hash is written, but zero" : kFine;
}

template <typename Message>
Doubt read_not_after(const Message& in, std::optional<WallTime>& out) {
  if (in.has_not_after_ms()) out = WallTime{in.not_after_ms()};
  return kFine;
}

Doubt read(const log::Branch& in, const Gtrid& gtrid, DecidedBranch& out) {
  if (has_unknown_fields(in)) return "a branch has fields that this version doesn't know";
  if (!is_participant_name(in.bqual())) return kStrangeBqual;
  out.xid = {gtrid, in.bqual()};
  out.proof = {{in.database_id(), in.timeline(), in.position(), in.takeover()},
               in.transaction_id(),
               in.witness_row()};
  return kFine;
}

Doubt read_branches(const log::Commit& in, const Gtrid& gtrid, std::vector<DecidedBranch>& out) {
  out.reserve(static_cast<std::size_t>(in.branches_size()));
  for (const auto& branch : in.branches()) {
    const Doubt doubt = read(branch, gtrid, out.emplace_back());
    if (doubt != kFine) return doubt;
  }
  return kFine;
}

Doubt read(const log::Commit& in, CommitRecord& out) {
  if (has_unknown_fields(in)) return kUnknownFields;
  if (in.format_id() != kFormatId) return kStrangeFormat;
  Doubt doubt = read(in.gtrid(), false, out.gtrid);
  if (doubt == kFine) doubt = read_key(in.key(), out.key);
  if (doubt == kFine) doubt = read_request_hash(in.request_hash(), out.request_hash);
  if (doubt == kFine) doubt = read_not_after(in, out.not_after);
  if (doubt == kFine) doubt = read_branches(in, out.gtrid, out.branches);
  out.by_hand = in.by_hand();
  return doubt;
}

Doubt read(const log::Reason& in, Error& out) {
  if (has_unknown_fields(in)) return "its reason has fields that this version doesn't know";
  // Codes are only ever added, so a larger one is a newer program's.
  if (in.code() < static_cast<std::uint32_t>(ErrorCode::kInvalid) ||
      in.code() > static_cast<std::uint32_t>(ErrorCode::kStepsDiffer)) {
    return "its reason has a code that this version doesn't know";
  }
  if (in.effect() < static_cast<std::uint32_t>(Effect::kNone) ||
      in.effect() > static_cast<std::uint32_t>(Effect::kUnknown)) {
    return "its reason has an effect that this version doesn't know";
  }
  out = {static_cast<ErrorCode>(in.code()),
         static_cast<Effect>(in.effect()),
         in.message(),
         in.participant(),
         in.sqlstate(),
         in.native(),
         in.step()};
  return kFine;
}

Doubt read(const log::Rollback& in, RollbackRecord& out) {
  if (has_unknown_fields(in)) return kUnknownFields;
  if (!in.has_reason()) return "it lacks a reason";
  if (in.key().empty() && in.gtrid().sequence() == 0) return "it is of no key and no transaction";
  Doubt doubt = read(in.gtrid(), true, out.gtrid);
  if (doubt == kFine) doubt = read_key(in.key(), out.key);
  if (doubt == kFine) doubt = read_request_hash(in.request_hash(), out.request_hash);
  if (doubt == kFine) doubt = read_not_after(in, out.not_after);
  if (doubt == kFine) doubt = read(in.reason(), out.reason);
  return doubt;
}

/// Enumerations are only ever added to, so a number outside is a newer program's.
template <typename Enum>
Doubt read_enum(std::uint32_t in, Enum first, Enum last, Doubt doubt, Enum& out) {
  if (in < static_cast<std::uint32_t>(first) || in > static_cast<std::uint32_t>(last)) return doubt;
  out = static_cast<Enum>(in);
  return kFine;
}

Doubt read_evidence(std::uint32_t in, Evidence& out) {
  return read_enum(in, Evidence::kNone, Evidence::kNeverPrepared,
                   "it has an evidence that this version doesn't know", out);
}

Doubt read_decision(std::uint32_t in, Decision& out) {
  return read_enum(in, Decision::kCommit, Decision::kRollback,
                   "it has a decision that this version doesn't know", out);
}

Doubt read(const log::End& in, EndRecord& out) {
  if (has_unknown_fields(in)) return kUnknownFields;
  for (const auto& row : in.ends()) {
    if (has_unknown_fields(row)) return kUnknownFieldsInside;
    if (!is_participant_name(row.bqual())) return kStrangeBqual;
    BranchEnd& end = out.ends.emplace_back();
    end.bqual = row.bqual();
    if (const Doubt doubt = read_evidence(row.evidence(), end.evidence); doubt != kFine) {
      return doubt;
    }
  }
  return read(in.gtrid(), false, out.gtrid);
}

Doubt read(const log::Missing& in, Missing& out) {
  if (has_unknown_fields(in)) return kUnknownFieldsInside;
  out.first = in.first();
  out.last = in.last();
  out.allowed = in.allowed();
  out.shown = in.shown();
  const Doubt doubt =
      read_enum(in.why(), Missing::Why::kGap, Missing::Why::kShown,
                "something is missing for a reason that this version doesn't know", out.why);
  if (doubt != kFine) return doubt;
  const bool is_shown = out.why == Missing::Why::kShown;
  return is_shown == out.shown.empty() ? "what a database showed is missing, or nobody showed it"
                                       : kFine;
}

template <typename Messages>
Doubt read_missing(const Messages& in, std::vector<Missing>& out) {
  for (const auto& row : in) {
    if (const Doubt doubt = read(row, out.emplace_back()); doubt != kFine) return doubt;
  }
  return kFine;
}

template <typename Numbers>
Doubt read_log_ids(const Numbers& in, std::set<LogId>& out) {
  for (const std::uint64_t id : in) {
    if (id == 0) return "a log id is zero";
    out.insert(LogId{id});
  }
  return kFine;
}

Doubt read(const log::Opening& in, OpeningRecord& out) {
  if (has_unknown_fields(in)) return kUnknownFields;
  if (in.log_id() == 0) return "its log id is zero";
  out.log_id = LogId{in.log_id()};
  out.nonce = in.nonce();
  return read_missing(in.missing(), out.missing);
}

template <typename Messages>
Doubt read_listed(const Messages& in, std::vector<ListedRecord>& out) {
  out.reserve(static_cast<std::size_t>(in.size()));
  std::uint64_t before = 0;
  for (const auto& row : in) {
    if (has_unknown_fields(row)) return kUnknownFieldsInside;
    if (row.number() <= before) return "the records that it lists are not in their order";
    before = row.number();
    out.push_back({row.number(), row.checksum()});
  }
  return kFine;
}

Doubt read(const log::Newest& in, NewestCommit& out) {
  if (has_unknown_fields(in)) return kUnknownFieldsInside;
  out.number = in.number();
  Gtrid gtrid;
  if (const Doubt doubt = read(in.gtrid(), false, gtrid); doubt != kFine) return doubt;
  return read(in.branch(), gtrid, out.branch);
}

Doubt read(const log::HandLink& in, HandLink& out) {
  if (has_unknown_fields(in)) return kUnknownFieldsInside;
  if (in.number() == 0) return "it names record 0";
  out.number = in.number();
  if (in.sha256().size() != out.sha256.size()) return "its SHA-256 is not 32 bytes long";
  std::copy(in.sha256().begin(), in.sha256().end(), out.sha256.begin());
  return kFine;
}

Doubt read(const log::Unproved& in, UnprovedTime& out) {
  if (has_unknown_fields(in)) return kUnknownFieldsInside;
  if (in.number() == 0) return "it names record 0";
  out = {in.number(), in.ms()};
  return kFine;
}

template <typename Messages>
Doubt read_held(const Messages& in, std::vector<HeldTop>& out) {
  for (const auto& row : in) {
    if (has_unknown_fields(row)) return kUnknownFieldsInside;
    const Epoch before = out.empty() ? Epoch{} : out.back().epoch;
    if (Epoch{row.epoch()} <= before) return "the openings that it lists are not in their order";
    out.push_back({Epoch{row.epoch()}, row.top(), row.nonce()});
  }
  return out.size() > kHeldTopsMax ? "it lists too many openings" : kFine;
}

template <typename Messages>
Doubt read_numbers(const Messages& in, std::map<std::string, std::uint64_t>& out) {
  for (const auto& row : in) {
    if (has_unknown_fields(row)) return kUnknownFieldsInside;
    if (!is_participant_name(row.participant())) return kStrangeBqual;
    if (row.number() == 0) return "it names record 0";
    if (!out.emplace(row.participant(), row.number()).second) return "it names a participant twice";
  }
  return kFine;
}

Doubt read(const log::Checkpoint& in, CheckpointRecord& out) {
  if (has_unknown_fields(in)) return kUnknownFields;
  if (in.oldest() == 0) return "its oldest record is zero";
  out.oldest = in.oldest();
  // Not told: any of them may have been one.
  out.removed_commit = in.has_removed_commit() ? in.removed_commit() : in.oldest() - 1;
  if (out.removed_commit >= out.oldest) return "a commit is gone that should be there";
  out.newest_forced = in.newest_forced();
  out.opening = in.opening();
  out.violation_allowed = in.violation_allowed();
  out.above = Epoch{in.above()};
  Doubt doubt = kFine;
  if (in.has_low_water()) doubt = read(in.low_water(), false, out.low_water.emplace());
  if (doubt == kFine) doubt = read_listed(in.unfinished(), out.unfinished);
  if (doubt == kFine) doubt = read_listed(in.damaged(), out.damaged);
  for (const auto& row : in.newest()) {
    if (doubt == kFine) doubt = read(row, out.newest.emplace_back());
  }
  if (doubt == kFine && in.has_last_hand()) doubt = read(in.last_hand(), out.last_hand);
  if (doubt == kFine) doubt = read_missing(in.missing(), out.missing);
  for (const auto& row : in.unproved()) {
    if (doubt == kFine) doubt = read(row, out.unproved.emplace_back());
  }
  if (doubt == kFine) doubt = read_log_ids(in.given_up_logs(), out.given_up_logs);
  if (doubt == kFine) doubt = read_held(in.held(), out.held);
  if (doubt == kFine) doubt = read_numbers(in.taken_back(), out.taken_back);
  if (doubt == kFine) doubt = read_numbers(in.by_hand(), out.by_hand);
  return doubt;
}

Doubt read(const log::Heuristic& in, HeuristicRecord& out) {
  if (has_unknown_fields(in)) return kUnknownFields;
  if (in.format_id() != kFormatId) return kStrangeFormat;
  if (!is_participant_name(in.bqual())) return kStrangeBqual;
  if (in.detail().size() > kDetailBytesMax) return "its detail is longer than 1024 bytes";
  out.xid.bqual = in.bqual();
  out.detail = in.detail();
  out.violation = in.violation();
  Doubt doubt = read(in.gtrid(), false, out.xid.gtrid);
  if (doubt == kFine) doubt = read_decision(in.decision(), out.decision);
  if (doubt == kFine) doubt = read_evidence(in.evidence(), out.evidence);
  if (doubt == kFine) {
    doubt = read_enum(in.heuristic(), Heuristic::kCommitted, Heuristic::kHazard,
                      "it has a heuristic outcome that this version doesn't know", out.heuristic);
  }
  return doubt;
}

Doubt read_action(const log::Hand& in, HandRecord& out) {
  const Doubt doubt = read_enum(in.action(), HandAction::kResolve, HandAction::kAllow,
                                "it is an action that this version doesn't know", out.action);
  if (doubt != kFine) return doubt;
  const bool decides = out.action == HandAction::kResolve || out.action == HandAction::kFinish;
  if ((in.decision() != 0) != decides) return "its action and its decision do not fit";
  if (decides) return read_decision(in.decision(), out.decision.emplace());
  const bool allows = out.action == HandAction::kAllow;
  if ((in.allowance() != 0) != allows) return "its action and its allowance do not fit";
  if (!allows) return kFine;
  return read_enum(in.allowance(), Allowance::kPresume, Allowance::kViolation,
                   "it allows something that this version doesn't know", out.allowance.emplace());
}

Doubt read(const log::Hand& in, ChainedHand& out) {
  if (has_unknown_fields(in)) return kUnknownFields;
  HandRecord& hand = out.hand;
  Doubt doubt = read_action(in, hand);
  if (doubt != kFine) return doubt;
  if (in.has_gtrid() == (hand.action == HandAction::kAllow)) {
    return "its action and its gtrid do not fit";
  }
  if (in.has_gtrid()) doubt = read(in.gtrid(), false, hand.gtrid.emplace());
  if (doubt == kFine && in.has_previous()) doubt = read(in.previous(), out.previous);
  if (!in.participant().empty() && !is_participant_name(in.participant())) return kStrangeBqual;
  hand.participant = in.participant();
  hand.missing_to = in.missing_to();
  hand.above = Epoch{in.above()};
  if (doubt == kFine) doubt = read_log_ids(in.lost_logs(), hand.lost_logs);
  hand.despite.assign(in.despite().begin(), in.despite().end());
  hand.evidence.assign(in.evidence().begin(), in.evidence().end());
  hand.by = in.by();
  hand.reason = in.reason();
  return doubt;
}

Doubt read(const log::Loss& in, LossRecord& out) {
  if (has_unknown_fields(in)) return kUnknownFields;
  if (in.what().empty()) return "it does not say what is missing";
  if (in.what().size() > kDetailBytesMax) return "its sentence is longer than 1024 bytes";
  out = {in.what(), in.missing_to()};
  return kFine;
}

template <typename Message, typename Value>
Doubt parse(std::string_view bytes, RecordPayload& out) {
  Message message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return "its payload is not what its type says";
  }
  return read(message, out.emplace<Value>());
}

Doubt parse_payload(RecordType type, std::string_view bytes, RecordPayload& out) {
  switch (type) {
    case RecordType::kCommit:
      return parse<log::Commit, CommitRecord>(bytes, out);
    case RecordType::kRollback:
      return parse<log::Rollback, RollbackRecord>(bytes, out);
    case RecordType::kEnd:
      return parse<log::End, EndRecord>(bytes, out);
    case RecordType::kOpening:
      return parse<log::Opening, OpeningRecord>(bytes, out);
    case RecordType::kCheckpoint:
      return parse<log::Checkpoint, CheckpointRecord>(bytes, out);
    case RecordType::kHeuristic:
      return parse<log::Heuristic, HeuristicRecord>(bytes, out);
    case RecordType::kHand:
      return parse<log::Hand, ChainedHand>(bytes, out);
    case RecordType::kLoss:
      return parse<log::Loss, LossRecord>(bytes, out);
  }
  check_failed(__FILE__, __LINE__, "a RecordType");
}

bool is_record_type(std::uint8_t type) {
  return type >= static_cast<std::uint8_t>(RecordType::kCommit) &&
         type <= static_cast<std::uint8_t>(RecordType::kLoss);
}

/// What is left to doubt when the checksum is right: what a newer program may have written.
Doubt doubt_header(const RecordHeader& header, std::uint16_t flags) {
  if ((flags & ~kForcedFlag) != 0) return "it has flags that this version doesn't know";
  if (header.number == 0) return "its number is zero";
  if (header.epoch == Epoch{}) return "its epoch is zero";
  if (header.log_time.ms_since_epoch < 0) return "its time is before 1970";
  return kFine;
}

/// Else records of these numbers may be there, and be right.
bool tells_of_lost(const Missing& one) {
  using Why = Missing::Why;
  return one.why == Why::kGap || one.why == Why::kEnd || one.why == Why::kDamaged ||
         one.why == Why::kBroken;
}

}  // namespace

bool is_lost(const std::vector<Missing>& missing, std::uint64_t number) {
  return std::any_of(missing.begin(), missing.end(), [number](const Missing& one) {
    return tells_of_lost(one) && one.first <= number && number <= one.last;
  });
}

std::uint64_t last_lost_before(const std::vector<Missing>& missing, std::uint64_t before) {
  std::uint64_t last = 0;
  for (const Missing& one : missing) {
    if (tells_of_lost(one) && one.first < before)
      last = std::max(last, std::min(one.last, before - 1));
  }
  return last;
}

bool is_broken(const std::vector<Missing>& missing) {
  return std::any_of(missing.begin(), missing.end(),
                     [](const Missing& one) { return one.why == Missing::Why::kBroken; });
}

std::string text(const Missing& missing) {
  const bool one = missing.first == missing.last;
  const std::string which = one ? fmt::format("record {}", missing.first)
                                : fmt::format("records {} to {}", missing.first, missing.last);
  const std::string records = which + (one ? " is missing" : " are missing");
  switch (missing.why) {
    case Missing::Why::kGap:
      return records;
    case Missing::Why::kEnd:
      return fmt::format(
          "decisions are missing at its end: {}, and {} was reported durable (high-water mark)",
          records, missing.last);
    case Missing::Why::kNoMark:
      return fmt::format(
          "its high-water mark was missing, so decisions behind record {} may be missing",
          missing.first - 1);
    case Missing::Why::kCopy:
      return fmt::format("its folder is a copy: the original may have gone on behind record {}",
                         missing.first - 1);
    case Missing::Why::kBackup:
      return fmt::format(
          "it was restored from a copy made by `log backup`: the original may have gone on behind "
          "record {}",
          missing.first - 1);
    case Missing::Why::kGivenUp:
      return fmt::format("{}, given up by a person", records);
    case Missing::Why::kDamaged:
      return fmt::format("record {} is damaged", missing.first);
    case Missing::Why::kBroken:
      return fmt::format("the chain is broken: {} may be of another history", which);
    case Missing::Why::kUnindexed:
      return fmt::format("record {} is there, and an index does not lead to it", missing.first);
    case Missing::Why::kUnread:
      return fmt::format(
          "its write-ahead file was damaged, so decisions behind record {} may be missing",
          missing.first - 1);
    case Missing::Why::kShown:
      return missing.shown;
  }
  check_failed(__FILE__, __LINE__, "a Missing::Why");
}

const Gtrid* gtrid_of(const RecordPayload& payload) {
  struct Find {
    const Gtrid* operator()(const CommitRecord& record) const { return &record.gtrid; }
    const Gtrid* operator()(const RollbackRecord& record) const { return &record.gtrid; }
    const Gtrid* operator()(const EndRecord& record) const { return &record.gtrid; }
    const Gtrid* operator()(const HeuristicRecord& record) const { return &record.xid.gtrid; }
    const Gtrid* operator()(const ChainedHand& record) const {
      return record.hand.gtrid ? &*record.hand.gtrid : nullptr;
    }
    const Gtrid* operator()(const OpeningRecord& /*record*/) const { return nullptr; }
    const Gtrid* operator()(const CheckpointRecord& /*record*/) const { return nullptr; }
    const Gtrid* operator()(const LossRecord& /*record*/) const { return nullptr; }
  };
  return std::visit(Find{}, payload);
}

const std::string* key_of(const RecordPayload& payload) {
  if (const auto* commit = std::get_if<CommitRecord>(&payload)) return &commit->key;
  if (const auto* rollback = std::get_if<RollbackRecord>(&payload)) return &rollback->key;
  return nullptr;
}

std::uint32_t chain_start(LogId id) {
  std::array<char, sizeof(std::uint64_t)> bytes{};
  put(bytes.data(), static_cast<std::uint64_t>(id));
  return crc32c({bytes.data(), bytes.size()});
}

void encode_record(RecordHeader& header, const CommitRecord& record, std::string& out) {
  encode(header, RecordType::kCommit, to_proto(record), out);
}

void encode_record(RecordHeader& header, const RollbackRecord& record, std::string& out) {
  encode(header, RecordType::kRollback, to_proto(record), out);
}

void encode_record(RecordHeader& header, const EndRecord& record, std::string& out) {
  encode(header, RecordType::kEnd, to_proto(record), out);
}

void encode_record(RecordHeader& header, const OpeningRecord& record, std::string& out) {
  encode(header, RecordType::kOpening, to_proto(record), out);
}

void encode_record(RecordHeader& header, const CheckpointRecord& record, std::string& out) {
  encode(header, RecordType::kCheckpoint, to_proto(record), out);
}

void encode_record(RecordHeader& header, const HeuristicRecord& record, std::string& out) {
  encode(header, RecordType::kHeuristic, to_proto(record), out);
}

void encode_record(RecordHeader& header, const ChainedHand& record, std::string& out) {
  encode(header, RecordType::kHand, to_proto(record), out);
}

void encode_record(RecordHeader& header, const LossRecord& record, std::string& out) {
  encode(header, RecordType::kLoss, to_proto(record), out);
}

HandLink link_to(std::uint64_t number, std::string_view bytes) {
  HandLink link{number, {}};
  unsigned written = 0;
  const int ok =
      EVP_Digest(bytes.data(), bytes.size(), link.sha256.data(), &written, EVP_sha256(), nullptr);
  ASSENT_CHECK(ok == 1 && written == link.sha256.size());
  return link;
}

Result<RecordHeader> decode_record_header(std::string_view bytes) {
  if (bytes.size() < kHeaderSize) {
    return damaged(fmt::format("it has {} bytes, fewer than a header", bytes.size()));
  }
  // The version first: what follows may stand elsewhere in another one.
  const auto version = get<std::uint8_t>(bytes.data() + kVersionAt);
  if (version != kVersion) {
    return damaged(
        fmt::format("it is of version {}, this program knows version {}", version, kVersion));
  }
  const auto payload_size = get<std::uint32_t>(bytes.data() + kPayloadSizeAt);
  if (payload_size != bytes.size() - kHeaderSize) {
    return damaged(fmt::format("its payload has {} bytes instead of {}", bytes.size() - kHeaderSize,
                               payload_size));
  }
  RecordHeader header;
  header.checksum = get<std::uint32_t>(bytes.data() + kChecksumAt);
  if (header.checksum != checksum_of(bytes)) return damaged("its checksum is wrong");
  const auto type = get<std::uint8_t>(bytes.data() + kTypeAt);
  if (!is_record_type(type)) {
    return damaged(fmt::format("it is of type {}, which this version doesn't know", type));
  }
  header.type = static_cast<RecordType>(type);
  const auto flags = get<std::uint16_t>(bytes.data() + kFlagsAt);
  header.forced = (flags & kForcedFlag) != 0;
  header.epoch = Epoch{get<std::uint32_t>(bytes.data() + kEpochAt)};
  header.number = get<std::uint64_t>(bytes.data() + kNumberAt);
  header.log_time = {static_cast<std::int64_t>(get<std::uint64_t>(bytes.data() + kLogTimeAt))};
  header.previous = get<std::uint32_t>(bytes.data() + kPreviousAt);
  if (const Doubt doubt = doubt_header(header, flags); doubt != kFine) return damaged(doubt);
  return header;
}

Result<StoredRecord> decode_record(std::string_view bytes) {
  auto header = decode_record_header(bytes);
  if (!header) return std::move(header).error();
  StoredRecord record{*header, {}};
  const Doubt doubt = parse_payload(header->type, bytes.substr(kHeaderSize), record.payload);
  if (doubt != kFine) return damaged(doubt);
  return record;
}

}  // namespace assent::coordinator
