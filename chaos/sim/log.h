#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chaos/sim/world.h"
#include "coordinator/log/decision_log.h"
#include "coordinator/log/log_state.h"
#include "coordinator/log/record.h"

namespace assent::sim {

/// What outlives the coordinator's process.
struct LogDisk {
  LogId log_id{};
  std::map<std::uint64_t, coordinator::StoredRecord> records;  ///< by number
  std::uint64_t marked = 0;  ///< the high-water mark: so far records were reported durable
  std::vector<coordinator::StoredRecord> lost;

  /// As by a disk that forgets, while nobody has it open: records from this number on are lost.
  /// `restored`: it was put back from a copy, so the mark does not know of them either.
  void lose_from(std::uint64_t number, bool restored);
};

/// A decision log on a simulated disk: appends are gathered, written and synced together, and when
/// the process ends in the midst of that a part of them is there and the rest is not (F 5, F 6).
class Log final : public coordinator::DecisionLog {
 public:
  using Listener = coordinator::DecisionLog::Listener;

  /// Opens it: a new epoch and nonce are on the disk.
  /// `watch` sees every record that is appended.
  using Watch = std::function<void(const coordinator::Record&)>;
  Log(const Process& process, LogDisk& disk, Listener listener, Watch watch);
  ~Log() override;

  /// True: the next sync fails; what it was for may be there all the same.
  void set_failing(bool on) { fails_ = on; }

  /// Somebody else has the disk from now on: what was being written is there or not, and nothing
  /// more gets there.
  void lose_disk();
  bool has_disk() const { return has_disk_; }
  /// Was the decision durable at the opening, or reported as durable since?
  bool has_reported(const Gtrid& decided) const;

  const coordinator::LogOpening& opening() const override { return opening_; }
  void append_forced(coordinator::Record record, WallTime now,
                     coordinator::LogToken token) override;
  void append(coordinator::Record record, WallTime now) override;
  void begin_time(WallTime /*now*/) override {}
  void keep_time(WallTime /*now*/) override {}
  Result<std::optional<coordinator::Decided>> find_key(std::string_view key) override;
  Result<std::optional<coordinator::Decided>> find_gtrid(const Gtrid& gtrid) override;
  Result<std::vector<coordinator::ToldRecord>> find_story(const Gtrid& gtrid) override;
  Result<coordinator::CommitsPiece> find_commits(std::string_view participant,
                                                 std::uint64_t after) override;
  std::optional<Gtrid> low_water() const override { return std::nullopt; }
  LogStats stats() const override;
  Result<> back_up(const std::filesystem::path& to) override;
  void end_copies() override {}
  std::uint64_t top() const override { return state_.tail.top; }

 private:
  struct Queued {
    coordinator::Record record;
    WallTime now;
    std::optional<coordinator::LogToken> token;  ///< to be reported
    bool forced = false;
  };
  using Tokens = std::vector<coordinator::LogToken>;

  void tell_opening();
  void begin_batch();
  void end_batch();
  static Tokens take_tokens(std::vector<Queued>& batch);
  void report(Tokens tokens);
  void write(Queued&& queued);
  void write(coordinator::RecordPayload payload, bool forced, WallTime now);
  void write_opening();
  void take(const coordinator::StoredRecord& record);
  /// As much of what is being written as a crash leaves.
  void write_a_part();
  std::optional<coordinator::Decided> decided_at(std::uint64_t number) const;

  const Process& process_;
  LogDisk& disk_;
  const Listener listener_;
  const Watch watch_;
  coordinator::LogState state_;
  coordinator::LogOpening opening_;
  std::map<std::string, std::uint64_t, std::less<>> by_key_;
  std::map<Gtrid, std::uint64_t> by_gtrid_;
  std::uint64_t reported_to_ = 0;
  std::vector<Queued> queue_;
  std::vector<Queued> writing_;
  bool busy_ = false;
  bool has_disk_ = true;
  bool fails_ = false;
  bool failed_ = false;
};

}  // namespace assent::sim
