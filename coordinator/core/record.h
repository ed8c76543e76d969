#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "protocol/base/result.h"
#include "protocol/base/time.h"
#include "protocol/base/xid.h"
#include "protocol/message/proof.h"

/// What the coordinator makes durable. docs/LOG_FORMAT.md gives the bytes; coordinator/log/record
/// encodes them.

namespace assent::coordinator {

/// Names one forced append; chosen by the core, given back when it is durable.
enum class LogToken : std::uint64_t {};

/// SHA-256 over the canonical encoding of a request (R15, docs/PROTOCOL.md).
using RequestHash = std::array<std::uint8_t, 32>;

/// A branch that voted yes, with what will prove its end.
struct DecidedBranch {
  Xid xid;
  BranchProof proof;

  friend bool operator==(const DecidedBranch&, const DecidedBranch&) = default;
};

/// The decision to commit: forced before any commit message and before any positive answer (R1).
/// Without branches for a keyed transaction that needs no second phase (R13).
struct CommitRecord {
  Gtrid gtrid;
  std::string key;  ///< empty: none
  RequestHash request_hash{};
  std::optional<WallTime> not_after;
  std::vector<DecidedBranch> branches;

  friend bool operator==(const CommitRecord&, const CommitRecord&) = default;
};

/// A final "rolled back", or "expired", for a key: forced before the answer (R15). Presumed abort
/// needs none for the agents.
struct RollbackRecord {
  Gtrid gtrid;  ///< of the last attempt; sequence 0 when the key was bound without one
  std::string key;
  RequestHash request_hash{};  ///< zeros when settled without a request
  std::optional<WallTime> not_after;
  Error reason;

  friend bool operator==(const RollbackRecord&, const RollbackRecord&) = default;
};

/// Every branch of a committed transaction has been proved committed. Not forced: if it is lost,
/// phase two runs again.
struct EndRecord {
  Gtrid gtrid;

  friend bool operator==(const EndRecord&, const EndRecord&) = default;
};

using Record = std::variant<CommitRecord, RollbackRecord, EndRecord>;

/// Answers of the log about one key or one gtrid.
struct Decided {
  std::variant<CommitRecord, RollbackRecord> record;

  friend bool operator==(const Decided&, const Decided&) = default;
};

}  // namespace assent::coordinator
