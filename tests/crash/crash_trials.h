#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "tests/integration/support_till.h"

/// A process dies at a named point (protocol/base/crash_points.h) of a house that pays, everything
/// is started again, and the books are judged.

namespace assent::testing {

/// What became of one death, or of two in a row.
struct Trial {
  bool died = false;        ///< at the point, the first one of a pair
  bool died_again = false;  ///< at the second one
  std::string wrong;        ///< what is wrong with the books, a line for each; empty: nothing
  double seconds = 0;
};

/// Where to die, and who.
struct Death {
  std::string point;
  std::string victim;  ///< a part of the sandbox
  int count = 1;       ///< dies when it passes the point so often
};

/// Used by the main thread. What goes wrong with the sandbox itself is thrown.
class CrashTrials {
 public:
  CrashTrials();

  /// Who may die at this point: the coordinator, or any of the agents.
  std::vector<std::string> victims_of(std::string_view point);

  /// One death at a moment when its point is passed.
  Trial run(const Death& death);

  /// The second while what the first left behind is put in order.
  Trial run(const Death& first, const Death& second);

  /// Points that a house which pays and starts again passes by itself: those that can follow each
  /// other.
  static bool comes_by_itself(std::string_view point);

 private:
  /// What has to be done so that a point is passed.
  struct Occasion {
    void (CrashTrials::*before)() = nullptr;  ///< nobody pays: before its victim is started to die
    void (CrashTrials::*during)() = nullptr;  ///< again and again until the victim is dead
    void (CrashTrials::*after)() = nullptr;   ///< when it runs again
  };
  static Occasion occasion_of(std::string_view point);

  live::Service& service(const std::string& part);
  live::Service& victim() { return service(victim_); }
  void launch_to_die(const Death& death);
  bool has_died(const live::Payers& payers, const Occasion& occasion);
  void start_all_again(const std::vector<std::string>& victims);
  bool lives_linked();
  template <typename Ask>
  void ask(Ask question);
  void act_until_done(const ActionRequest& request);
  std::filesystem::path log();

  // ---- occasions
  void look();
  void settle();
  void retry();
  void resolve();
  void back_up();
  void give_up_open_work();
  void stop_victim();
  void restart_other_side();
  void restart_database();
  void let_database_stand_still();
  void leave_orphan();
  void leave_decided();
  void leave_behind(const Death& death);
  void do_damage();
  void show_damage();
  void deal_with_damage();
  void repair_damage();
  void move_clock();
  void confirm_clock();
  void lose_mark();
  void lose_origin();
  void lose_log();
  void damage_end_of_log();
  void lose_old_record();
  void put_old_log_back();
  void allow_to_presume();
  void allow_to_presume_once_known();

  Till till_;
  std::string victim_;
  std::chrono::minutes clock_{0};
  int copies_ = 0;
  workload::Payment damaged_;
  Gtrid damaged_gtrid_;
  Gtrid known_;  ///< of a committed payment
};

}  // namespace assent::testing
