#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "participant_agents/rm/odbc.h"
#include "participant_agents/rm/resource_manager.h"
#include "participant_agents/rm/xa_codes.h"
#include "protocol/base/result.h"

namespace assent::rm {

struct PinnedOption {
  std::string_view keyword;
  std::string_view value;
};

using Row = std::vector<Value>;

/// A connection that remembers that it was lost. Of one thread at a time, except for `interrupt`.
class Link {
 public:
  /// `pins` are driver options that the configuration may not set (design section 8).
  /// kConnectionLost, kBusy, kDatabaseUnfit or kInvalid, no effect.
  static Result<std::unique_ptr<Link>> open(const Settings& settings,
                                            std::span<const PinnedOption> pins);

  odbc::Answer run(const std::string& sql, const odbc::Limits& limits = {});

  /// The rows of the last result, all of them; `effect` is what a failure leaves behind.
  Result<std::vector<Row>> query(const std::string& sql, Effect effect = Effect::kUnknown);

  /// The connection was lost or cut: its database session must be seen gone (R9).
  bool lost() const { return lost_ || connection_->interrupted(); }
  void interrupt() { connection_->interrupt(); }

  Meaning meaning(const odbc::Diagnostic& diagnostic) const {
    return meaning_of(settings_.kind, diagnostic);
  }
  Error error(const odbc::Diagnostic& diagnostic, Effect effect) const {
    return to_error(settings_, diagnostic, effect);
  }
  /// The server must not be used as it is: what is wrong and what to do.
  Error unfit(std::string message) const;
  const Settings& settings() const { return settings_; }

 private:
  Link(Settings settings, std::unique_ptr<odbc::Connection> connection)
      : settings_(std::move(settings)), connection_(std::move(connection)) {}

  Settings settings_;
  std::unique_ptr<odbc::Connection> connection_;
  bool lost_ = false;
};

/// Cuts a link whose owner is not through with a step in time (F 11), for steps that nobody else
/// can reach yet. Disarmed by its end.
class CallWatchdog {
 public:
  CallWatchdog(Link& link, Duration timeout);
  ~CallWatchdog();
  CallWatchdog(const CallWatchdog&) = delete;
  CallWatchdog& operator=(const CallWatchdog&) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool done_ = false;
  std::thread thread_;  ///< the last member: it uses the others
};

/// `message`: a sentence for a person, what is wrong and what to do.
Error make_error(const Settings& settings, ErrorCode code, Effect effect, std::string message);

/// Columns of our own queries, whose types we know: a value of another type or NULL is 0 or empty.
std::int64_t integer_at(const Row& row, std::size_t column);
std::string text_at(const Row& row, std::size_t column);
/// Unsigned numbers travel as text: 0 when it is not one.
std::uint64_t unsigned_at(const Row& row, std::size_t column);

}  // namespace assent::rm
