#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "coordinator/core/record.h"
#include "coordinator/core/recovery.h"
#include "protocol/base/result.h"
#include "protocol/base/time.h"
#include "protocol/base/xid.h"
#include "protocol/message/admin.h"
#include "protocol/message/agent.h"

/// The durable memory of decisions (design section 7). A port: LevelDB stands behind it now; a
/// replicated log can later.

namespace assent::coordinator {

/// How the log found itself when it was opened: what the core is to know of it, and what others
/// ask.
struct LogOpening : Past {
  std::uint64_t nonce = 0;  ///< of this opening, already durable (R10), as its epoch is (R2)
  std::uint64_t top = 0;    ///< number of the newest forced record
  std::optional<Gtrid>
      low_water;  ///< records of transactions at or below it may have been removed (R2)
  /// What openings before these told of has numbers up to these: the newest, oldest first, the last
  /// is this one.
  std::vector<HeldTop> held;
};

/// What an agent is to be told of it; who speaks, and to whom, is left to the caller.
/// `given_up_to`: what a person has given up since.
Hello hello_of(const LogOpening& opening, std::uint64_t given_up_to);

struct CommitsPiece {
  std::vector<NumberedCommit> commits;  ///< oldest first
  std::uint64_t read_to = 0;            ///< number of the last record that was read
  bool more = false;                    ///< there are records behind it
  std::uint64_t gone = 0;  ///< the highest number, below the span's end, of a commit that may be
                           ///< gone; 0: none
};

class DecisionLog {
 public:
  /// `durable` is called on the log's own thread, in the order of the appends, once for each batch:
  /// every token in it is on stable storage. `failed` is called once, on that thread, when a write
  /// or sync failed or may have failed: from then on nothing is known of the appends not yet
  /// reported; the coordinator must answer nobody and stop (R12, F 5, F 6).
  struct Listener {
    std::function<void(std::vector<LogToken>)> durable;
    std::function<void(Error)> failed;
  };

  virtual ~DecisionLog() = default;

  virtual const LogOpening& opening() const = 0;

  /// Queues a record; never blocks on the disk. Forced: `token` is reported when the record, and so
  /// every one queued before it, is durable. The commit does not exist until then (R1). `now` is
  /// the host's time; the record carries the log's own, which never goes backwards.
  virtual void append_forced(Record record, WallTime now, LogToken token) = 0;
  /// Queues a record that needs no report; it becomes durable with the next forced one, or within a
  /// second.
  virtual void append(Record record, WallTime now) = 0;

  /// The coordinator begins and takes it to be `now`. How long nobody wrote only the host's clock
  /// says, so what was there before grows no older by it: nothing is removed too early because that
  /// clock was wrong (R15). Before anything is appended.
  virtual void begin_time(WallTime now) = 0;
  /// It is `now`. When the newest record is much older, the log appends one of its own: where
  /// nothing happens the log's time goes on all the same, so that what is old can go and the next
  /// opening can tell how long nobody wrote (R15). Never blocks on the disk.
  virtual void keep_time(WallTime now) = 0;

  /// What is durable about a key or a gtrid. Blocking, short. An error (a
  /// damaged block, say) is never "no record": kLogUnavailable.
  virtual Result<std::optional<Decided>> find_key(std::string_view key) = 0;
  virtual Result<std::optional<Decided>> find_gtrid(const Gtrid& gtrid) = 0;

  /// Every record of a transaction but its end, oldest first. As find_gtrid.
  virtual Result<std::vector<ToldRecord>> find_story(const Gtrid& gtrid) = 0;
  /// Commits with a branch of this participant, for a database that has lost history. Reads a
  /// bounded number of records, so that others get their turns: ask again behind `read_to`.
  virtual Result<CommitsPiece> find_commits(std::string_view participant, NumberSpan span) = 0;

  /// Records of transactions at or below it may have been removed: absence means nothing there. To
  /// be asked after a lookup. Any thread.
  virtual std::optional<Gtrid> low_water() const = 0;
  virtual LogStats stats() const = 0;  ///< any thread

  /// Copies the log as it is now, marked as a copy, into the folder `to`, which must not exist (its
  /// parent must). Any thread; blocking, as long as it takes to read and write it all, so not the
  /// thread that appends. After an error nothing is left of the copy.
  virtual Result<> back_up(const std::filesystem::path& to) = 0;
  /// Copies under way end with an error, and none begins any more. Any thread.
  virtual void end_copies() = 0;

  /// Number of the newest forced record that is durable. Any thread.
  virtual std::uint64_t top() const = 0;
};

}  // namespace assent::coordinator
