#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

/// What stands in the databases, read without Assent's help.

namespace assent::workload {

struct LedgerRow {
  std::string key;
  std::int64_t id = 0;
  std::int64_t amount = 0;
};

struct ParticipantEvidence {
  std::string participant;
  std::map<std::int64_t, std::int64_t> balances;  ///< by card
  std::vector<LedgerRow> ledger;
  std::vector<std::string> prepared;  ///< every listed prepared branch, ours or not
  std::vector<std::string> locked;    ///< rows that somebody holds, "card 17"

  std::int64_t total() const;  ///< of the balances
};

using Evidence = std::vector<ParticipantEvidence>;

/// No branch is prepared and no row is locked, anywhere.
bool is_quiet(const Evidence& evidence);

}  // namespace assent::workload
