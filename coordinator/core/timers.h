#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <variant>

#include "protocol/base/time.h"
#include "protocol/base/xid.h"

namespace assent::coordinator {

struct Participant;
/// A person's question for which the databases are being looked at (look.h).
enum class LookId : std::uint64_t {};

/// Everything that the core waits for by the clock, in one ordered table: O(log n) each. A subject
/// has one timer, set to the earliest of what it waits for. Timers of the same instant come in the
/// order in which they were set.
class Timers {
 public:
  /// What to look at when the time has come.
  using Subject = std::variant<Gtrid, Participant*, LookId>;

  /// Kept by the subject; a default one is not set.
  struct Handle {
    Instant at{};
    std::uint64_t serial = 0;
  };

  /// Moves the timer of `handle` to `at`; nullopt: none.
  void set(Handle& handle, std::optional<Instant> at, const Subject& subject);
  void cancel(Handle& handle);

  std::optional<Instant> next() const;
  /// The first that is due, taken out; its handle is no longer set.
  std::optional<Subject> take_due(Instant now);

 private:
  std::map<std::pair<Instant, std::uint64_t>, Subject> due_;
  std::uint64_t next_serial_ = 1;
};

}  // namespace assent::coordinator
