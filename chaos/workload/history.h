#pragma once

#include <cstddef>
#include <iosfwd>
#include <map>
#include <string>
#include <vector>

#include "chaos/workload/transaction.h"
#include "protocol/base/outcome.h"
#include "protocol/base/time.h"
#include "protocol/message/client.h"

/// Everything that was asked of the house, and everything it said.

namespace assent::workload {

/// One answer to one call about a key: submit, outcome_of or settle.
struct Telling {
  Instant asked;
  Instant told;
  Outcome outcome = Outcome::kUnknown;
  std::string why;  ///< the error's sentence, or empty
};

/// What the callers of one key know after all they were told.
enum class Verdict {
  kCommitted,
  kNoEffect,  ///< rolled back, or every call was refused
  kOpen,      ///< cannot be told yet: ask again
};

struct Entry {
  std::vector<Mark> marks;
  std::vector<Telling> tellings;

  Verdict verdict() const;
  /// From the first question to the last answer.
  Duration waited() const;
};

/// Of one thread; each client writes its own, `add` brings them together.
class History {
 public:
  void note(const Transaction& transaction, Instant asked, Instant told, const Answer& answer);
  /// Of a key that was noted before.
  void note(const std::string& key, Instant asked, Instant told, const Answer& answer);
  void add(const History& other);

  const std::map<std::string, Entry>& entries() const { return entries_; }
  /// Keys whose verdict is kOpen.
  std::vector<std::string> open() const;
  std::size_t count(Verdict verdict) const;
  Duration longest_wait() const;

  /// The part of it whose keys begin with `prefix`.
  History of(const std::string& prefix) const;
  /// A line of JSON for each telling: key, marks, asked_us, told_us, outcome, why.
  void write(std::ostream& out) const;

 private:
  std::map<std::string, Entry> entries_;  // by key
};

}  // namespace assent::workload
