#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "participant_agents/rm/link.h"
#include "protocol/base/result.h"
#include "protocol/base/time.h"

namespace assent::rm {

/// A prepared transaction as PostgreSQL lists it.
struct ListedTransaction {
  std::string gid;
  std::uint64_t transaction_id = 0;  ///< xid8 (F 4)
  Duration age{};                    ///< since it was prepared; at least 1
};

/// Those of this database, oldest first; or the one of that gid, whichever database of the server
/// it is in.
///
/// The server copies its list and reads each transaction's id and database only when it gets there,
/// from a slot that another transaction may have by then (pg_prepared_xact in PostgreSQL's
/// twophase.c; docs/decisions/0023). So what was finished meanwhile may stand there with the id of
/// another. What is listed once more behind it had its slot all the time; nothing else is told.
/// Errors: as Link::query, without effect.
Result<std::vector<ListedTransaction>> list_prepared_here(Link& link);
Result<std::optional<ListedTransaction>> find_prepared(Link& link, const std::string& gid);

/// The xid8 of a transaction of which the server lists 32 bits. Every transaction that is not
/// frozen is within 2^31 of the next one, so the nearest number with these bits is the one
/// (PostgreSQL, FullTransactionIdFromXidAndCtx).
std::uint64_t widen(std::uint64_t listed, std::uint64_t snapshot_xmax);

}  // namespace assent::rm
