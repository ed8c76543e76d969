#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "coordinator/core/record.h"
#include "coordinator/core/recovery.h"
#include "protocol/base/result.h"
#include "protocol/base/time.h"
#include "protocol/base/xid.h"
#include "protocol/message/agent.h"

/// The bytes of one record of the decision log (docs/LOG_FORMAT.md). Pure functions: any thread.

namespace assent::coordinator {

/// Stands in the header of every record: never renumber.
enum class RecordType : std::uint8_t {
  kCommit = 1,
  kRollback = 2,
  kEnd = 3,
  kOpening = 4,
  kCheckpoint = 5,
  kHeuristic = 6,
  kHand = 7,
  kLoss = 8,
};

/// Decisions may be missing. Numbers stand in the log.
struct Missing {
  enum class Why : std::uint8_t {
    kGap = 1,        ///< records `first` to `last` are not there, and later ones are
    kEnd = 2,        ///< `first` to `last` are not there, and the mark says that they were reported
    kNoMark = 3,     ///< the mark was missing: some behind `first` - 1 may be
    kCopy = 4,       ///< the folder is a copy: the original may have gone on from `first`
    kBackup = 5,     ///< the same, made by `log backup` and opened as such
    kGivenUp = 6,    ///< by a person: no record has had these numbers since
    kDamaged = 7,    ///< the record is not as it was written
    kBroken = 8,     ///< the chain is broken: these may be of another history
    kUnindexed = 9,  ///< the record is there, and an index does not lead to it
    kUnread = 10,    ///< a file of the newest was damaged: some behind `first` - 1 may be missing
    kShown = 11,     ///< a database showed it to the opening before `first`; later records may have
                     ///< the numbers of those missing
  };
  Why why = Why::kGap;
  std::uint64_t first = 0;
  std::uint64_t last = 0;  ///< 0: not known
  bool allowed = false;    ///< a person has allowed to presume all the same
  std::string shown;       ///< of kShown: what, as text() says it

  friend bool operator==(const Missing&, const Missing&) = default;
};

/// Is the record of this number lost: not there, or not to be believed?
bool is_lost(const std::vector<Missing>& missing, std::uint64_t number);
/// The highest number of a lost record below `before`; 0: none is.
std::uint64_t last_lost_before(const std::vector<Missing>& missing, std::uint64_t before);

/// Is the chain broken? Then two histories are mixed.
bool is_broken(const std::vector<Missing>& missing);

/// "records 813 to 815 are missing": what is missing and how it shows, a sentence without its stop.
std::string text(const Missing& missing);

/// The log was opened: from here on its epoch is the one in the header (R2), its nonce this one
/// (R10).
struct OpeningRecord {
  LogId log_id{};
  std::uint64_t nonce = 0;
  std::vector<Missing> missing;  ///< found by this opening

  friend bool operator==(const OpeningRecord&, const OpeningRecord&) = default;
};

/// A record that a checkpoint names. The checksum says that it is still the same one.
struct ListedRecord {
  std::uint64_t number = 0;
  std::uint32_t checksum = 0;

  friend bool operator==(const ListedRecord&, const ListedRecord&) = default;
};

/// Names a HandRecord and all before it.
struct HandLink {
  std::uint64_t number = 0;               ///< 0: there is none
  std::array<std::uint8_t, 32> sha256{};  ///< of the record's bytes, header and payload

  friend bool operator==(const HandLink&, const HandLink&) = default;
};

/// A HandRecord as it is written.
struct ChainedHand {
  HandRecord hand;
  HandLink previous;

  friend bool operator==(const ChainedHand&, const ChainedHand&) = default;
};

/// A commit of no branch (R13) is finished as it is written: there is nobody to tell.
inline bool awaits_end(const CommitRecord& commit) {
  return !commit.branches.empty();
}

/// The log's time went on so much behind the record of this number, and only the host's clock says
/// so: nobody ran who could have measured it (R15).
struct UnprovedTime {
  std::uint64_t number = 0;
  std::uint64_t ms = 0;

  friend bool operator==(const UnprovedTime&, const UnprovedTime&) = default;
};

/// What an opening would otherwise have to read the whole log for.
struct CheckpointRecord {
  std::uint64_t oldest = 1;  ///< records below it may be gone, but for those listed and by hand
  std::uint64_t newest_forced = 0;
  std::optional<Gtrid> low_water;        ///< see LogOpening
  std::vector<ListedRecord> unfinished;  ///< commits without an end, oldest first
  std::vector<ListedRecord> damaged;     ///< heuristic outcomes not forgotten, oldest first
  std::vector<NewestCommit> newest;      ///< see Past; by participant
  HandLink last_hand;
  std::vector<Missing> missing;         ///< all that were ever found, as far as records are kept
  std::uint64_t opening = 0;            ///< number of the newest one
  std::vector<UnprovedTime> unproved;   ///< oldest first
  std::set<LogId> given_up_logs;        ///< see Past
  std::uint64_t violation_allowed = 0;  ///< see Past
  std::vector<HeldTop> held;            ///< see LogOpening; empty: written before this was known
  std::map<std::string, std::uint64_t> by_hand;     ///< see Past
  std::map<std::string, std::uint64_t> taken_back;  ///< see Past
  /// What was given up, decided or not, has epochs up to this one. The next opening's is above it.
  Epoch above{};
  std::uint64_t removed_commit = 0;  ///< the highest number of a commit that may be gone; 0: none

  friend bool operator==(const CheckpointRecord&, const CheckpointRecord&) = default;
};

using RecordPayload = std::variant<CommitRecord, RollbackRecord, EndRecord, OpeningRecord,
                                   CheckpointRecord, HeuristicRecord, ChainedHand, LossRecord>;

/// The transaction that the record is of; nullptr: of none.
const Gtrid* gtrid_of(const RecordPayload& payload);
/// The idempotency key of a decision; nullptr: the record is none.
const std::string* key_of(const RecordPayload& payload);

struct RecordHeader {
  RecordType type{};
  bool forced = false;
  Epoch epoch{};
  std::uint64_t number = 0;  ///< dense but for what is Missing; the first record of a log is 1
  WallTime log_time;
  std::uint32_t previous = 0;  ///< checksum of the record before; chain_start for the first
  std::uint32_t checksum = 0;  ///< of this record: header and payload
};

struct StoredRecord {
  RecordHeader header;
  RecordPayload payload;
};

/// `previous` of a log's first record, so that records of two logs never fit together.
std::uint32_t chain_start(LogId id);

/// Appends the record to `out`. `header.type` and `header.checksum` are set to what was written.
void encode_record(RecordHeader& header, const CommitRecord& record, std::string& out);
void encode_record(RecordHeader& header, const RollbackRecord& record, std::string& out);
void encode_record(RecordHeader& header, const EndRecord& record, std::string& out);
void encode_record(RecordHeader& header, const OpeningRecord& record, std::string& out);
void encode_record(RecordHeader& header, const CheckpointRecord& record, std::string& out);
void encode_record(RecordHeader& header, const HeuristicRecord& record, std::string& out);
void encode_record(RecordHeader& header, const ChainedHand& record, std::string& out);
void encode_record(RecordHeader& header, const LossRecord& record, std::string& out);

/// SHA-256 of a hand record's bytes, for the next one.
HandLink link_to(std::uint64_t number, std::string_view bytes);

/// kLogUnavailable, with what is wrong: not a record that we write, or not intact. Doubts every
/// field.
Result<StoredRecord> decode_record(std::string_view bytes);
/// The same without looking into the payload; its checksum is looked at.
Result<RecordHeader> decode_record_header(std::string_view bytes);

}  // namespace assent::coordinator
