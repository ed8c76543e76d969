#include "participant_agents/server/driver.h"

#include <spdlog/spdlog.h>

#include <utility>
#include <variant>

namespace assent::agent {

Driver::Driver(AgentConfig config, Ports ports) : core_(std::move(config)), ports_(ports) {}

void Driver::handle(Event event) {
  waiting_.push_back(std::move(event));
  if (running_) return;
  running_ = true;
  while (!waiting_.empty()) {
    Event next = std::move(waiting_.front());
    waiting_.pop_front();
    carry_out(core_.step(std::move(next), ports_.clock.now()));
  }
  running_ = false;
  set_alarm();
}

void Driver::carry_out(Effects effects) {
  for (auto& effect : effects) {
    std::visit([this](auto& e) { carry_out(std::move(e)); }, effect);
  }
}

void Driver::carry_out(SendWelcome&& effect) {
  ports_.links.welcome(effect.link, effect.welcome);
}

void Driver::carry_out(SendRefused&& effect) {
  ports_.links.refuse(effect.link, effect.refused);
}

void Driver::carry_out(SendReply&& effect) {
  ports_.links.reply(effect.link, effect.reply);
}

void Driver::carry_out(CloseLink&& effect) {
  ports_.links.close(effect.link);
}

void Driver::carry_out(StartWork&& effect) {
  ports_.branches.start(std::move(effect));
}

void Driver::carry_out(StartPrepare&& effect) {
  ports_.branches.start(std::move(effect));
}

void Driver::carry_out(StartRollBackOpen&& effect) {
  ports_.branches.start(std::move(effect));
}

void Driver::carry_out(StartCommit&& effect) {
  ports_.branches.start(std::move(effect));
}

void Driver::carry_out(StartRollback&& effect) {
  ports_.branches.start(std::move(effect));
}

void Driver::carry_out(Interrupt&& effect) {
  ports_.branches.interrupt(effect.xid);
}

void Driver::carry_out(RaiseFence&& effect) {
  ports_.control.raise_fence(std::move(effect));
}

void Driver::carry_out(StartList&& effect) {
  ports_.control.list(std::move(effect));
}

void Driver::carry_out(DeleteWitnesses&& effect) {
  ports_.control.delete_witnesses(std::move(effect));
}

void Driver::carry_out(StartInspect&& effect) {
  ports_.branches.start(std::move(effect));
}

void Driver::carry_out(Note&& effect) {
  switch (effect.level) {
    case Note::Level::kInfo:
      return spdlog::info("{}", effect.text);
    case Note::Level::kWarning:
      return spdlog::warn("{}", effect.text);
    case Note::Level::kError:
      return spdlog::error("{}", effect.text);
  }
}

void Driver::set_alarm() {
  const auto due = core_.next_deadline();
  if (!due || due == alarm_) return;
  alarm_ = due;
  ports_.clock.wake_at(*due);
}

}  // namespace assent::agent
