#include "protocol/wire/convert_admin.h"

#include "protocol/proto/admin.pb.h"
#include "protocol/wire/convert_common.h"
#include "protocol/wire/utf8.h"

namespace assent::wire {
namespace {

using wire::put;  // those of this namespace would hide them
using wire::take;

constexpr std::size_t kPathBytesMax = 4096;

std::string take_sentence(const std::string& text, const Place& here) {
  return take_text(text, kErrorTextBytesMax, Empty::kAllowed, here);
}

std::string take_participant_or_none(const std::string& name, const Place& here) {
  return name.empty() ? name : take_participant_name(name, here);
}

// ---- what is told of a branch

void put(const BlockedSession& from, v1::BlockedSession& to) {
  to.set_session(from.session);
  to.set_user(made_utf8(from.user, kShortTextBytesMax));
  to.set_query(made_utf8(from.query, kShortTextBytesMax));
  to.set_waiting_us(clamped_us(from.waiting));
  to.set_lock(made_utf8(from.lock, kShortTextBytesMax));
}

BlockedSession take(const v1::BlockedSession& from, const Place& here) {
  BlockedSession to;
  to.session = from.session();
  to.user = take_short_text(from.user(), here.in("user"));
  to.query = take_short_text(from.query(), here.in("query"));
  to.waiting = take_duration(from.waiting_us(), here.in("waiting_us"));
  to.lock = take_short_text(from.lock(), here.in("lock"));
  return to;
}

void put(const BranchTruth& from, v1::BranchTruth& to) {
  put(from.xid, *to.mutable_xid());
  to.set_logged(made_utf8(from.logged, kShortTextBytesMax));
  to.set_state(made_utf8(from.state, kShortTextBytesMax));
  if (from.sight) put(*from.sight, *to.mutable_sight());
  if (from.damage) put(*from.damage, *to.mutable_damage());
  to.set_waits_for(made_utf8(from.waits_for, kErrorTextBytesMax));
  if (from.last_error) put(*from.last_error, *to.mutable_last_error());
  to.set_tries(from.tries);
  to.set_next_try_in_us(clamped_us(from.next_try_in));
}

BranchTruth take(const v1::BranchTruth& from, const Place& here) {
  BranchTruth to;
  to.xid = take(from.xid(), here.in("xid"));
  to.logged = take_short_text(from.logged(), here.in("logged"));
  to.state = take_short_text(from.state(), here.in("state"));
  if (from.has_sight()) to.sight = take(from.sight(), here.in("sight"));
  if (from.has_damage()) to.damage = take(from.damage(), here.in("damage"));
  to.waits_for = take_sentence(from.waits_for(), here.in("waits_for"));
  if (from.has_last_error()) to.last_error = take(from.last_error(), here.in("last_error"));
  to.tries = from.tries();
  to.next_try_in = take_duration(from.next_try_in_us(), here.in("next_try_in_us"));
  return to;
}

void put(const InDoubtTransaction& from, v1::InDoubtTransaction& to) {
  put(from.gtrid, *to.mutable_gtrid());
  to.set_key(from.key);
  to.set_phase(made_utf8(from.phase, kShortTextBytesMax));
  if (from.outcome) to.set_outcome(static_cast<v1::Outcome>(*from.outcome));
  to.set_age_us(clamped_us(from.age));
  for (const auto& branch : from.branches) put(branch, *to.add_branches());
}

InDoubtTransaction take(const v1::InDoubtTransaction& from, const Place& here) {
  InDoubtTransaction to;
  to.gtrid = take(from.gtrid(), here.in("gtrid"));
  to.key = take_key(from.key(), Empty::kAllowed, here.in("key"));
  to.phase = take_short_text(from.phase(), here.in("phase"));
  if (from.has_outcome()) {
    to.outcome =
        take_enum(from.outcome(), Outcome::kCommitted, Outcome::kNoRecord, here.in("outcome"));
  }
  to.age = take_duration(from.age_us(), here.in("age_us"));
  to.branches = take_each<BranchTruth>(from.branches(), "branches", here, kListedMax, take);
  return to;
}

// ---- requests

Duration take_patience(std::int64_t us, const Place& here) {
  const Duration to = take_duration(us, here);
  if (to > kPatienceMax) here.refuse("is more than a minute");
  return to;
}

void put(const ByHand& from, v1::ByHand& to) {
  to.set_by(from.by);
  to.set_reason(from.reason);
  to.set_act(from.act);
}

ByHand take(const v1::ByHand& from, const Place& here) {
  const Empty empty = from.act() ? Empty::kRefused : Empty::kAllowed;
  ByHand to;
  to.by = take_text(from.by(), kShortTextBytesMax, empty, here.in("by"));
  to.reason = take_text(from.reason(), kReasonBytesMax, empty, here.in("reason"));
  to.act = from.act();
  return to;
}

// ---- replies

StoryLine take(const v1::StoryLine& from, const Place& here) {
  StoryLine to;
  to.record = from.record();
  if (from.has_when_ms()) to.when = WallTime{from.when_ms()};
  to.what = take_sentence(from.what(), here.in("what"));
  return to;
}

ForeignAt take(const v1::ForeignAt& from, const Place& here) {
  return {take_participant_name(from.participant(), here.in("participant")),
          take(from.branch(), here.in("branch"))};
}

void put(const Finding& from, v1::Finding& to) {
  to.set_what(made_utf8(from.what, kErrorTextBytesMax));
  for (const auto& one : from.at_stake) to.add_at_stake(made_utf8(one, kErrorTextBytesMax));
  to.set_command(made_utf8(from.command, kErrorTextBytesMax));
}

Finding take(const v1::Finding& from, const Place& here) {
  Finding to;
  to.what = take_sentence(from.what(), here.in("what"));
  to.at_stake =
      take_each<std::string>(from.at_stake(), "at_stake", here, kListedMax, take_sentence);
  to.command = take_sentence(from.command(), here.in("command"));
  return to;
}

void put(const LogStats& from, v1::LogStats& to) {
  to.set_newest(from.newest);
  to.set_top(from.top);
  to.set_oldest(from.oldest);
  to.set_bytes_on_disk(from.bytes);
  to.set_disk_free(from.disk_free);
  to.set_log_time_ms(from.log_time.ms_since_epoch);
  if (from.low_water) put(*from.low_water, *to.mutable_low_water());
}

LogStats take(const v1::LogStats& from, const Place& here) {
  LogStats to;
  to.newest = from.newest();
  to.top = from.top();
  to.oldest = from.oldest();
  to.bytes = from.bytes_on_disk();
  to.disk_free = from.disk_free();
  to.log_time = WallTime{from.log_time_ms()};
  if (from.has_low_water()) to.low_water = take(from.low_water(), here.in("low_water"));
  return to;
}

}  // namespace

void put(const BranchSight& from, v1::BranchSight& to) {
  put(from.xid, *to.mutable_xid());
  to.set_completion(static_cast<v1::Completion>(from.completion));
  to.set_evidence(static_cast<v1::Evidence>(from.evidence));
  to.set_transaction_id(from.transaction_id);
  to.set_age_us(clamped_us(from.age));
  for (const auto& session : from.blocked) put(session, *to.add_blocked());
  if (from.error) put(*from.error, *to.mutable_error());
}

BranchSight take(const v1::BranchSight& from, const Place& here) {
  BranchSight to;
  to.xid = take(from.xid(), here.in("xid"));
  to.completion = take_enum(from.completion(), Completion::kCommitted, Completion::kUnreached,
                            here.in("completion"));
  to.evidence =
      take_enum(from.evidence(), Evidence::kNone, Evidence::kNeverPrepared, here.in("evidence"));
  to.transaction_id = from.transaction_id();
  to.age = take_duration(from.age_us(), here.in("age_us"));
  to.blocked = take_each<BlockedSession>(from.blocked(), "blocked", here, kBlockedMax, take);
  if (from.has_error()) to.error = take(from.error(), here.in("error"));
  return to;
}

void put(const ForeignBranch& from, v1::ForeignBranch& to) {
  to.set_name(made_utf8(from.name, kShortTextBytesMax));
  to.set_age_us(clamped_us(from.age));
  for (const auto& session : from.blocked) put(session, *to.add_blocked());
}

ForeignBranch take(const v1::ForeignBranch& from, const Place& here) {
  ForeignBranch to;
  to.name = take_short_text(from.name(), here.in("name"));
  to.age = take_duration(from.age_us(), here.in("age_us"));
  to.blocked = take_each<BlockedSession>(from.blocked(), "blocked", here, kBlockedMax, take);
  return to;
}

void put(const Damage& from, v1::Damage& to) {
  to.set_participant(from.participant);
  to.set_heuristic(static_cast<v1::Heuristic>(from.heuristic));
  to.set_detail(made_utf8(from.detail, kErrorTextBytesMax));
}

Damage take(const v1::Damage& from, const Place& here) {
  Damage to;
  to.participant = take_participant_name(from.participant(), here.in("participant"));
  to.heuristic =
      take_enum(from.heuristic(), Heuristic::kCommitted, Heuristic::kHazard, here.in("heuristic"));
  to.detail = take_sentence(from.detail(), here.in("detail"));
  return to;
}

void put(const ListInDoubt& from, v1::ListInDoubt& to) {
  to.set_patience_us(from.patience.count());
}

ListInDoubt take(const v1::ListInDoubt& from, const Place& here) {
  return {take_patience(from.patience_us(), here.in("patience_us"))};
}

void put(const TellStory& from, v1::TellStory& to) {
  put(from.gtrid, *to.mutable_gtrid());
  to.set_patience_us(from.patience.count());
}

TellStory take(const v1::TellStory& from, const Place& here) {
  return {take(from.gtrid(), here.in("gtrid")),
          take_patience(from.patience_us(), here.in("patience_us"))};
}

void put(const ResolveTransaction& from, v1::ResolveTransaction& to) {
  put(from.gtrid, *to.mutable_gtrid());
  to.set_decision(static_cast<v1::Decision>(from.decision));
  to.set_participant(from.participant);
  for (const auto& name : from.despite) to.add_despite(name);
  put(from.hand, *to.mutable_hand());
}

ResolveTransaction take(const v1::ResolveTransaction& from, const Place& here) {
  ResolveTransaction to;
  to.gtrid = take(from.gtrid(), here.in("gtrid"));
  to.decision =
      take_enum(from.decision(), Decision::kCommit, Decision::kRollback, here.in("decision"));
  to.participant = take_participant_or_none(from.participant(), here.in("participant"));
  to.despite =
      take_each<std::string>(from.despite(), "despite", here, kListedMax, take_participant_name);
  to.hand = take(from.hand(), here.in("hand"));
  return to;
}

void put(const ForgetDamage& from, v1::ForgetDamage& to) {
  put(from.gtrid, *to.mutable_gtrid());
  to.set_participant(from.participant);
  put(from.hand, *to.mutable_hand());
}

ForgetDamage take(const v1::ForgetDamage& from, const Place& here) {
  return {take(from.gtrid(), here.in("gtrid")),
          take_participant_or_none(from.participant(), here.in("participant")),
          take(from.hand(), here.in("hand"))};
}

void put(const Allow& from, v1::Allow& to) {
  to.set_what(static_cast<v1::Allowance>(from.what));
  to.set_participant(from.participant);
  put(from.hand, *to.mutable_hand());
}

Allow take(const v1::Allow& from, const Place& here) {
  Allow to;
  to.what = take_enum(from.what(), Allowance::kPresume, Allowance::kViolation, here.in("what"));
  to.participant = take_participant_or_none(from.participant(), here.in("participant"));
  to.hand = take(from.hand(), here.in("hand"));
  return to;
}

BackUpLog take(const v1::BackUpLog& from, const Place& here) {
  BackUpLog to;
  to.path = take_text(from.path(), kPathBytesMax, Empty::kRefused, here.in("path"));
  if (!to.path.starts_with('/')) here.in("path").refuse("is not an absolute path");
  if (to.path.find('\0') != std::string::npos) here.in("path").refuse("holds a zero byte");
  return to;
}

void put(const InDoubtList& from, v1::InDoubtList& to) {
  for (const auto& transaction : from.transactions) put(transaction, *to.add_transactions());
  to.set_more(from.more);
  for (const auto& each : from.foreign) {
    v1::ForeignAt& out = *to.add_foreign();
    out.set_participant(each.participant);
    put(each.branch, *out.mutable_branch());
  }
  for (const auto& error : from.unreached) put(error, *to.add_unreached());
}

InDoubtList take(const v1::InDoubtList& from, const Place& here) {
  InDoubtList to;
  to.transactions =
      take_each<InDoubtTransaction>(from.transactions(), "transactions", here, kListedMax, take);
  to.more = from.more();
  to.foreign = take_each<ForeignAt>(from.foreign(), "foreign", here, kListedMax, take);
  to.unreached = take_each<Error>(from.unreached(), "unreached", here, kListedMax, take);
  return to;
}

void put(const StoryTold& from, v1::StoryTold& to) {
  if (from.transaction) put(*from.transaction, *to.mutable_transaction());
  for (const auto& line : from.lines) {
    v1::StoryLine& out = *to.add_lines();
    out.set_record(line.record);
    if (line.when) out.set_when_ms(line.when->ms_since_epoch);
    out.set_what(made_utf8(line.what, kErrorTextBytesMax));
  }
}

StoryTold take(const v1::StoryTold& from, const Place& here) {
  StoryTold to;
  if (from.has_transaction()) to.transaction = take(from.transaction(), here.in("transaction"));
  to.lines = take_each<StoryLine>(from.lines(), "lines", here, kListedMax, take);
  return to;
}

void put(const ActionTold& from, v1::ActionTold& to) {
  to.set_acted(from.acted);
  for (const auto& sentence : from.plan) to.add_plan(made_utf8(sentence, kErrorTextBytesMax));
  if (from.evidence) put(*from.evidence, *to.mutable_evidence());
  if (from.refused) put(*from.refused, *to.mutable_refused());
  to.set_next(made_utf8(from.next, kErrorTextBytesMax));
}

ActionTold take(const v1::ActionTold& from, const Place& here) {
  ActionTold to;
  to.acted = from.acted();
  to.plan = take_each<std::string>(from.plan(), "plan", here, kListedMax, take_sentence);
  if (from.has_evidence()) to.evidence = take(from.evidence(), here.in("evidence"));
  if (from.has_refused()) {
    to.refused = take(from.refused(), here.in("refused"));
    if (to.acted) here.in("refused").refuse("stands beside acted");
  }
  to.next = take_sentence(from.next(), here.in("next"));
  return to;
}

void put(const CoordinatorStatus& from, v1::CoordinatorStatus& to) {
  to.set_coordinator(from.coordinator);
  to.set_ready(from.ready);
  to.set_draining(from.draining);
  to.set_presumes(from.presumes);
  to.set_live(from.live);
  to.set_in_doubt(from.in_doubt);
  to.set_damaged(from.damaged);
  for (const auto& one : from.holding_up) to.add_holding_up(made_utf8(one, kErrorTextBytesMax));
  for (const auto& finding : from.findings) put(finding, *to.add_findings());
  put(from.log, *to.mutable_log());
  to.set_deposed(made_utf8(from.deposed, kErrorTextBytesMax));
}

CoordinatorStatus take(const v1::CoordinatorStatus& from, const Place& here) {
  CoordinatorStatus to;
  to.coordinator = take_short_text(from.coordinator(), here.in("coordinator"));
  to.ready = from.ready();
  to.draining = from.draining();
  to.presumes = from.presumes();
  to.live = from.live();
  to.in_doubt = from.in_doubt();
  to.damaged = from.damaged();
  to.holding_up =
      take_each<std::string>(from.holding_up(), "holding_up", here, kListedMax, take_sentence);
  to.findings = take_each<Finding>(from.findings(), "findings", here, kListedMax, take);
  to.log = take(from.log(), here.in("log"));
  to.deposed = take_sentence(from.deposed(), here.in("deposed"));
  return to;
}

}  // namespace assent::wire
