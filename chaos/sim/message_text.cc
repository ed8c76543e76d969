#include "chaos/sim/message_text.h"

#include <variant>

#include "protocol/base/outcome.h"

namespace assent::sim {
namespace {

std::string with_error(std::string text, const std::optional<Error>& error) {
  return error ? text + " (" + error->message + ")" : text;
}

struct RequestText {
  std::string operator()(const Work& work) const {
    const char* then = work.then == AfterWork::kPrepare ? " and prepare " : " ";
    return "work from " + std::to_string(work.first_index) + then + to_string(work.xid);
  }
  std::string operator()(const Prepare& prepare) const {
    return "prepare " + to_string(prepare.xid);
  }
  std::string operator()(const Commit& commit) const { return "commit " + to_string(commit.xid); }
  std::string operator()(const Rollback& rollback) const {
    return "rollback " + to_string(rollback.xid);
  }
  std::string operator()(const ListPrepared& list) const {
    return "list, log top " + std::to_string(list.log_top);
  }
  std::string operator()(const ForgetWitnesses& forget) const {
    return "forget " + std::to_string(forget.gtrids.size()) + " witness rows";
  }
  std::string operator()(const Inspect& /*inspect*/) const { return "inspect"; }
  std::string operator()(const Ping& /*ping*/) const { return "ping"; }
};

struct ReplyText {
  std::string operator()(const Worked& worked) const {
    return with_error("worked " + to_string(worked.xid), worked.error);
  }
  std::string operator()(const Voted& voted) const {
    return with_error(std::string(to_string(voted.vote)) + " " + to_string(voted.xid), voted.error);
  }
  std::string operator()(const Finished& finished) const {
    return with_error(std::string(to_string(finished.completion)) + " by " +
                          std::string(to_string(finished.evidence)) + " " + to_string(finished.xid),
                      finished.error);
  }
  std::string operator()(const PreparedList& list) const {
    return with_error("lists " + std::to_string(list.branches.size()) + " prepared", list.error);
  }
  std::string operator()(const Inspected& inspected) const {
    return with_error("has looked", inspected.error);
  }
  std::string operator()(const Pong& /*pong*/) const { return "pong"; }
};

}  // namespace

std::string text_of(const AgentRequest& request) {
  return std::visit(RequestText{}, request.body);
}

std::string text_of(const AgentReply& reply) {
  return std::visit(ReplyText{}, reply.body);
}

Xid xid_in(const std::string& sentence) {
  const std::size_t end = sentence.find(' ');
  const std::size_t slash = sentence.find('/');
  const auto gtrid = parse_gtrid(sentence.substr(4, slash - 4));
  return {gtrid.value(), sentence.substr(slash + 1, end - slash - 1)};
}

}  // namespace assent::sim
