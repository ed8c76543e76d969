#include "protocol/channel/backoff.h"

#include <algorithm>
#include <utility>

#include "protocol/base/check.h"

namespace assent {

Backoff::Backoff(Duration first, Duration longest, std::function<std::uint64_t()> random)
    : first_(first), longest_(longest), range_(first), random_(std::move(random)) {
  ASSENT_CHECK(first_ > Duration::zero() && first_ <= longest_);
}

Duration Backoff::next() {
  const Duration half = range_ / 2;
  const auto choices = static_cast<std::uint64_t>((range_ - half).count()) + 1;
  const auto drawn = static_cast<Duration::rep>(random_() % choices);
  range_ = std::min(range_ * 2, longest_);
  return half + Duration(drawn);
}

void Backoff::reset() {
  range_ = first_;
}

}  // namespace assent
