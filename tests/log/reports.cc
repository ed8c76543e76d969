#include "tests/log/reports.h"

namespace assent::testing {

coordinator::DecisionLog::Listener Reports::listener() {
  return {.durable =
              [this](std::vector<coordinator::LogToken> tokens) {
                const std::lock_guard lock(mutex_);
                durable_.insert(durable_.end(), tokens.begin(), tokens.end());
                ++batches_;
                changed_.notify_all();
              },
          .failed =
              [this](Error error) {
                const std::lock_guard lock(mutex_);
                failures_.push_back(std::move(error));
                changed_.notify_all();
              }};
}

bool Reports::wait_for(std::size_t count) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, kPatience,
                           [&] { return durable_.size() >= count || !failures_.empty(); });
}

bool Reports::wait_for_failure() {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, kPatience, [&] { return !failures_.empty(); });
}

std::vector<coordinator::LogToken> Reports::durable() const {
  const std::lock_guard lock(mutex_);
  return durable_;
}

std::size_t Reports::batches() const {
  const std::lock_guard lock(mutex_);
  return batches_;
}

std::vector<Error> Reports::failures() const {
  const std::lock_guard lock(mutex_);
  return failures_;
}

}  // namespace assent::testing
