// When nothing may be presumed: decisions are missing from the log, or another opening of it has
// taken over (design section 7, R2, R10). What the log holds goes on being driven and answered;
// what it doesn't hold is neither rolled back nor begun anew.

#include <algorithm>
#include <limits>
#include <utility>

#include "coordinator/core/coordinator.h"
#include "coordinator/core/request_rules.h"
#include "coordinator/core/wording.h"
#include "protocol/base/mutant.h"

namespace assent::coordinator {
namespace {

/// So long after the opening an orphan of an earlier one may be kept, and a key that the log does
/// not know be unknown, until every participant has been tried: the one that knows of missing
/// decisions may be the last to answer.
constexpr Duration kTriedWithin = std::chrono::seconds(5);
/// Of another opening: above it there is room for thousands.
constexpr Epoch kEpochMax{4'000'000'000};

}  // namespace

bool Coordinator::presumes() const {
  return !deposed_ && missing_.empty();
}

std::optional<Error> Coordinator::why_not_presume() const {
  if (deposed_) return deposed_;
  if (missing_.empty()) return std::nullopt;
  std::string message = "decisions may be missing from the log: " + missing_.front();
  if (missing_.size() > 1) {
    message += " (and " + std::to_string(missing_.size() - 1) + " more: see `assentctl status`)";
  }
  return Error{.code = ErrorCode::kLogUnavailable,
               .effect = assent::Effect::kNone,
               .message = message + "; to go on without them: " + command_to(Allowance::kPresume)};
}

// ---------------------------------------------------------------- how it is found out

void Coordinator::tried(Participant& participant) {
  if (std::exchange(participant.tried, true) || !all_tried()) return;
  for (auto& [name, other] : participants_) look_again(other);
}

bool Coordinator::all_tried() const {
  return std::all_of(participants_.begin(), participants_.end(),
                     [](const auto& entry) { return entry.second.tried; });
}

bool Coordinator::awaits_fences() const {
  return !all_tried() && now_.steady < opened_ + kTriedWithin;
}

/// A database whose fence row was told of more than our log holds of that opening knows of
/// decisions that are missing; one that has seen another opening will obey only that (R10).
void Coordinator::on_fenced(const Participant& participant, const Error& why, FenceTold fence) {
  if (fence.top == 0) return depose(participant, why, fence.epoch);
  if (fence.top <= given_up_to_ || fence.top <= missing_to_) return;  // of a hello sent before
  record_loss({"participant " + participant.name + " was told of record " +
                   std::to_string(fence.top) + ", which this log does not hold",
               fence.top});
}

/// What the log that this coordinator had before, or should have been given, has decided may have
/// been told.
void Coordinator::notice_other_logs(const Participant& participant) {
  for (const OtherLog& other : participant.welcome->other_logs) {
    other_logs_.insert(other.log_id);
    if (other.top == 0) continue;  // it never took any work there
    miss_log(other.log_id, "participant " + participant.name + " was told of record " +
                               std::to_string(other.top) + " by " + other_log_text(other.log_id) +
                               ", and this one is log " + to_string(log_id_));
  }
}

void Coordinator::miss_log(LogId log_id, const std::string& what) {
  if (given_up_logs_.contains(log_id)) return;
  lost_logs_.insert(log_id);
  miss(what, 0);
}

/// A connected participant has branches of the logs only that its fence rows know.
bool Coordinator::may_have(const Participant& participant, LogId log_id) const {
  if (log_id == log_id_) return true;
  const auto& others = participant.welcome->other_logs;
  return std::any_of(others.begin(), others.end(),
                     [log_id](const OtherLog& other) { return other.log_id == log_id; });
}

bool Coordinator::is_ours(LogId log_id) const {
  return log_id == log_id_ || other_logs_.contains(log_id);
}

void Coordinator::depose(const Participant& participant, const Error& why, Epoch by) {
  deposed_by_epoch_ = std::max(deposed_by_epoch_, by);
  if (deposed_) return;
  deposed_by_ = "another opening of its log, which participant " + participant.name +
                " obeys: " + why.message + "; this one has epoch " +
                std::to_string(static_cast<std::uint32_t>(epoch_)) +
                ". End the one that should not be there. If that is the other one, give up what it "
                "has decided: " +
                command_to(Allowance::kPresume) + "; then start this one again";
  deposed_ = Error{.code = ErrorCode::kFenced,
                   .effect = assent::Effect::kNone,
                   .message = "the coordinator is deposed by " + deposed_by_,
                   .participant = participant.name};
  note(Note::Level::kError, deposed_->message);
  stop_presuming();
}

/// Whoever showed it may be let in, or gone, before anybody has acted: also the next openings know.
void Coordinator::record_loss(LossRecord loss) {
  if (!miss(loss.what, loss.missing_to)) return;
  effects_.push_back(AppendUnforced{std::move(loss)});
}

/// False: it was known.
bool Coordinator::miss(const std::string& what, std::uint64_t to) {
  if (mutant("a loss is passed over")) return false;
  missing_to_ = std::max(missing_to_, to);
  if (std::find(missing_.begin(), missing_.end(), what) != missing_.end()) return false;
  // In order, whoever is heard first: people compare.
  missing_.insert(std::upper_bound(missing_.begin(), missing_.end(), what), what);
  ends_missing_below_ = std::numeric_limits<std::uint64_t>::max();
  note(Note::Level::kError, "nothing is presumed: " + why_not_presume()->message);
  stop_presuming();
  return true;
}

/// What was begun in the belief that its key is new may have been committed before, and what was
/// taken for an orphan may have been decided. No rollback that has not left yet leaves any more.
void Coordinator::stop_presuming() {
  for (auto& [name, participant] : participants_) participant.orphans.clear();
  const Error why = *why_not_presume();
  std::vector<Gtrid> undecided;
  for (const auto& [gtrid, tx] : transactions_) {
    if (tx.undecided()) undecided.push_back(gtrid);
  }
  for (const Gtrid& gtrid : undecided) {
    Transaction& tx = *find(gtrid);
    decide_rollback(tx, why);
    drive(tx);
  }
}

// ---------------------------------------------------------------- branches that nobody knows

/// In neither table nor log. An orphan, if that may be presumed (R2).
void Coordinator::on_unknown_branch(Participant& participant, const PreparedBranch& listed) {
  const Gtrid& gtrid = listed.xid.gtrid;
  if (gtrid.log_id != log_id_) {
    const std::string of = other_log_text(gtrid.log_id);
    if (!lost_logs_.contains(gtrid.log_id)) {
      miss_log(gtrid.log_id, "participant " + participant.name +
                                 " holds xid=" + to_string(listed.xid) + ", prepared for " + of +
                                 ", and this one is log " + to_string(log_id_));
    }
    return hold(participant, listed, "its decision, if there is one, is in " + of);
  }
  const bool first = gtrid.epoch < epoch_ && awaits_fences();
  if (presumes() && (first || participant.history.in_question())) {
    participant.look_again = true;
    return;
  }
  const bool changed = participant.history.state == History::State::kChanged;
  if (gtrid >= next_gtrid() && !changed && !participant.held.contains(gtrid)) {
    record_loss(
        {"participant " + participant.name +
             " holds prepared branches whose gtrids no opening that this log knows has given",
         0});
  }
  if (const auto why = why_not_orphan(participant, gtrid)) return hold(participant, listed, *why);
  participant.held.erase(gtrid);
  roll_back_orphan(participant, gtrid);
}

std::optional<std::string> Coordinator::why_not_orphan(const Participant& participant,
                                                       const Gtrid& gtrid) const {
  if (deposed_) return "another opening of this log has taken over and may have decided it";
  if (!missing_.empty()) return "its decision may be among those that are missing from the log";
  if (given_up(gtrid)) return "its decision may be among those that were given up";
  if (participant.history.state == History::State::kChanged) {
    return "the history of its database changed";
  }
  return std::nullopt;
}

/// Its decision may be in what a person has given up: from then on only a person can end it.
bool Coordinator::given_up(const Gtrid& gtrid) const {
  if (mutant("what was given up is presumed")) return false;
  if (gtrid.log_id != log_id_) return given_up_logs_.contains(gtrid.log_id);
  return gtrid.epoch <= given_up_epoch_;
}

/// An opening that was given up may have given the gtrid to a transaction of its own, and committed
/// that. So a recorded rollback of a key says nothing of a branch that is listed under it. One by
/// hand, which has no key, is about that branch.
bool Coordinator::may_be_of_another(const Decided& decided) const {
  const auto* rollback = std::get_if<RollbackRecord>(&decided.record);
  return rollback != nullptr && !rollback->key.empty() && given_up(rollback->gtrid);
}

bool Coordinator::is_of_this_opening(const Gtrid& gtrid) const {
  return gtrid.log_id == log_id_ && gtrid.epoch == epoch_ && gtrid < next_gtrid();
}

/// The highest that is known of an opening that is not in this log. 0: none is.
Epoch Coordinator::other_epoch() const {
  Epoch epoch = deposed_by_epoch_;
  for (const auto& [name, participant] : participants_) {
    for (const auto& [gtrid, held] : participant.held) {
      if (gtrid.log_id == log_id_ && gtrid >= next_gtrid()) epoch = std::max(epoch, gtrid.epoch);
    }
  }
  return epoch;
}

void Coordinator::hold(Participant& participant, const PreparedBranch& listed,
                       const std::string& why) {
  const bool added = !participant.held.contains(listed.xid.gtrid);
  participant.held[listed.xid.gtrid] = {listed, now_.steady, why};
  if (!added) return;
  note(Note::Level::kError,
       "xid=" + to_string(listed.xid) + " hazard: prepared and in doubt: " + why);
}

void Coordinator::look_again(Participant& participant) {
  if (!std::exchange(participant.look_again, false) || !participant.connected) return;
  ask_list(participant);
  reschedule(participant);
}

// ---------------------------------------------------------------- keys that nobody knows

/// A database that has not been heard yet may know of a decision that is missing.
std::optional<Error> Coordinator::why_key_unknown() const {
  if (auto why = why_not_presume()) return why;
  if (!awaits_fences()) return std::nullopt;
  return Error{.code = ErrorCode::kParticipantUnavailable,
               .effect = assent::Effect::kNone,
               .message =
                   "the coordinator has just started, and not every database has told yet "
                   "whether decisions are missing from the log: ask again"};
}

/// It may have been committed under a decision that is missing: neither "no record" nor a new
/// transaction.
Answer Coordinator::unknown_key(const Error& why) {
  Answer answer;
  answer.outcome = Outcome::kUnknown;
  answer.error = why;
  answer.error->effect = assent::Effect::kUnknown;
  return answer;
}

// ---------------------------------------------------------------- going on all the same

/// Another opening is given up, which has taken over or has given gtrids that are none of ours.
Result<std::vector<std::string>> Coordinator::plan_outliving() const {
  const Epoch other = other_epoch();
  if (other == Epoch{}) {
    Error not_told = *deposed_;
    not_told.message =
        "no participant has told yet which epoch the other opening has: ask again when `assentctl "
        "participants` shows one that refuses the hello as fenced";
    return not_told;
  }
  const std::string epoch = std::to_string(static_cast<std::uint32_t>(other));
  if (other > kEpochMax) {
    return invalid("a branch of epoch " + epoch +
                   " is listed, and there is hardly one above it: whoever has prepared it, end it "
                   "in its database first");
  }
  std::vector<std::string> plan;
  plan.push_back("another opening, of epoch " + epoch +
                 ", is given up with all that it has decided: end it first. This coordinator goes "
                 "on above that epoch once it is started again, and presumes nothing before");
  for (const auto& [name, participant] : participants_) {
    if (participant.last_error && participant.last_error->code == ErrorCode::kFenced) {
      plan.push_back("participant " + name +
                     " may have been told of such decisions: " + participant.last_error->message);
    }
  }
  return plan;
}

/// A sentence for each thing that is given up. Nothing may be presumed beside another opening: the
/// next one, which begins above it, does.
Result<std::vector<std::string>> Coordinator::plan_presuming() const {
  if (!deposed_ && missing_.empty()) {
    return nothing_to_allow("nothing is known to be missing from the log");
  }
  std::vector<std::string> plan = missing_;
  if (deposed_ || other_epoch() != Epoch{}) {
    auto other = plan_outliving();
    if (!other) return std::move(other).error();
    plan.insert(plan.end(), other->begin(), other->end());
  }
  plan.emplace_back(
      "keys that the log does not know are taken for new ones from then on: ask the callers which "
      "of theirs were answered");
  plan.emplace_back(
      "what is prepared, and of which the log knows no decision, stays so until it is resolved: "
      "its decision may be among what is given up");
  for (const auto& [name, participant] : participants_) {
    if (!participant.connected) {
      plan.push_back("participant " + name +
                     " is not connected: what it holds prepared is not known");
    }
    if (participant.history.state == History::State::kChanged) continue;  // held for that
    for (const auto& [gtrid, held] : participant.held) {
      const std::string prepared = prepared_text(held.listed, now_.steady - held.at);
      add_stake(plan, prepared + (is_of_this_opening(gtrid) ? " is rolled back"
                                                            : ": " + command_to_resolve(gtrid)));
    }
  }
  return plan;
}

/// What was found after the person had asked is not allowed by it.
void Coordinator::presume_again(const Allowing& allowing) {
  if (deposed_ || allowing.given_up_epoch >= epoch_) return;  // until the next opening
  const auto& given_up = allowing.missing;
  std::erase_if(missing_, [&given_up](const std::string& what) {
    return std::find(given_up.begin(), given_up.end(), what) != given_up.end();
  });
  given_up_to_ = std::max(given_up_to_, allowing.missing_to);
  given_up_epoch_ = std::max(given_up_epoch_, allowing.given_up_epoch);
  given_up_logs_.insert(allowing.lost_logs.begin(), allowing.lost_logs.end());
  std::erase_if(lost_logs_, [this](LogId lost) { return given_up_logs_.contains(lost); });
  if (missing_.empty()) missing_to_ = 0;
  for (auto& [name, participant] : participants_) {
    participant.look_again = true;
    look_again(participant);
  }
}

}  // namespace assent::coordinator
