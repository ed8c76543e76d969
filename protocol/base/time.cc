#include "protocol/base/time.h"

namespace assent {

Now read_clocks() {
  using std::chrono::duration_cast;
  const auto steady = std::chrono::steady_clock::now().time_since_epoch();
  const auto wall = std::chrono::system_clock::now().time_since_epoch();
  return {{duration_cast<Duration>(steady)},
          {duration_cast<std::chrono::milliseconds>(wall).count()}};
}

}  // namespace assent
