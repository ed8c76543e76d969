#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "protocol/wire/convert.h"

namespace assent {

/// Random messages that keep every limit, the same for the same seed.
class MessageGenerator {
 public:
  explicit MessageGenerator(std::uint64_t seed) : random_(seed) {}

  ToAgent to_agent();
  FromAgent from_agent();
  FromClient from_client();
  ToClient to_client();

  /// 0 .. bound - 1
  std::size_t below(std::size_t bound);
  std::string bytes(std::size_t count);

 private:
  bool coin() { return below(2) == 1; }
  std::uint64_t any_u64();
  std::uint32_t any_u32() { return static_cast<std::uint32_t>(any_u64()); }
  std::uint64_t positive_u64() { return any_u64() | 1U; }
  std::string text();
  std::string name();
  Duration duration();
  Gtrid gtrid();
  Xid xid();
  Error error();
  std::optional<Error> maybe_error();
  Value value();
  Statement statement();
  std::vector<Statement> statements();
  StatementResult result();
  std::vector<StatementResult> results();
  Step step();
  DatabaseIdentity database();
  BranchProof proof();
  Work work();
  AgentRequest agent_request();
  AgentReply agent_reply();
  PreparedList prepared_list();
  Submit submit();
  ClientRequest client_request();
  Answer answer();
  BranchSummary branch_summary();
  TransactionSummary transaction_summary();
  ParticipantSummary participant_summary();
  std::vector<BlockedSession> blocked();
  BranchSight sight();
  ForeignBranch foreign_branch();
  Damage damage();
  BranchTruth branch_truth();
  InDoubtTransaction in_doubt();
  InDoubtList in_doubt_list();
  ByHand by_hand();
  Inspect inspect();
  Inspected inspected();
  std::vector<std::string> texts();
  StoryTold story_told();
  ActionTold action_told();
  CoordinatorStatus status();
  ClientRequest admin_request();
  ClientReply admin_reply();
  ClientReply client_reply();
  Refused refused() { return {error(), any_u64(), Epoch{any_u32()}}; }

  template <typename Enum>
  Enum one_of(Enum first, Enum last) {
    const auto low = static_cast<std::size_t>(first);
    return static_cast<Enum>(low + below(static_cast<std::size_t>(last) - low + 1));
  }

  std::mt19937_64 random_;
};

}  // namespace assent
