#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "coordinator/log/leveldb_log.h"
#include "tests/log/example_records.h"
#include "tests/log/fault_env.h"
#include "tests/log/reports.h"
#include "tests/support/temporary_folder.h"

namespace assent::testing {

// A log in a folder of its own, on a disk that can fail. One thread.
class LogFixture {
 public:
  LogFixture();
  explicit LogFixture(std::filesystem::path dir);  // a folder whose parent is there
  ~LogFixture();
  LogFixture(const LogFixture&) = delete;
  LogFixture& operator=(const LogFixture&) = delete;

  const std::filesystem::path& dir() const { return dir_; }
  FaultEnv& disk() { return disk_; }
  coordinator::LevelDbLog& log() { return *log_; }
  Reports& reports() { return *reports_; }  // of the newest opening

  void retain(Duration retention) { retention_ = retention; }  // from the next opening on
  void open();                                                 // must succeed
  std::string open_error();                                    // must not; returns what it said
  void close();

  // Appends example_commit(first) to example_commit(last), without waiting. The token is the
  // number.
  void commit(std::uint64_t first, std::uint64_t last);
  // The same, and waits until all are durable.
  void commit_durably(std::uint64_t first, std::uint64_t last);
  // The same, each in a batch of its own.
  void commit_one_by_one(std::uint64_t first, std::uint64_t last);
  coordinator::CommitRecord commit_record(std::uint64_t i) const;

  // Is the i-th there, by key and by gtrid, and whole?
  bool has(std::uint64_t i);
  bool has_all(std::uint64_t first, std::uint64_t last);

  // What the log does in the background. False: not within kPatience, or the log has failed.
  template <typename Condition>
  bool comes_true(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!condition()) {
      if (!reports_->failures().empty()) return false;
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
  }

  // Goes on with what the log's folder would hold if the process were killed now, or the power cut.
  void kill();
  void cut_power();
  // Replaces the folder by a copy that was taken before.
  std::filesystem::path take_copy();
  void restore(const std::filesystem::path& copy);

  // Closes the log. The record is whole then, and does not follow the one before it.
  void tear_off(std::uint64_t number);

  // LevelDB's write-ahead file that was written last.
  std::filesystem::path write_ahead_file() const;

 private:
  TemporaryFolder folder_;
  std::filesystem::path dir_;
  int copies_ = 0;
  Duration retention_{};
  FaultEnv disk_;
  std::vector<std::unique_ptr<Reports>> all_reports_;
  Reports* reports_ = nullptr;
  std::unique_ptr<coordinator::LevelDbLog> log_;
  std::vector<Epoch> epoch_of_;  // of the i-th commit
  LogId log_id_{};
  Epoch epoch_{};
};

// All bytes of a file, and back.
std::string read_file(const std::filesystem::path& path);
void write_file(const std::filesystem::path& path, const std::string& bytes);

}  // namespace assent::testing
