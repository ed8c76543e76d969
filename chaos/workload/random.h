#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "protocol/base/time.h"

namespace assent::workload {

/// The one source of everything that is drawn: the same seed, the same draws.
class Random {
 public:
  explicit Random(std::uint64_t seed) : source_(seed) {}

  std::uint64_t bits() { return source_(); }
  std::uint64_t below(std::uint64_t end) { return source_() % end; }  ///< 0 .. end - 1
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  Duration between(Duration least, Duration most) {
    return least + Duration(below(static_cast<std::uint64_t>((most - least).count()) + 1));
  }
  template <typename Item>
  Item& one_of(std::vector<Item>& items) {
    return items[below(items.size())];
  }
  template <typename Item>
  const Item& one_of(const std::vector<Item>& items) {
    return items[below(items.size())];
  }

 private:
  std::mt19937_64 source_;
};

}  // namespace assent::workload
