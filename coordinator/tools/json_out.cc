#include "coordinator/tools/json_out.h"

#include <cmath>
#include <variant>
#include <vector>

#include <boost/json/serialize.hpp>

#include "coordinator/tools/base64.h"
#include "coordinator/tools/json_parts.h"

namespace assent::tools {
namespace {

namespace json = boost::json;

struct ValueToJson {
  json::value operator()(std::monostate) const { return nullptr; }
  json::value operator()(bool value) const { return value; }
  json::value operator()(std::int64_t value) const { return value; }
  json::value operator()(double value) const {
    if (std::isfinite(value)) return value;
    // JSON has no numbers for these.
    if (std::isnan(value)) return "NaN";
    return value > 0 ? "Infinity" : "-Infinity";
  }
  json::value operator()(const std::string& value) const { return text(value); }
  json::value operator()(const Bytes& value) const {
    return json::object{{"bytes", text(to_base64(value.data))}};
  }
};

json::object object_of(const StatementResult& result) {
  json::object made;
  made["rows_affected"] = result.rows_affected;
  made["columns"] = texts(result.columns);
  made["rows"] = array_of(result.rows, [](const std::vector<Value>& row) {
    return array_of(row, [](const Value& value) { return std::visit(ValueToJson{}, value); });
  });
  return made;
}

json::object object_of(const BranchSummary& branch) {
  json::object made;
  made["participant"] = text(branch.xid.bqual);
  made["xid"] = text(to_string(branch.xid));
  made["state"] = text(branch.state);
  made["tries"] = branch.tries;
  made["next_try_in_ms"] = ms(branch.next_try_in);
  made["last_error"] = value_of(branch.last_error);
  return made;
}

json::object object_of(const TransactionSummary& transaction) {
  json::object made;
  made["gtrid"] = text(to_string(transaction.gtrid));
  made["key"] = text(transaction.key);
  made["phase"] = text(transaction.phase);
  made["outcome"] = value_of(transaction.outcome);
  made["age_ms"] = ms(transaction.age);
  made["branches"] =
      array_of(transaction.branches, [](const BranchSummary& branch) { return object_of(branch); });
  made["reason"] = value_of(transaction.reason);
  return made;
}

json::object object_of(const ParticipantSummary& participant) {
  json::object made;
  made["name"] = text(participant.name);
  made["agent"] = text(participant.agent_address);
  made["connected"] = participant.connected;
  made["since_ms"] = ms(participant.since);
  made["kind"] = text(participant.kind);
  made["server_version"] = text(participant.server_version);
  made["database"] = text(participant.database_id);
  made["open_branches"] = participant.open_branches;
  made["prepared"] = participant.prepared_listed;
  made["foreign"] = participant.foreign_listed;
  made["last_scan_ago_ms"] = ms(participant.last_scan_ago);
  made["last_error"] = value_of(participant.last_error);
  made["health"] = text(participant.health);
  made["incarnation"] = participant.incarnation;
  made["prepared_max"] = participant.prepared_max;
  return made;
}

}  // namespace

std::string to_json(const Answer& answer) {
  json::object made;
  made["gtrid"] = answer.gtrid ? json::value(text(to_string(*answer.gtrid))) : nullptr;
  made["outcome"] = text(to_string(answer.outcome));
  made["applied"] = answer.applied;
  made["pending"] = texts(answer.pending);
  made["results"] =
      array_of(answer.results, [](const StatementResult& result) { return object_of(result); });
  made["error"] = value_of(answer.error);
  made["damaged"] =
      array_of(answer.damaged, [](const Damage& damage) { return object_of(damage); });
  return json::serialize(made);
}

std::string to_json(const TransactionList& list) {
  json::object made;
  made["transactions"] =
      array_of(list.transactions, [](const TransactionSummary& each) { return object_of(each); });
  made["more"] = list.more;
  return json::serialize(made);
}

std::string to_json(const ParticipantList& list) {
  json::object made;
  made["participants"] =
      array_of(list.participants, [](const ParticipantSummary& each) { return object_of(each); });
  return json::serialize(made);
}

std::string to_json(const Error& error) {
  return json::serialize(json::object{{"error", object_of(error)}});
}

}  // namespace assent::tools
