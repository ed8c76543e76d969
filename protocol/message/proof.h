#pragma once

#include <cstdint>
#include <string>

/// What ties a vote to a database, and later proves what became of the branch (design section 6).

namespace assent {

/// Which database, and which of its histories. PostgreSQL: `id` = "<system identifier>/<database
/// oid>", timeline, position = WAL position (bytes) when it was asked. MariaDB: `id` = the random
/// id kept in our schema; timeline and position 0. takeover = the number that the agent drew when
/// it took control, kept by PostgreSQL since; 0: of an agent that drew none.
struct DatabaseIdentity {
  std::string id;
  std::uint32_t timeline = 0;
  std::uint64_t position = 0;
  std::uint64_t takeover = 0;

  friend bool operator==(const DatabaseIdentity&, const DatabaseIdentity&) = default;
};

/// Comes with a yes vote and goes into the commit record byte for byte (R1).
struct BranchProof {
  DatabaseIdentity database;
  /// PostgreSQL: the branch's 64-bit transaction id (xid8, F 4). 0: none; the witness row is the
  /// proof.
  std::uint64_t transaction_id = 0;
  bool witness_row = false;  ///< the branch wrote one

  friend bool operator==(const BranchProof&, const BranchProof&) = default;
};

}  // namespace assent
