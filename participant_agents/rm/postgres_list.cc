#include "participant_agents/rm/postgres_list.h"

#include <algorithm>
#include <set>
#include <utility>

namespace assent::rm {
namespace {

/// A gid may be prepared once more after it was finished: then at another time.
/// `which` is by what the copy holds, not the slot; `where` may be by both.
Result<std::vector<ListedTransaction>> list_where(Link& link, const std::string& which,
                                                  const std::string& where) {
  const auto rows = link.query(
      "SELECT gid, prepared::text, transaction::text, "
      "pg_snapshot_xmax(pg_current_snapshot())::text, "
      "(extract(epoch FROM clock_timestamp() - prepared) * 1000000)::bigint "
      "FROM pg_prepared_xact() WHERE " +
          where + " ORDER BY prepared, gid",
      Effect::kNone);
  if (!rows) return rows.error();
  if (rows->empty()) return std::vector<ListedTransaction>{};
  const auto again = link.query("SELECT gid, prepared::text FROM pg_prepared_xact() WHERE " + which,
                                Effect::kNone);
  if (!again) return again.error();
  std::set<std::pair<std::string, std::string>> still_there;
  for (const Row& row : *again) still_there.emplace(text_at(row, 0), text_at(row, 1));
  std::vector<ListedTransaction> listed;
  for (const Row& row : *rows) {
    if (!still_there.contains({text_at(row, 0), text_at(row, 1)})) continue;
    listed.push_back({.gid = text_at(row, 0),
                      .transaction_id = widen(unsigned_at(row, 2), unsigned_at(row, 3)),
                      .age = Duration(std::max<std::int64_t>(integer_at(row, 4), 1))});
  }
  return listed;
}

}  // namespace

Result<std::vector<ListedTransaction>> list_prepared_here(Link& link) {
  return list_where(link, "true",
                    "dbid = (SELECT oid FROM pg_database WHERE datname = current_database())");
}

Result<std::optional<ListedTransaction>> find_prepared(Link& link, const std::string& gid) {
  const std::string of_gid = "gid = '" + gid + "'";
  auto listed = list_where(link, of_gid, of_gid);
  if (!listed) return std::move(listed).error();
  if (listed->empty()) return std::optional<ListedTransaction>{};
  return std::optional(std::move(listed->front()));
}

std::uint64_t widen(std::uint64_t listed, std::uint64_t snapshot_xmax) {
  const auto behind = static_cast<std::int32_t>(static_cast<std::uint32_t>(listed) -
                                                static_cast<std::uint32_t>(snapshot_xmax));
  return snapshot_xmax + static_cast<std::uint64_t>(std::int64_t{behind});
}

}  // namespace assent::rm
