#include "protocol/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace assent {

void check_failed(const char* file, int line, const char* condition) {
  std::fprintf(stderr, "%s:%d: invariant broken: %s\n", file, line, condition);
  std::fflush(stderr);
  std::abort();
}

}  // namespace assent
