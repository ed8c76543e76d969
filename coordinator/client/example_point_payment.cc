// Pays 100 points of card 1 towards its bill: both databases, or neither.
#include <cstdio>
#include <string>

#include "coordinator/client/client.h"

int main(int argc, char** argv) {
  auto client = assent::Client::connect({argc > 1 ? argv[1] : "127.0.0.1:7400"});
  if (!client) {
    std::fprintf(stderr, "%s\n", client.error().message.c_str());
    return 4;
  }

  assent::Submission payment{.key = argc > 2 ? argv[2] : ""};
  payment
      .step("points", "UPDATE card SET points = points - ? WHERE id = ? AND points >= ?",
            {100, 1, 100})
      .expect_rows(1);
  payment
      .step("payments", "UPDATE bill SET due = due - ? WHERE card_id = ? AND due >= ?",
            {100, 1, 100})
      .expect_rows(1);

  const assent::Answer answer = client->submit(payment);
  const std::string why = answer.error ? answer.error->message : "no reason given";
  switch (answer.outcome) {
    case assent::Outcome::kCommitted:
      std::puts("paid");
      return 0;
    case assent::Outcome::kRolledBack:
    case assent::Outcome::kRefused:
      std::printf("not paid: %s\n", why.c_str());
      return 1;
    default:  // never guess: the key's outcome can be asked for at any time
      std::printf("not known yet, ask for the outcome: %s\n", why.c_str());
      return 3;
  }
}
