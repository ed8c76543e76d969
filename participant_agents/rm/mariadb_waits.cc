#include "participant_agents/rm/mariadb_waits.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "participant_agents/rm/branch_session.h"

namespace assent::rm {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// InnoDB shows its transactions as they were when it last collected them, and does that anew only
/// when nobody has read them for 100 ms (trx0i_s.cc, CACHE_MIN_IDLE_TIME_NS): who polls faster sees
/// no news at all (F 14).
constexpr Duration kUntilNews = milliseconds(130);
/// How long the second connection may wait by itself, and be waited for.
constexpr std::string_view kProbeSettings =
    "SET SESSION innodb_lock_wait_timeout = 2, tx_isolation = 'READ-COMMITTED', autocommit = 1";
constexpr Duration kProbeMax = seconds(3);

/// A transaction without a session: a prepared branch whose session has left it.
struct Detached {
  Duration age{};
  std::vector<BlockedSession> blocked;
};
using TrxId = std::string;

/// Two that wait for a shared lock on the same row, and have not written, have one id; their locks
/// have one name as well, so each is with those that are in its way.
const std::string& question() {
  static const std::string text =
      "SELECT DISTINCT CONCAT(b.trx_id), TIMESTAMPDIFF(MICROSECOND, b.trx_started, SYSDATE(6)), "
      "CAST(COALESCE(r.trx_mysql_thread_id, 0) AS SIGNED), COALESCE(p.user, ''), "
      "LEFT(COALESCE(r.trx_query, ''), " +
      std::to_string(kQueryShown) +
      "), TIMESTAMPDIFF(MICROSECOND, r.trx_wait_started, SYSDATE(6)), "
      "COALESCE(CONCAT(l.lock_mode, ' ', l.lock_type, ' lock on ', l.lock_table, "
      "COALESCE(CONCAT(' index ', l.lock_index, ' (', l.lock_data, ')'), '')), '') "
      "FROM information_schema.INNODB_TRX b "
      "LEFT JOIN information_schema.INNODB_LOCK_WAITS w ON w.blocking_trx_id = b.trx_id "
      "LEFT JOIN information_schema.INNODB_TRX r ON r.trx_id = w.requesting_trx_id "
      "AND r.trx_requested_lock_id = w.requested_lock_id "
      "LEFT JOIN information_schema.INNODB_LOCKS l ON l.lock_id = w.requested_lock_id "
      "LEFT JOIN information_schema.PROCESSLIST p ON p.id = r.trx_mysql_thread_id "
      "WHERE b.trx_mysql_thread_id = 0 ORDER BY 1, 6 DESC";
  return text;
}

/// At least 1 us: 0 would say that it is not told.
Duration duration_at(const Row& row, std::size_t column) {
  return Duration(std::max<std::int64_t>(integer_at(row, column), 1));
}

Result<std::map<TrxId, Detached>> look_at_detached(Link& link) {
  const auto rows = link.query(question(), Effect::kNone);
  if (!rows) return rows.error();
  std::map<TrxId, Detached> found;
  for (const Row& row : *rows) {
    Detached& detached = found[text_at(row, 0)];
    detached.age = duration_at(row, 1);
    const auto session = static_cast<std::uint64_t>(integer_at(row, 2));
    if (session == 0) continue;  // holds up nobody
    detached.blocked.push_back({.session = session,
                                .user = text_at(row, 3),
                                .query = text_at(row, 4),
                                .waiting = duration_at(row, 5),
                                .lock = text_at(row, 6)});
  }
  return found;
}

/// The second connection. It waits for one witness row at a time, and is taken back as soon as it
/// was seen to wait.
class WitnessProbe {
 public:
  static Result<WitnessProbe> open(
      const std::function<Result<std::unique_ptr<Link>>()>& open_second) {
    auto link = open_second();
    if (!link) return link.error();
    const CallWatchdog watchdog(**link, kProbeMax);
    const odbc::Answer set = (*link)->run(std::string(kProbeSettings));
    if (set.failure) return (*link)->error(*set.failure, Effect::kNone);
    const auto rows = (*link)->query("SELECT CAST(CONNECTION_ID() AS SIGNED)", Effect::kNone);
    if (!rows) return rows.error();
    return WitnessProbe(std::move(*link), static_cast<std::uint64_t>(integer_at(rows->front(), 0)));
  }

  /// Which transaction holds the row that `wait` asks for; nullopt: none that has left its session.
  Result<std::optional<TrxId>> who_holds(Link& looker, const std::string& wait) {
    std::atomic<bool> waits{true};
    std::thread waiter([&] {
      const CallWatchdog watchdog(*link_, kProbeMax);
      link_->run(wait);
      waits = false;
    });
    auto holder = watch(looker, waits);
    if (waits) looker.run("KILL QUERY " + std::to_string(session_));
    waiter.join();
    return holder;
  }

 private:
  WitnessProbe(std::unique_ptr<Link> link, std::uint64_t session)
      : link_(std::move(link)), session_(session) {}

  Result<std::optional<TrxId>> watch(Link& looker, const std::atomic<bool>& waits) const {
    while (waits) {
      std::this_thread::sleep_for(kUntilNews);
      const auto detached = look_at_detached(looker);
      if (!detached) return detached.error();
      for (const auto& [id, transaction] : *detached) {
        for (const BlockedSession& blocked : transaction.blocked) {
          if (blocked.session == session_) return std::optional(id);
        }
      }
    }
    return std::optional<TrxId>();
  }

  std::unique_ptr<Link> link_;
  std::uint64_t session_;
};

bool holds_up_somebody(const std::pair<const TrxId, Detached>& transaction) {
  return !transaction.second.blocked.empty();
}

void tell(Detached& detached, BranchSight& sight) {
  sight.age = detached.age;
  sight.blocked = std::move(detached.blocked);
}

void tell(Detached& detached, ForeignBranch& branch) {
  branch.age = detached.age;
  branch.blocked = std::move(detached.blocked);
}

void tell_error(const Error& error, std::vector<BranchSight>& branches) {
  for (BranchSight& sight : branches) sight.error = error;
}

/// Somebody waits, and it is not known for which.
void tell_of_unknown(const Link& link, const std::map<TrxId, Detached>& unknown,
                     std::vector<BranchSight>& branches) {
  const auto blocker = std::find_if(unknown.begin(), unknown.end(), holds_up_somebody);
  if (blocker == unknown.end()) return;
  const BlockedSession& first = blocker->second.blocked.front();
  for (BranchSight& sight : branches) {
    if (sight.age != Duration(0)) continue;
    sight.error = make_error(
        link.settings(), ErrorCode::kBusy, Effect::kNone,
        "session " + std::to_string(first.session) + " of " + first.user +
            " waits for a prepared branch of this server (" + first.lock +
            "), and it can't be told whether for this one: finish others first, or look again");
  }
}

}  // namespace

void tell_waits(Link& link, const std::function<Result<std::unique_ptr<Link>>()>& open_second,
                const std::function<std::string(const Xid&)>& say_wait, std::size_t listed,
                Inspection& found) {
  if (listed == 0) return;
  std::this_thread::sleep_for(kUntilNews);  // somebody may have looked just now
  auto unknown = look_at_detached(link);
  if (!unknown) {
    Error error = unknown.error();
    error.message = "whom it holds up can't be told: " + error.message;
    return tell_error(error, found.branches);
  }
  const bool all_detached = unknown->size() == listed;
  std::size_t ours_unknown = found.branches.size();
  if (std::any_of(unknown->begin(), unknown->end(), holds_up_somebody) && listed > 1) {
    auto probe = WitnessProbe::open(open_second);
    if (!probe) return tell_error(probe.error(), found.branches);
    const std::size_t most = std::min(found.branches.size(), kWitnessProbes);
    for (std::size_t i = 0; i < most; ++i) {
      if (std::none_of(unknown->begin(), unknown->end(), holds_up_somebody)) break;
      const auto holder = probe->who_holds(link, say_wait(found.branches[i].xid));
      if (!holder) return tell_error(holder.error(), found.branches);
      if (!*holder || !unknown->contains(**holder)) continue;
      tell(unknown->at(**holder), found.branches[i]);
      unknown->erase(**holder);
      --ours_unknown;
    }
  }
  // What is left belongs together if it is but one of each.
  if (!all_detached || unknown->size() != 1) return tell_of_unknown(link, *unknown, found.branches);
  if (ours_unknown == 0 && found.foreign.size() == 1) {
    tell(unknown->begin()->second, found.foreign.front());
  } else if (found.foreign.empty()) {
    for (BranchSight& sight : found.branches) {
      if (sight.age == Duration(0)) tell(unknown->begin()->second, sight);
    }
  }
}

}  // namespace assent::rm
