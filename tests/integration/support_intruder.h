#pragma once

#include <cstdint>
#include <string>
#include <thread>

#include "tests/integration/support_house.h"

namespace assent::testing {

/// Somebody else's transaction holds the row of a card in `points` for so many seconds, from before
/// the constructor returns; the destructor waits for its end.
class Intruder {
 public:
  Intruder(House& house, std::int64_t card, int seconds)
      : thread_([&house, card, seconds] {
          const bool postgres = house.setup().participants.front().kind == DatabaseKind::kPostgres;
          const std::string sleep =
              (postgres ? "SELECT pg_sleep(" : "DO SLEEP(") + std::to_string(seconds) + ");";
          house.database("points").query("points",
                                         "BEGIN; UPDATE card SET points = points WHERE id = " +
                                             std::to_string(card) + "; " + sleep + " COMMIT;");
        }) {
    comes_true([&] { return is_held(house, card); });
  }
  ~Intruder() { thread_.join(); }
  Intruder(const Intruder&) = delete;
  Intruder& operator=(const Intruder&) = delete;

 private:
  static bool is_held(House& house, std::int64_t card) {
    return house.database("points")
        .query("points", "SELECT id FROM card WHERE id = " + std::to_string(card) +
                             " FOR UPDATE SKIP LOCKED;")
        .empty();
  }

  std::thread thread_;
};

}  // namespace assent::testing
