#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "coordinator/core/record.h"
#include "protocol/base/result.h"
#include "protocol/base/time.h"
#include "protocol/base/xid.h"

/// The bytes of one record of the decision log (docs/LOG_FORMAT.md). Pure functions: any thread.

namespace assent::coordinator {

/// Stands in the header of every record: never renumber. 6 (heuristic outcome) and 7 (done by hand)
/// are reserved.
enum class RecordType : std::uint8_t {
  kCommit = 1,
  kRollback = 2,
  kEnd = 3,
  kOpening = 4,
  kCheckpoint = 5,
};

/// The log was opened: from here on its epoch is the one in the header (R2), its nonce this one
/// (R10).
struct OpeningRecord {
  LogId log_id{};
  std::uint64_t nonce = 0;

  friend bool operator==(const OpeningRecord&, const OpeningRecord&) = default;
};

/// A commit record without an end record. The checksum says that it is still the same one.
struct UnfinishedRecord {
  std::uint64_t number = 0;
  std::uint32_t checksum = 0;

  friend bool operator==(const UnfinishedRecord&, const UnfinishedRecord&) = default;
};

/// A commit of no branch (R13) is finished as it is written: there is nobody to tell.
inline bool awaits_end(const CommitRecord& commit) {
  return !commit.branches.empty();
}

/// What an opening would otherwise have to read the whole log for.
struct CheckpointRecord {
  std::uint64_t oldest = 1;  ///< records below it may be gone, but for the unfinished ones
  std::uint64_t newest_forced = 0;
  std::optional<Gtrid> low_water;            ///< see LogOpening
  std::vector<UnfinishedRecord> unfinished;  ///< oldest first

  friend bool operator==(const CheckpointRecord&, const CheckpointRecord&) = default;
};

using RecordPayload =
    std::variant<CommitRecord, RollbackRecord, EndRecord, OpeningRecord, CheckpointRecord>;

struct RecordHeader {
  RecordType type{};
  bool forced = false;
  Epoch epoch{};
  std::uint64_t number = 0;  ///< dense; the first record of a log is 1
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
void encode_record(RecordHeader& header, const Record& record, std::string& out);
void encode_record(RecordHeader& header, const OpeningRecord& record, std::string& out);
void encode_record(RecordHeader& header, const CheckpointRecord& record, std::string& out);

/// kLogUnavailable, with what is wrong: not a record that we write, or not intact. Doubts every
/// field.
Result<StoredRecord> decode_record(std::string_view bytes);
/// The same without looking into the payload; its checksum is looked at.
Result<RecordHeader> decode_record_header(std::string_view bytes);

}  // namespace assent::coordinator
