#pragma once

#include <memory>
#include <optional>

#include "coordinator/core/config.h"
#include "coordinator/core/effects.h"
#include "coordinator/core/events.h"
#include "coordinator/core/record.h"
#include "protocol/base/time.h"
#include "protocol/base/xid.h"

namespace assent::coordinator {

/// What the core must know of its log's past before it serves.
struct Past {
  LogId log_id{};
  Epoch epoch{};
  std::optional<Gtrid> low_water;
  WallTime log_time;
  std::vector<CommitRecord> unfinished;
};

/// The two-phase commit coordinator as a value that takes events: no clock, socket, thread or file.
/// `step` is called by one thread; the same events at the same times give the same effects.
class Coordinator {
 public:
  Coordinator(Config config, Past past);
  ~Coordinator();
  Coordinator(Coordinator&&) noexcept;
  Coordinator& operator=(Coordinator&&) noexcept;

  Effects step(const Event& event, Now now);

  /// When TimePassed is due if nothing else happens; nullopt: never.
  std::optional<Instant> next_deadline() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace assent::coordinator
