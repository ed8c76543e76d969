#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "coordinator/core/record.h"
#include "coordinator/core/recovery.h"
#include "coordinator/core/timers.h"
#include "protocol/base/result.h"
#include "protocol/base/time.h"
#include "protocol/base/xid.h"
#include "protocol/message/agent.h"
#include "protocol/message/client.h"

namespace assent::coordinator {

/// A listed branch of ours that belongs to no transaction: rolled back until proved absent (R2).
struct Orphan {
  bool told = false;  ///< on this link, and not answered yet
  std::uint32_t tries = 0;
  std::optional<Error> last_error;
};

/// A listed branch of ours that belongs to no transaction and may not be taken for an orphan now.
struct Held {
  PreparedBranch listed;
  Instant at{};  ///< when the list came
  std::string why;
};

/// What is known of the past of a participant's database (history.cc).
struct History {
  enum class State : std::uint8_t {
    kUnseen,   ///< to be looked at; no new work
    kDoubted,  ///< the newest commit tells nothing, the search and phase two will; no new work
    kGood,     ///< nothing of ours is lost
    kChanged,  ///< quarantined until a person takes it back
  };
  /// Through the log, for what was lost. What phase two still has to prove is left to it.
  struct Search {
    NumberSpan span;                      ///< behind the last commit that was found
    bool asked = false;                   ///< of the log
    std::vector<NumberedCommit> commits;  ///< found, and not told yet by the database
    bool more = false;                    ///< behind them
    bool done = false;
    bool elsewhere = false;  ///< it is another database
    std::uint64_t came_back = 0;
    std::uint64_t gone_to = 0;  ///< commits up to it may be gone unread; 0: none
    std::vector<std::string> at_stake;
  };

  State state = State::kUnseen;
  std::string why;                     ///< of kDoubted, kChanged
  std::optional<NewestCommit> newest;  ///< nullopt: none is known
  std::uint64_t by_hand = 0;           ///< number of the newest commit by hand since; 0: none
  bool newest_unfinished = false;      ///< when the Inspect under way left
  bool newest_awaited = false;         ///< was still prepared at the first look
  std::optional<Gtrid> spared;         ///< its witness row could go, were it not the newest
  Incarnation incarnation{};           ///< of the last link
  std::uint64_t fence_top_seen = 0;    ///< the highest, of welcomes and lists
  bool taken_back = false;   ///< by a person, and its fence row was told of no record since
  std::uint64_t serial = 0;  ///< of the Inspect under way; 0: none
  bool finding = false;      ///< CommitsFound is to come
  Search search;

  bool in_question() const { return state == State::kUnseen || state == State::kDoubted; }
};

/// Witness rows of ended transactions, whose ends are durable. A row goes only when the fence row
/// was told of its commit: so those above the fence row are all there, and one that isn't is lost.
struct WitnessRows {
  std::vector<Gtrid> ended;        ///< the fence row is told of their commits with the next list
  std::vector<Gtrid> being_told;   ///< with the list under way
  std::vector<Gtrid> forgettable;  ///< may go

  std::size_t size() const { return ended.size() + being_told.size() + forgettable.size(); }
};

/// One resource manager behind its agent, as the coordinator sees it.
struct Participant {
  std::string name;

  // The link.
  bool connected = false;
  std::optional<Welcome> welcome;  ///< of this link or, when not connected, of the last one
  Instant since{};                 ///< how long connected, or not
  bool tried = false;              ///< connected, refused or not reached since the opening
  std::optional<Error> last_error;

  /// Transactions with a branch here that is not proved finished.
  std::set<Gtrid> branches;
  /// Those of them that keep the agent from forgetting what it knows of them (R6). Not one that was
  /// told its end and answered without it: it gets no more work, and its next answer comes from the
  /// database whether the agent remembers it or not. One that waits for a person would else fill
  /// the agent's table.
  std::set<Gtrid> remembered;

  // What scans found (R2).
  std::uint64_t scan = 0;  ///< number of the last ListPrepared
  std::optional<Instant> scan_asked;
  std::optional<Instant> scanned;
  std::optional<Instant> next_scan;
  std::uint64_t prepared_listed = 0;
  std::uint64_t foreign_listed = 0;
  /// Finished while the list was under way: it may still show them, and they are none the less
  /// finished. The next list tells.
  std::set<Gtrid> finished_during_scan;
  std::map<Gtrid, Orphan> orphans;
  std::map<Gtrid, Error> hazards;  ///< listed, and nobody but a person may decide (R2)
  std::map<Gtrid, Held> held;
  bool look_again = false;  ///< a listed branch waits until more is known

  History history;

  WitnessRows witness_rows;

  // People's looks (looking.cc): one Inspect at a time, whoever asks.
  std::uint64_t inspect = 0;  ///< number of the one under way; 0: none
  Instant inspect_asked{};
  std::set<LookId> lookers;       ///< who waits for it
  std::set<LookId> next_lookers;  ///< who came after it was sent: it may be older than the question

  // The agent is there, its database is not: one prober for all that wait (R4).
  bool unreached = false;
  std::uint32_t probes = 0;
  std::optional<Instant> next_probe;

  Timers::Handle timer;

  /// Why nothing can be asked of it while it is not connected; without effect.
  Error no_link() const;

  std::optional<Instant> due() const;
  /// How many branches may be open at once: never more than the database can hold prepared (R14).
  std::size_t branches_max(std::size_t configured) const;
  std::string health() const;  ///< "well", or in a few words what new work waits for
  ParticipantSummary summary(Instant now) const;
};

}  // namespace assent::coordinator
