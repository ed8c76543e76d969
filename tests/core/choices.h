#pragma once

#include <cstddef>
#include <vector>

#include "protocol/base/check.h"

namespace assent::coordinator {

/// Walks through every sequence of choices of a run that is made anew for each: depth first,
/// without knowing the tree beforehand.
///
///     Choices choices;
///     do {
///       run(choices);  // asks choices.below(n) wherever it could go on in n ways
///     } while (choices.next_run());
class Choices {
 public:
  /// 0 .. n-1. A run that is repeated must ask the same questions.
  std::size_t below(std::size_t n) {
    ASSENT_CHECK(n > 0);
    if (asked_ == taken_.size()) taken_.push_back({0, n});
    ASSENT_CHECK(taken_[asked_].of == n);
    return taken_[asked_++].choice;
  }

  /// The same run again.
  void repeat() { asked_ = 0; }

  /// false: every run has been made.
  bool next_run() {
    asked_ = 0;
    while (!taken_.empty() && taken_.back().choice + 1 == taken_.back().of) taken_.pop_back();
    if (taken_.empty()) return false;
    ++taken_.back().choice;
    return true;
  }

 private:
  struct Taken {
    std::size_t choice;
    std::size_t of;
  };
  std::vector<Taken> taken_;
  std::size_t asked_ = 0;
};

}  // namespace assent::coordinator
