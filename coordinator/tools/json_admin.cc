#include <boost/json/serialize.hpp>

#include "coordinator/tools/json_out.h"
#include "coordinator/tools/json_parts.h"

namespace assent::tools {
namespace {

namespace json = boost::json;

json::object object_of(const BlockedSession& session) {
  json::object made;
  made["session"] = session.session;
  made["user"] = text(session.user);
  made["query"] = text(session.query);
  made["waiting_ms"] = ms(session.waiting);
  made["lock"] = text(session.lock);
  return made;
}

json::array array_of_blocked(const std::vector<BlockedSession>& blocked) {
  return array_of(blocked, [](const BlockedSession& session) { return object_of(session); });
}

json::value value_of(const std::optional<BranchSight>& sight) {
  if (!sight) return nullptr;
  json::object made;
  made["completion"] = text(to_string(sight->completion));
  made["evidence"] = text(to_string(sight->evidence));
  made["transaction_id"] = sight->transaction_id;
  made["age_ms"] = ms(sight->age);
  made["blocks"] = array_of_blocked(sight->blocked);
  made["error"] = tools::value_of(sight->error);
  return made;
}

json::object object_of(const BranchTruth& branch) {
  json::object made;
  made["participant"] = text(branch.xid.bqual);
  made["xid"] = text(to_string(branch.xid));
  made["logged"] = text(branch.logged);
  made["state"] = text(branch.state);
  made["database"] = value_of(branch.sight);
  made["damage"] = branch.damage ? json::value(tools::object_of(*branch.damage)) : nullptr;
  made["waits_for"] = text(branch.waits_for);
  made["tries"] = branch.tries;
  made["next_try_in_ms"] = ms(branch.next_try_in);
  made["last_error"] = tools::value_of(branch.last_error);
  return made;
}

json::object object_of(const InDoubtTransaction& transaction) {
  json::object made;
  made["gtrid"] = text(to_string(transaction.gtrid));
  made["key"] = text(transaction.key);
  made["phase"] = text(transaction.phase);
  made["outcome"] = tools::value_of(transaction.outcome);
  made["age_ms"] = ms(transaction.age);
  made["branches"] =
      array_of(transaction.branches, [](const BranchTruth& branch) { return object_of(branch); });
  return made;
}

json::object object_of(const ForeignAt& foreign) {
  json::object made;
  made["participant"] = text(foreign.participant);
  made["name"] = text(foreign.branch.name);
  made["age_ms"] = ms(foreign.branch.age);
  made["blocks"] = array_of_blocked(foreign.branch.blocked);
  return made;
}

json::object object_of(const StoryLine& line) {
  json::object made;
  made["record"] = line.record;
  made["when_ms"] = line.when ? json::value(line.when->ms_since_epoch) : nullptr;
  made["what"] = text(line.what);
  return made;
}

json::object object_of(const Finding& finding) {
  json::object made;
  made["what"] = text(finding.what);
  made["at_stake"] = texts(finding.at_stake);
  made["command"] = text(finding.command);
  return made;
}

json::object object_of(const LogStats& log) {
  json::object made;
  made["oldest"] = log.oldest;
  made["newest"] = log.newest;
  made["top"] = log.top;
  made["bytes"] = log.bytes;
  made["disk_free"] = log.disk_free;
  made["log_time_ms"] = log.log_time.ms_since_epoch;
  made["low_water"] = log.low_water ? json::value(text(to_string(*log.low_water))) : nullptr;
  return made;
}

}  // namespace

std::string to_json(const InDoubtList& list) {
  json::object made;
  made["transactions"] =
      array_of(list.transactions, [](const InDoubtTransaction& each) { return object_of(each); });
  made["more"] = list.more;
  made["foreign"] = array_of(list.foreign, [](const ForeignAt& each) { return object_of(each); });
  made["unreached"] =
      array_of(list.unreached, [](const Error& error) { return tools::object_of(error); });
  return json::serialize(made);
}

std::string to_json(const StoryTold& story) {
  json::object made;
  if (story.transaction) made = object_of(*story.transaction);
  made["story"] = array_of(story.lines, [](const StoryLine& line) { return object_of(line); });
  return json::serialize(made);
}

std::string to_json(const CoordinatorStatus& status) {
  json::object made;
  made["coordinator"] = text(status.coordinator);
  made["ready"] = status.ready;
  made["draining"] = status.draining;
  made["presumes"] = status.presumes;
  made["deposed"] = text(status.deposed);
  made["live"] = status.live;
  made["in_doubt"] = status.in_doubt;
  made["damaged"] = status.damaged;
  made["holding_up"] = texts(status.holding_up);
  made["findings"] =
      array_of(status.findings, [](const Finding& finding) { return object_of(finding); });
  made["log"] = object_of(status.log);
  return json::serialize(made);
}

std::string to_json(const LogStats& log) {
  return json::serialize(object_of(log));
}

std::string to_json(const ActionTold& action) {
  json::object made;
  made["acted"] = action.acted;
  made["plan"] = texts(action.plan);
  made["evidence"] = action.evidence ? json::value(object_of(*action.evidence)) : nullptr;
  made["refused"] = tools::value_of(action.refused);
  made["next"] = text(action.next);
  return json::serialize(made);
}

}  // namespace assent::tools
