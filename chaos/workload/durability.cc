#include "chaos/workload/durability.h"

#include <algorithm>

namespace assent::workload {

std::vector<Violation> check_durability(std::vector<Sync> syncs,
                                        const std::vector<CommitSent>& commits) {
  std::sort(syncs.begin(), syncs.end(),
            [](const Sync& a, const Sync& b) { return a.began < b.began; });
  // The earliest end of this sync and all that began later.
  std::vector<Instant> ends(syncs.size());
  for (std::size_t i = syncs.size(); i > 0; --i)
    ends[i - 1] = i == syncs.size() ? syncs[i - 1].ended : std::min(syncs[i - 1].ended, ends[i]);
  std::vector<Violation> found;
  for (const CommitSent& commit : commits) {
    const auto first =
        std::lower_bound(syncs.begin(), syncs.end(), commit.voted,
                         [](const Sync& sync, Instant voted) { return sync.began < voted; });
    const auto at = static_cast<std::size_t>(first - syncs.begin());
    if (at == syncs.size() || ends[at] > commit.sent)
      found.push_back({"I8", "the commit of " + commit.gtrid +
                                 " was on its way before a sync of the log that began after the "
                                 "last vote had ended"});
  }
  return found;
}

}  // namespace assent::workload
