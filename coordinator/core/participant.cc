#include "coordinator/core/participant.h"

#include <algorithm>

namespace assent::coordinator {

std::optional<Instant> Participant::due() const {
  if (!connected) return std::nullopt;
  if (next_scan && next_probe) return std::min(*next_scan, *next_probe);
  return next_scan ? next_scan : next_probe;
}

Error Participant::no_link() const {
  Error why{.code = ErrorCode::kParticipantUnavailable,
            .effect = assent::Effect::kNone,
            .message = "no link to the participant's agent",
            .participant = name};
  if (last_error) why.message += ": " + last_error->message;
  return why;
}

std::size_t Participant::branches_max(std::size_t configured) const {
  if (!welcome || welcome->prepared_max == 0) return configured;
  return std::min<std::size_t>(configured, welcome->prepared_max);
}

std::string Participant::health() const {
  if (!connected) return "no link";
  if (history.state == History::State::kChanged) return "history changed";
  if (unreached) return "database not reached";
  if (history.in_question()) return "history being looked at";
  if (!scanned) return "first scan under way";
  return std::string(kWell);
}

ParticipantSummary Participant::summary(Instant now) const {
  ParticipantSummary out;
  out.name = name;
  out.connected = connected;
  if (welcome) {
    out.kind = welcome->kind;
    out.server_version = welcome->server_version;
    out.database_id = welcome->database.id;
    out.incarnation = static_cast<std::uint64_t>(welcome->incarnation);
    out.prepared_max = welcome->prepared_max;
  }
  out.since = now - since;
  out.open_branches = branches.size();
  out.prepared_listed = prepared_listed;
  out.foreign_listed = foreign_listed;
  if (scanned) out.last_scan_ago = std::max(now - *scanned, Duration{1});
  out.last_error = last_error;
  out.health = health();
  return out;
}

}  // namespace assent::coordinator
