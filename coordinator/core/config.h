#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "protocol/base/result.h"
#include "protocol/base/time.h"

/// What the core may be told. coordinator/server/options reads it from TOML and names line and key
/// of what is wrong.

namespace assent::coordinator {

struct Config {
  std::string name;                       ///< of the coordinator, as the agents know it
  std::vector<std::string> participants;  ///< configured names, each once

  std::size_t transactions_max = 10'000;  ///< live at once; one more is refused with kBusy (R14)
  std::size_t branches_per_participant_max =
      150;  ///< open at once; lowered to what the database can hold prepared
  /// An interactive transaction may open a branch at a further participant until this many have
  /// begun after it. Agents remember every branch since the oldest that may (R6), so it is to stay
  /// well below what they can remember (AgentConfig::branches_max).
  std::uint64_t late_join_max = 20'000;

  Duration default_timeout = std::chrono::seconds(5);  ///< of a submit or commit that names none
  Duration timeout_max = std::chrono::seconds(60);     ///< of any
  Duration interactive_timeout = std::chrono::seconds(30);  ///< of a begin that names none

  /// Section 9: the optimistic attempt waits this long for a lock, the ordered one that long.
  Duration optimistic_lock_wait = std::chrono::milliseconds(30);
  Duration ordered_lock_wait = std::chrono::seconds(2);

  Duration retry_min =
      std::chrono::milliseconds(20);  ///< phase two, after an answer that was not the end
  Duration retry_max = std::chrono::seconds(2);
  Duration scan_interval =
      std::chrono::seconds(5);  ///< between two looks for orphans at each participant (R2)
  Duration retention = std::chrono::hours(72);  ///< of outcomes (R15)

  /// One sentence for each violated bound; no effect.
  Result<> validate() const;
};

}  // namespace assent::coordinator
