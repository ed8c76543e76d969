#include "coordinator/log/leveldb_removal.h"

#include <leveldb/db.h>

#include <algorithm>
#include <chrono>
#include <utility>
#include <variant>

#include "coordinator/log/leveldb_reader.h"
#include "coordinator/log/record.h"
#include "protocol/base/mutant.h"

namespace assent::coordinator {
namespace {

constexpr int kRecordsPerLook = 4'000;

class Look {
 public:
  Look(leveldb::DB& db, LogId log_id, const Cutoff& cutoff,
       const std::vector<std::uint64_t>& pinned, const std::vector<Missing>& missing)
      : db_(db), log_id_(log_id), all_(cutoff), pinned_(pinned), missing_(missing) {}

  bool has_lost(std::uint64_t number) const { return is_lost(missing_, number); }

  /// False: this record has to stay, and so has all behind it.
  Result<bool> pass(std::uint64_t number, const StoredRecord& record) {
    cutoff_ = all_.of(number);
    if (record.header.log_time >= cutoff_) return false;
    return std::visit([&](const auto& payload) { return pass(number, payload); }, record.payload);
  }

  RemovableRecords found;

 private:
  bool still_valid(const std::optional<WallTime>& not_after) const {
    if (mutant("not_after is not waited for")) return false;
    return not_after && *not_after >= cutoff_;
  }
  bool is_pinned(std::uint64_t number) const {
    return std::binary_search(pinned_.begin(), pinned_.end(), number);
  }

  Result<bool> pass(std::uint64_t number, const CommitRecord& record) {
    if (still_valid(record.not_after)) return false;
    note(record.gtrid);
    // One with branches goes with its end.
    if (!awaits_end(record) || mutant("what has no end goes"))
      found.removals.push_back({{number}, record.gtrid, record.key});
    return true;
  }

  Result<bool> pass(std::uint64_t number, const RollbackRecord& record) {
    if (still_valid(record.not_after)) return false;
    const bool indexed = record.gtrid.sequence != Sequence{};
    if (indexed) note(record.gtrid);
    found.removals.push_back(
        {{number}, indexed ? std::optional(record.gtrid) : std::nullopt, record.key});
    return true;
  }

  Result<bool> pass(std::uint64_t number, const EndRecord& record) {
    Removal removal{{number}, std::nullopt, {}};
    const auto numbers = read_gtrid_index(db_, log_id_, record.gtrid);
    if (!numbers) return numbers.error();
    const std::uint64_t decision = numbers->empty() ? 0 : numbers->front();
    // Else: an end that was written twice.
    if (decision != 0 && decision < number && !has_lost(decision)) {
      auto commit = read_record(db_, decision);
      if (!commit) return std::move(commit).error();
      auto* ended = std::get_if<CommitRecord>(&commit->payload);
      // Where something is missing, the entry may lead to another's record, which stays.
      if (ended != nullptr && ended->gtrid == record.gtrid) {
        if (still_valid(ended->not_after)) return false;
        note(record.gtrid);
        found.commit = std::max(found.commit, decision);
        removal = {{decision, number}, record.gtrid, std::move(ended->key)};
      }
    }
    found.removals.push_back(std::move(removal));
    return true;
  }

  Result<bool> pass(std::uint64_t number, const HeuristicRecord& record) {
    if (!is_pinned(number)) found.removals.push_back({{number}, record.xid.gtrid, {}});
    return true;
  }

  /// Stays, but what it forgot may have been pinned when its turn came.
  Result<bool> pass(std::uint64_t number, const ChainedHand& record) {
    if (record.hand.action != HandAction::kForget) return true;
    const auto numbers = read_gtrid_index(db_, log_id_, *record.hand.gtrid);
    if (!numbers) return numbers.error();
    for (const std::uint64_t one : *numbers) {
      if (one == 0 || one >= number || is_pinned(one) || has_lost(one)) continue;
      const auto other = read_record(db_, one);
      if (!other) return other.error();
      if (!std::holds_alternative<HeuristicRecord>(other->payload)) continue;
      found.removals.push_back({{one}, record.hand.gtrid, {}});
    }
    return true;
  }

  Result<bool> pass(std::uint64_t number, const OpeningRecord& /*record*/) {
    found.removals.push_back({{number}, std::nullopt, {}});
    return true;
  }

  Result<bool> pass(std::uint64_t number, const CheckpointRecord& /*record*/) {
    found.removals.push_back({{number}, std::nullopt, {}});
    return true;
  }

  /// Checkpoints carry what it says.
  Result<bool> pass(std::uint64_t number, const LossRecord& /*record*/) {
    found.removals.push_back({{number}, std::nullopt, {}});
    return true;
  }

  void note(const Gtrid& gtrid) {
    if (gtrid.log_id != log_id_) return;  // of a lost log, by hand
    if (!found.low_water || *found.low_water < gtrid) found.low_water = gtrid;
  }

  leveldb::DB& db_;
  const LogId log_id_;
  const Cutoff& all_;
  WallTime cutoff_;  ///< of the record that is looked at
  const std::vector<std::uint64_t>& pinned_;
  const std::vector<Missing>& missing_;
};

}  // namespace

WallTime Cutoff::of(std::uint64_t number) const {
  std::chrono::milliseconds left_out{};
  for (const UnprovedTime& one : unproved) {
    if (number <= one.number) left_out += std::chrono::milliseconds(one.ms);
  }
  return now + -left_out;
}

Result<RemovableRecords> find_removable(leveldb::DB& db, LogId log_id, std::uint64_t first,
                                        const Cutoff& cutoff,
                                        const std::vector<std::uint64_t>& pinned,
                                        const std::vector<Missing>& missing) {
  Look look(db, log_id, cutoff, pinned, missing);
  look.found.oldest = first;
  RecordWalk records(db);
  records.to(first);
  for (int i = 0; i < kRecordsPerLook; ++i, records.forward()) {
    const auto number = records.number();
    if (!number) return number.error();
    if (!*number) break;
    if (!look.has_lost(**number)) {
      const auto record = records.record(**number);
      if (!record) return record.error();
      const auto goes = look.pass(**number, *record);
      if (!goes) return goes.error();
      if (!*goes) break;
    }
    look.found.oldest = **number + 1;
  }
  return std::move(look.found);
}

}  // namespace assent::coordinator
