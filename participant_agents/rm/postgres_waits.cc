#include "participant_agents/rm/postgres_waits.h"

#include <algorithm>

#include "participant_agents/rm/branch_session.h"

namespace assent::rm {
namespace {

/// "same object" of two rows of pg_locks: what is NULL in one is so in the other.
constexpr std::string_view kSameObject =
    "(h.locktype, h.database, h.relation, h.page, h.tuple, h.virtualxid, h.transactionid::text, "
    "h.classid, h.objid, h.objsubid) IS NOT DISTINCT FROM (w.locktype, w.database, w.relation, "
    "w.page, w.tuple, w.virtualxid, w.transactionid::text, w.classid, w.objid, w.objsubid)";

/// Who waits for a row waits for the transaction that changed it, and holds the row's tuple lock
/// meanwhile: that names the table.
constexpr std::string_view kLockWaitedFor =
    "w.mode || ' on ' || w.locktype || coalesce(' ' || w.relation::regclass::text, ' ' || "
    "w.transactionid::text || (SELECT ' for a row of ' || r.relation::regclass::text FROM locks r "
    "WHERE r.pid = w.pid AND r.locktype = 'tuple' AND r.granted LIMIT 1), '')";

std::string question() {
  return "WITH RECURSIVE locks AS MATERIALIZED (SELECT * FROM pg_locks), "
         "held AS (SELECT p.gid, l.* FROM pg_prepared_xact() p "
         "JOIN locks own ON own.locktype = 'transactionid' AND own.transactionid = p.transaction "
         "AND own.granted AND own.pid IS NULL "
         "JOIN locks l ON l.virtualtransaction = own.virtualtransaction AND l.pid IS NULL "
         "AND l.granted), "
         "waiting AS MATERIALIZED (SELECT l.*, pg_blocking_pids(l.pid) AS blockers FROM locks l "
         "WHERE NOT l.granted AND l.pid IS NOT NULL), "
         "blocked AS (SELECT h.gid, w.pid FROM held h JOIN waiting w ON 0 = ANY (w.blockers) AND " +
         std::string(kSameObject) +
         " UNION SELECT b.gid, w.pid FROM blocked b JOIN waiting w ON b.pid = ANY (w.blockers)) "
         "SELECT b.gid, b.pid, coalesce(a.usename::text, ''), left(coalesce(a.query, ''), " +
         std::to_string(kQueryShown) +
         "), (extract(epoch FROM clock_timestamp() - coalesce(w.waitstart, a.query_start)) * "
         "1000000)::bigint, " +
         std::string(kLockWaitedFor) +
         " FROM blocked b JOIN waiting w USING (pid) LEFT JOIN pg_stat_activity a USING (pid) "
         "ORDER BY 1, 5 DESC";
}

}  // namespace

Result<std::map<std::string, std::vector<BlockedSession>>> find_blocked(Link& link) {
  const auto rows = link.query(question(), Effect::kNone);
  if (!rows) return rows.error();
  std::map<std::string, std::vector<BlockedSession>> blocked;
  for (const Row& row : *rows) {
    auto& of_branch = blocked[text_at(row, 0)];
    if (of_branch.size() == kBlockedShown) continue;
    of_branch.push_back({.session = static_cast<std::uint64_t>(integer_at(row, 1)),
                         .user = text_at(row, 2),
                         .query = text_at(row, 3),
                         .waiting = Duration(std::max<std::int64_t>(integer_at(row, 4), 1)),
                         .lock = text_at(row, 5)});
  }
  return blocked;
}

}  // namespace assent::rm
