#pragma once

#include <cstdint>

#include "participant_agents/rm/resource_manager.h"

namespace assent::rm {

/// An agent's hold on its database, until the session that holds the lock ends: in between nobody
/// can put another one in its place.
struct Takeover {
  SessionId control{};       ///< the session that holds the lock
  std::uint64_t number = 0;  ///< what take_control drew; in the proof of every vote
};

/// 63 bits, never 0: a bigint that no other takeover has drawn.
std::uint64_t draw_takeover();

}  // namespace assent::rm
