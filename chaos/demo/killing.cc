#include "chaos/demo/killing.h"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <thread>

#include "chaos/sandbox/interrupt.h"

namespace assent::live {
namespace {

constexpr std::array kVictims{"coordinator",  "agent-points",   "db-payments",
                              "coordinator",  "agent-payments", "db-points",
                              "agent-points", "coordinator",    "db-payments"};

constexpr std::chrono::milliseconds kBetweenLooks{40};

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

}  // namespace

Killing::Killing(Sandbox& sandbox, Payers& payers, Screen& screen, std::uint64_t total)
    : sandbox_(sandbox), payers_(payers), screen_(screen), total_(total) {}

void Killing::run() {
  screen_.begin_bar(total_);
  for (std::size_t i = 0; i < kVictims.size(); ++i) {
    pay_until(total_ * (i + 1) / (kVictims.size() + 1));
    kill_and_restart(kVictims[i]);
  }
  pay_until(total_);
  screen_.end_bar();
}

void Killing::pay_until(std::uint64_t answered) {
  for (;;) {
    check_interrupted();
    const auto now = payers_.counts().answered;
    screen_.bar(now);
    if (now >= answered || payers_.is_done()) return;
    look_for_crashes();
    std::this_thread::sleep_for(kBetweenLooks);
  }
}

void Killing::kill_and_restart(const std::string& name) {
  const auto answered = payers_.counts().answered;
  const auto begin = Clock::now();
  sandbox_.kill(name);
  sandbox_.start(name);
  ++kills_;
  screen_.under_bar(
      fmt::format("after {:>5} payments: kill -9 {:<14} and started again, ready after {:.1f} s",
                  with_commas(static_cast<std::int64_t>(answered)), name, seconds_since(begin)));
}

// Nothing but us may end a part: an agent whose database went away begins anew in its process (R9).
void Killing::look_for_crashes() {
  for (const std::string& name : sandbox_.reap()) {
    ++crashes_;
    sandbox_.start(name);
    screen_.under_bar(fmt::format("{} had ended by itself; started again", name));
  }
}

}  // namespace assent::live
