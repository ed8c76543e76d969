#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "coordinator/client/client.h"

namespace assent::live {

// Who looks after a house: asks its coordinator how it is, and does by hand what it waits for.
// nullopt and false: nobody answers there now.
class Person {
 public:
  // `coordinator`: its address. `patience`: with each question.
  static std::optional<Person> at(const std::string& coordinator,
                                  std::chrono::milliseconds patience = std::chrono::seconds(5));

  std::optional<TransactionShown> transaction(const Gtrid& gtrid);
  // Every participant is there and was looked at, and nothing waits for a person.
  bool finds_all_well();
  // Something waits for this command, which begins so: "assentctl allow presume", say.
  bool is_told(const std::string& command);
  // The participant gets no new work until its history is allowed.
  bool finds_quarantined(const std::string& participant);

  // False: it was not done.
  bool allow(Allowance what, const std::string& reason, const std::string& participant = {});
  // What is prepared, and of which the log knows no decision, is rolled back.
  void roll_back_undecided(const std::string& reason);
  // Damage of what has ended is shown no longer.
  void forget_damage(const std::string& reason);

 private:
  explicit Person(Client client) : client_(std::move(client)) {}

  Client client_;
};

}  // namespace assent::live
