#include "coordinator/log/log_state.h"

#include <algorithm>
#include <variant>

#include "protocol/base/mutant.h"

namespace assent::coordinator {
namespace {

constexpr std::size_t kUnprovedMax = 64;

template <typename Name>
std::vector<ListedRecord> oldest_first(const std::map<Name, ListedRecord>& records) {
  std::vector<ListedRecord> listed;
  listed.reserve(records.size());
  for (const auto& [name, record] : records) listed.push_back(record);
  std::sort(listed.begin(), listed.end(),
            [](const auto& a, const auto& b) { return a.number < b.number; });
  return listed;
}

}  // namespace

LogState::LogState(LogId log_id) {
  tail.chain = chain_start(log_id);
}

void LogState::advance(const RecordHeader& header) {
  tail.newest = header.number;
  tail.chain = header.checksum;
  tail.epoch = header.epoch;
  tail.log_time = header.log_time;
  if (header.forced) tail.top = header.number;
}

void LogState::apply(const RecordHeader& header, std::string_view /*bytes*/,
                     const CommitRecord& record) {
  advance(header);
  if (!awaits_end(record)) return;
  unfinished.insert_or_assign(record.gtrid, ListedRecord{header.number, header.checksum});
  for (const DecidedBranch& branch : record.branches) {
    const std::string& participant = branch.xid.bqual;
    if (record.by_hand) {  // prepared long before: shows nothing of what was committed since
      by_hand[participant] = header.number;
      continue;
    }
    newest.insert_or_assign(participant, NewestCommit{header.number, branch});
    by_hand.erase(participant);
    taken_back.erase(participant);
  }
}

void LogState::apply(const RecordHeader& header, std::string_view /*bytes*/,
                     const RollbackRecord& /*record*/) {
  advance(header);
}

void LogState::apply(const RecordHeader& header, std::string_view /*bytes*/,
                     const EndRecord& record) {
  advance(header);
  unfinished.erase(record.gtrid);
}

void LogState::apply(const RecordHeader& header, std::string_view /*bytes*/,
                     const OpeningRecord& record) {
  advance(header);
  opened(header.epoch, header.number, record.nonce);
  missing.insert(missing.end(), record.missing.begin(), record.missing.end());
}

void LogState::apply(const RecordHeader& header, std::string_view /*bytes*/,
                     const CheckpointRecord& /*record*/) {
  advance(header);
  tail.checkpoint = header.number;
}

void LogState::apply(const RecordHeader& header, std::string_view /*bytes*/,
                     const HeuristicRecord& record) {
  advance(header);
  damaged.insert_or_assign(record.xid, ListedRecord{header.number, header.checksum});
}

void LogState::apply(const RecordHeader& header, std::string_view bytes,
                     const ChainedHand& record) {
  advance(header);
  last_hand = link_to(header.number, bytes);
  const HandRecord& hand = record.hand;
  if (hand.action == HandAction::kForget) forget(hand);
  if (hand.allowance == Allowance::kViolation) violation_allowed = header.number;
  // No commit is expected of a database that a person took as it is, until its next one.
  if (hand.allowance == Allowance::kHistory) {
    newest.erase(hand.participant);
    by_hand.erase(hand.participant);
    taken_back[hand.participant] = header.number;
  }
  if (hand.allowance == Allowance::kPresume) allow_to_presume(header, hand);
  given_up_logs.insert(hand.lost_logs.begin(), hand.lost_logs.end());
}

/// Whose end was lost with it can't be told: it may be any commit before this opening, and the lost
/// records may have been openings.
void LogState::apply(const RecordHeader& header, std::string_view /*bytes*/,
                     const LossRecord& record) {
  advance(header);
  missing.push_back(
      {Missing::Why::kShown, tail.opening + 1, record.missing_to, false, record.what});
}

void LogState::apply(const StoredRecord& record, std::string_view bytes) {
  std::visit([&](const auto& payload) { apply(record.header, bytes, payload); }, record.payload);
}

/// It may have been forced. The chain goes on from the last record that is acted upon.
void LogState::leave_out(std::uint64_t number) {
  tail.newest = std::max(tail.newest, number);
  tail.top = tail.newest;
}

/// Its time does not count: nothing tells how long ago what is acted upon was written but the
/// host's clock.
void LogState::leave_out(std::uint64_t number, const StoredRecord& record) {
  leave_out(number);
  above = std::max(above, record.header.epoch);
  if (const auto* loss = std::get_if<LossRecord>(&record.payload)) leave_out(loss->missing_to);
  if (const auto* chained = std::get_if<ChainedHand>(&record.payload)) {
    leave_out(chained->hand.missing_to);
    above = std::max(above, chained->hand.above);
  }
}

void LogState::forget(const HandRecord& hand) {
  std::erase_if(damaged, [&](const auto& entry) {
    const Xid& xid = entry.first;
    return xid.gtrid == hand.gtrid && (hand.participant.empty() || xid.bqual == hand.participant);
  });
}

/// What was lost had numbers and epochs, and databases may have been told of them: they are never
/// used again.
void LogState::allow_to_presume(const RecordHeader& header, const HandRecord& hand) {
  for (Missing& one : missing) one.allowed = true;
  above = std::max(above, given_up_by(hand, header.epoch));
  for (HeldTop& one : held) {
    if (one.epoch <= hand.above) one.nonce = 0;  // databases may know another of that epoch
  }
  if (hand.missing_to <= header.number) return;
  missing.push_back({Missing::Why::kGivenUp, header.number + 1, hand.missing_to, true});
  tail.newest = hand.missing_to;
  tail.top = hand.missing_to;
}

void LogState::opened(Epoch epoch, std::uint64_t number, std::uint64_t nonce) {
  tail.opening = number;
  held.push_back({epoch, number - 1, nonce});
  if (held.size() > kHeldTopsMax) held.erase(held.begin());
}

void LogState::time_unproved(std::uint64_t ms) {
  unproved.push_back({tail.newest, ms});
  if (unproved.size() <= kUnprovedMax) return;
  unproved[1].ms += unproved[0].ms;  // some records so stay longer
  unproved.erase(unproved.begin());
}

void LogState::raise_oldest(std::uint64_t number) {
  oldest = std::max(oldest, number);
  std::erase_if(unproved, [this](const UnprovedTime& one) { return one.number < oldest; });
}

CheckpointRecord LogState::checkpoint() const {
  CheckpointRecord record;
  record.oldest = oldest;
  record.removed_commit = removed_commit;
  record.newest_forced = tail.top;
  record.low_water = low_water;
  if (!mutant("a checkpoint forgets what is unfinished"))
    record.unfinished = oldest_first(unfinished);
  record.damaged = oldest_first(damaged);
  const bool forgets = mutant("a checkpoint forgets the newest commits");
  for (const auto& [participant, commit] : newest) {
    if (!forgets) record.newest.push_back(commit);
  }
  record.by_hand = by_hand;
  record.taken_back = taken_back;
  record.last_hand = last_hand;
  if (!mutant("a checkpoint forgets what is missing")) record.missing = missing;
  record.opening = tail.opening;
  record.unproved = unproved;
  record.given_up_logs = given_up_logs;
  record.violation_allowed = violation_allowed;
  record.held = held;
  record.above = above;
  return record;
}

bool LogState::epochs_lost() const {
  return std::any_of(missing.begin(), missing.end(),
                     [&](const Missing& one) { return one.first > tail.opening; });
}

bool LogState::may_presume() const {
  return std::all_of(missing.begin(), missing.end(),
                     [](const Missing& one) { return one.allowed; });
}

}  // namespace assent::coordinator
