#pragma once

#include <utility>

#include "coordinator/core/coordinator.h"

/// Coordinator::send, for the files that use it.

namespace assent::coordinator {

template <typename Body>
void Coordinator::send(Participant& participant, Body body) {
  effects_.push_back(SendToAgent{
      participant.name,
      {participant.welcome->incarnation, lowest_unfinished(participant), std::move(body)}});
}

}  // namespace assent::coordinator
