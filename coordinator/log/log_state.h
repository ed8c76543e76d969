#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "coordinator/core/recovery.h"
#include "coordinator/log/record.h"
#include "protocol/base/time.h"
#include "protocol/base/xid.h"
#include "protocol/message/agent.h"

namespace assent::coordinator {

/// Where the next record goes, and what it must agree with.
struct LogTail {
  std::uint64_t newest = 0;      ///< number; the next record has the one behind it
  std::uint64_t top = 0;         ///< number of the newest forced one, or given up (Missing)
  std::uint64_t checkpoint = 0;  ///< number of the newest one; 0: none
  std::uint64_t opening = 0;     ///< number of the newest one; 0: none
  std::uint32_t chain = 0;       ///< checksum of the newest record; chain_start if there is none
  Epoch epoch{};                 ///< of the newest opening; 0: none
  WallTime log_time;
};

/// What the records up to the newest one add up to: what a checkpoint carries. A value; applying
/// the records from a checkpoint on gives what applying all of them gives.
struct LogState {
  LogTail tail;
  std::uint64_t oldest = 1;          ///< see CheckpointRecord
  std::uint64_t removed_commit = 0;  ///< see CheckpointRecord
  std::optional<Gtrid> low_water;
  std::map<Gtrid, ListedRecord> unfinished;
  std::map<Xid, ListedRecord> damaged;
  std::map<std::string, NewestCommit, std::less<>> newest;  ///< by participant
  std::map<std::string, std::uint64_t> by_hand;             ///< see Past
  std::map<std::string, std::uint64_t> taken_back;          ///< see Past
  HandLink last_hand;
  std::uint64_t violation_allowed = 0;  ///< see Past
  Epoch above{};                        ///< see CheckpointRecord
  std::vector<Missing> missing;
  std::vector<HeldTop> held;           ///< see LogOpening
  std::vector<UnprovedTime> unproved;  ///< oldest first; of what is still there
  std::set<LogId> given_up_logs;       ///< see Past

  explicit LogState(LogId log_id);

  // The record comes next. `bytes`: header and payload. A checkpoint changes nothing but the tail:
  // it repeats what is known.
  void apply(const RecordHeader& header, std::string_view bytes, const CommitRecord& record);
  void apply(const RecordHeader& header, std::string_view bytes, const RollbackRecord& record);
  void apply(const RecordHeader& header, std::string_view bytes, const EndRecord& record);
  void apply(const RecordHeader& header, std::string_view bytes, const OpeningRecord& record);
  void apply(const RecordHeader& header, std::string_view bytes, const CheckpointRecord& record);
  void apply(const RecordHeader& header, std::string_view bytes, const HeuristicRecord& record);
  void apply(const RecordHeader& header, std::string_view bytes, const ChainedHand& record);
  void apply(const RecordHeader& header, std::string_view bytes, const LossRecord& record);
  void apply(const StoredRecord& record, std::string_view bytes);
  /// The record of this number comes next, and nobody acts upon it: it is lost. Numbers and epochs
  /// that it may have used, or knew of, are not used again.
  void leave_out(std::uint64_t number);
  void leave_out(std::uint64_t number, const StoredRecord& record);

  /// An opening of this epoch is the record of this number. `nonce` 0: not known.
  void opened(Epoch epoch, std::uint64_t number, std::uint64_t nonce);

  /// Nobody knows how long ago the newest record was written but the host's clock.
  void time_unproved(std::uint64_t ms);
  /// What is below is gone, or going.
  void raise_oldest(std::uint64_t number);

  CheckpointRecord checkpoint() const;

  /// Records were lost that may have been openings, as many as is not known: the next opening's
  /// epoch must be one that none of them had.
  bool epochs_lost() const;
  bool may_presume() const;  ///< nothing is missing that nobody has allowed

 private:
  void advance(const RecordHeader& header);
  void forget(const HandRecord& hand);
  void allow_to_presume(const RecordHeader& header, const HandRecord& hand);
};

}  // namespace assent::coordinator
