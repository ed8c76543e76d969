#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/base/time.h"
#include "protocol/message/client.h"
#include "protocol/message/statement.h"

namespace assent {

/// A whole transaction in one message: every step takes effect, or none does.
///
///     assent::Submission payment{.key = "order-8123"};
///     payment.step("points", "UPDATE card SET points = points - ? WHERE id = ?", {100, 1})
///         .expect_rows(1);
///     payment.step("payments", "UPDATE bill SET due = due - ? WHERE card_id = ?", {100, 1})
///         .expect_rows(1);
struct Submission {
  /// Words about the step that was just added.
  class Added {
   public:
    /// The transaction is rolled back (kGuardNotMet) when the step affects, or returns, another
    /// number of rows.
    Added& expect_rows(std::int64_t rows);
    /// The database refuses a write in this step. A participant all of whose steps say so needs no
    /// second phase.
    Added& read_only();
    /// On MariaDB: the step takes shared locks (INSERT .. SELECT, a subquery in a write, LOCK IN
    /// SHARE MODE).
    Added& shared_reads();

   private:
    friend struct Submission;
    Added(std::vector<Step>& steps, std::size_t index) : steps_(&steps), index_(index) {}
    Step& step() { return (*steps_)[index_]; }

    std::vector<Step>* steps_;
    std::size_t index_;
  };

  /// Idempotency key, 1 to 200 bytes: a repeat with the same key and steps gets the same outcome,
  /// for as long as outcomes are kept (72 hours unless configured). Empty: the library makes a
  /// random one, which makes its own repeats safe but not yours.
  std::string key;
  /// What "committed" waits for.
  WaitFor wait = WaitFor::kApplied;
  /// How long the call may take, connecting and sending again included; 0: that of the
  /// ClientOptions. The answer has a second more to arrive.
  Duration timeout{};
  /// Past it every submit of this key is "expired" without effect. Chosen once for each key.
  std::optional<WallTime> not_after;
  std::vector<Step> steps;

  /// Adds one SQL statement with a `?` for each parameter. Steps of one participant run in order,
  /// different participants at the same time. The Added is for use in the same expression.
  Added step(std::string participant, std::string sql, std::vector<Value> params = {});
};

}  // namespace assent
