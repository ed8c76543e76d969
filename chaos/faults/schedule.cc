#include "chaos/faults/schedule.h"

#include <numeric>
#include <utility>

#include "chaos/workload/random.h"

namespace assent::live {
namespace {

using std::chrono::milliseconds;

Duration draw_length(workload::Random& random) {
  return random.one_in(8) ? random.between(milliseconds(3'000), milliseconds(12'000))
                          : random.between(milliseconds(50), milliseconds(2'000));
}

}  // namespace

std::vector<Planned> make_schedule(std::uint64_t seed, std::size_t faults, Duration time) {
  std::vector<Planned> schedule;
  if (faults == 0) return schedule;
  workload::Random random(seed);
  std::vector<std::size_t> first(faults);
  std::iota(first.begin(), first.end(), std::size_t{0});
  for (std::size_t i = faults - 1; i > 0; --i) std::swap(first[i], first[random.below(i + 1)]);
  Duration at{};
  for (;;) {
    const Duration after = random.between(milliseconds(500), milliseconds(3'500));
    at += after;
    if (at >= time) return schedule;
    const std::size_t count = schedule.size();
    const std::size_t fault = count < faults ? first[count] : random.below(faults);
    schedule.push_back({after, draw_length(random), fault, random.bits()});
  }
}

}  // namespace assent::live
