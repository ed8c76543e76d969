// What only a person may allow: told first, done when its record is durable (HandRecord).

#include <utility>

#include "coordinator/core/coordinator.h"
#include "coordinator/core/request_rules.h"
#include "coordinator/core/wording.h"

namespace assent::coordinator {

Error Coordinator::nothing_to_allow(const std::string& why) {
  return invalid("there is nothing to allow: " + why);
}

void Coordinator::on_request(ClientRequested& asked, Allow& allow) {
  ActionTold told;
  auto plan = plan_of(allow);
  if (plan.has_error()) {
    told.refused = plan.error();
    return reply(asked.session, asked.request, std::move(told));
  }
  if (auto why = complaint_about(allow.hand)) {
    told.refused = std::move(why);
    return reply(asked.session, asked.request, std::move(told));
  }
  told.plan = std::move(*plan);
  if (!allow.hand.act) {
    told.next = command_to(allow.what, allow.participant);
    return reply(asked.session, asked.request, std::move(told));
  }
  HandRecord record;
  record.action = HandAction::kAllow;
  record.participant = allow.participant;
  record.allowance = allow.what;
  if (allow.what == Allowance::kPresume) {
    record.missing_to = missing_to_;
    record.lost_logs = lost_logs_;
    record.above = other_epoch();
  }
  record.evidence = told.plan;
  record.by = std::move(allow.hand.by);
  record.reason = std::move(allow.hand.reason);
  told.acted = true;
  const Participant* participant = find_participant(allow.participant);
  const Epoch given_up_epoch = given_up_by(record, epoch_);
  append_forced(
      std::move(record),
      Allowing{asked.session, asked.request, allow.what, allow.participant,
               participant == nullptr ? Incarnation{} : participant->history.incarnation, missing_,
               missing_to_, given_up_epoch, lost_logs_, violations(), std::move(told)});
}

Result<std::vector<std::string>> Coordinator::plan_of(const Allow& allow) const {
  switch (allow.what) {
    case Allowance::kPresume:
      return plan_presuming();
    case Allowance::kHistory:
      return plan_taking_back(allow.participant);
    case Allowance::kClock:
      return plan_trusting_clock();
    case Allowance::kViolation:
      break;
  }
  if (!frozen_) return nothing_to_allow("no violation was seen");
  return std::vector<std::string>{"new work is taken again although this was seen: " +
                                  frozen_->message};
}

void Coordinator::on_durable(const Allowing& allowing) {
  ActionTold told = allowing.told;
  note(Note::Level::kWarning,
       "allowed by hand: " + std::string(to_string(allowing.what)) +
           (allowing.participant.empty() ? "" : " participant=" + allowing.participant));
  switch (allowing.what) {
    case Allowance::kPresume:
      presume_again(allowing);
      break;
    case Allowance::kHistory:
      told.refused = take_back(allowing);
      told.acted = !told.refused;
      break;
    case Allowance::kClock:
      trust_clock();
      break;
    case Allowance::kViolation:
      allow_violations(allowing.violations);
      break;
  }
  reply(allowing.session, allowing.request, std::move(told));
}

}  // namespace assent::coordinator
