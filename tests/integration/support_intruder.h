#pragma once

#include <cstdint>
#include <string>
#include <thread>

#include "tests/integration/support_house.h"

namespace assent::testing {

/// Somebody else's transaction holds the row of a card in `points`, from before the constructor
/// returns, until so many seconds have passed or the destructor ends it.
class Intruder {
 public:
  Intruder(House& house, std::int64_t card, int seconds)
      : database_(house.database("points")), thread_([this, card, seconds] {
          database_.run_sql("points", "BEGIN; UPDATE card SET points = points WHERE id = " +
                                          std::to_string(card) + "; " + pause() + "(" +
                                          std::to_string(seconds) + "); COMMIT;");
        }) {
    comes_true([&] { return is_held(house, card); });
  }
  ~Intruder() {
    for (const live::Row& session : database_.query("points", sessions())) {
      database_.run_sql("points", end_of(session.front()));
    }
    thread_.join();
  }
  Intruder(const Intruder&) = delete;
  Intruder& operator=(const Intruder&) = delete;

 private:
  static bool is_held(House& house, std::int64_t card) {
    return house.database("points")
        .query("points", "SELECT id FROM card WHERE id = " + std::to_string(card) +
                             " FOR UPDATE SKIP LOCKED;")
        .empty();
  }

  bool is_postgres() const { return database_.kind() == live::DatabaseKind::kPostgres; }
  std::string pause() const { return is_postgres() ? "SELECT pg_sleep" : "DO SLEEP"; }
  std::string sessions() const {
    return is_postgres() ? "SELECT pid FROM pg_stat_activity WHERE query LIKE '" + pause() + "(%';"
                         : "SELECT id FROM information_schema.processlist WHERE info LIKE '" +
                               pause() + "(%';";
  }
  std::string end_of(const std::string& session) const {
    return is_postgres() ? "SELECT pg_terminate_backend(" + session + ");"
                         : "KILL " + session + ";";
  }

  live::DatabaseServer& database_;
  std::thread thread_;
};

}  // namespace assent::testing
