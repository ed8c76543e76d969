#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

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

/// One resource manager behind its agent, as the coordinator sees it.
struct Participant {
  std::string name;

  // The link.
  bool connected = false;
  std::optional<Welcome> welcome;  ///< of this link or, when not connected, of the last one
  Instant since{};                 ///< how long connected, or not
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

  /// Witness rows that may go: the ends are durable.
  std::vector<Gtrid> forgettable;

  // The agent is there, its database is not: one prober for all that wait (R4).
  bool unreached = false;
  std::uint32_t probes = 0;
  std::optional<Instant> next_probe;

  Timers::Handle timer;

  std::optional<Instant> due() const;
  /// How many branches may be open at once: never more than the database can hold prepared (R14).
  std::size_t branches_max(std::size_t configured) const;
  ParticipantSummary summary(Instant now) const;
};

}  // namespace assent::coordinator
