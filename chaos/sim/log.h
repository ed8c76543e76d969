#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chaos/sim/leveldb_memory.h"
#include "chaos/sim/world.h"
#include "coordinator/log/decision_log.h"
#include "coordinator/log/leveldb_batch.h"
#include "coordinator/log/leveldb_lookup.h"
#include "coordinator/log/leveldb_removal.h"
#include "coordinator/log/leveldb_verify.h"
#include "coordinator/log/log_state.h"
#include "coordinator/log/record.h"

namespace assent::sim {

/// What outlives the coordinator's process.
struct LogDisk {
  LogId log_id{};
  Duration retention{};                 ///< of outcomes; 0: they stay
  std::uint64_t checkpoint_one_in = 0;  ///< writes that hold a checkpoint; 0: only those that must
  LeveldbMemory db;
  std::uint64_t marked = 0;  ///< the high-water mark: so far records were reported durable

  // ---- for who judges
  struct Removed {
    std::size_t write = 0;     ///< with which it went
    std::uint64_t newest = 0;  ///< number of the newest record then
    WallTime log_time;
  };
  std::map<std::uint64_t, coordinator::StoredRecord> records;  ///< all that is not lost, by number
  std::map<std::uint64_t, Removed> removed;                    ///< of those: by retention
  std::map<Gtrid, std::uint64_t> decided;                      ///< numbers of the newest records
  std::vector<coordinator::StoredRecord> lost;

  /// `state`: behind the write.
  void write(leveldb::WriteBatch& updates, const coordinator::LogState& state);
  /// As by a disk that forgets, while nobody has it open: records from about this number on are
  /// lost, with all that was written together with them or later. `restored`: it was put back from
  /// a copy, so the mark does not know of them either.
  void lose_from(std::uint64_t number, bool restored);
  /// A decision about the key has left the log.
  bool has_forgotten(std::string_view key) const;
  /// The newest decision about the key that is still there; nullptr: there is none.
  const coordinator::StoredRecord* decision_of(std::string_view key) const;

 private:
  void note(coordinator::StoredRecord record);
  void note_removed(const coordinator::LogState& state);

  std::vector<std::uint64_t> begins_;  ///< numbers of the first record of each write
};

/// A decision log on a simulated disk: appends are gathered, written and synced together, and when
/// the process ends in the midst of that a part of them is there and the rest is not (F 5, F 6).
/// What is written, read at an opening, looked up and removed is the product's affair, as are the
/// bytes; when that happens, and what comes of it, is drawn.
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
  void begin_time(WallTime now) override;
  void keep_time(WallTime now) override;
  Result<std::optional<coordinator::Decided>> find_key(std::string_view key) override;
  Result<std::optional<coordinator::Decided>> find_gtrid(const Gtrid& gtrid) override;
  Result<std::vector<coordinator::ToldRecord>> find_story(const Gtrid& gtrid) override;
  Result<coordinator::CommitsPiece> find_commits(std::string_view participant,
                                                 coordinator::NumberSpan span) override;
  std::optional<Gtrid> low_water() const override { return state_.low_water; }
  LogStats stats() const override;
  Result<> back_up(const std::filesystem::path& to) override;
  void end_copies() override {}
  std::uint64_t top() const override { return top_; }

 private:
  struct Queued {
    coordinator::Record record;
    WallTime now;
    std::optional<coordinator::LogToken> token;  ///< to be reported
    bool forced = false;
  };
  using Tokens = std::vector<coordinator::LogToken>;

  void write_opening(std::vector<coordinator::Missing> missing);
  void tell_opening(coordinator::LogPast&& past);
  void begin_batch();
  void end_batch();
  static Tokens take_tokens(std::vector<Queued>& batch);
  void report(Tokens tokens);
  /// `whole`: with what the log adds of its own.
  void write(std::vector<Queued> batch, bool whole);
  void add_upkeep(coordinator::Batch& batch);
  /// As much of what is being written as a crash leaves.
  void write_a_part();
  void keep();

  const Process& process_;
  LogDisk& disk_;
  const Listener listener_;
  const Watch watch_;
  std::unique_ptr<LeveldbMemory> own_;  ///< what was there when it lost the disk
  LeveldbMemory* db_;                   ///< the disk's, or that
  coordinator::LogState state_;
  coordinator::LogOpening opening_;
  std::vector<coordinator::Missing> known_;  ///< to be missing since the opening
  std::optional<coordinator::LevelDbLookup> lookup_;
  std::uint64_t reported_to_ = 0;
  std::uint64_t top_ = 0;
  std::optional<coordinator::RemovableRecords> removing_;
  std::uint64_t looked_to_ = 0;   ///< for what is old
  std::optional<WallTime> time_;  ///< to be written
  std::uint64_t away_ms_ = 0;     ///< unproved, up to then
  std::vector<Queued> queue_;
  std::vector<Queued> writing_;
  bool busy_ = false;
  bool has_disk_ = true;
  bool fails_ = false;
  bool failed_ = false;
};

}  // namespace assent::sim
