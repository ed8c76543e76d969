#include "chaos/sim/mutant_hunt.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "chaos/sim/run.h"
#include "protocol/base/check.h"
#include "protocol/base/mutant.h"

namespace assent::sim {
namespace {

/// Longer than any healthy hunt.
constexpr unsigned kHangs = 600;

/// What the hunting process tells of itself, also when it dies.
struct Told {
  std::uint64_t seed;
  std::uint64_t seeds;
  bool caught;
  char by[8];
  char what[400];
};

bool try_seed(std::uint64_t seed, Told& told) {
  told.seed = seed;
  ++told.seeds;
  const RunResult result = run(seed, false);
  if (result.violations.empty()) return false;
  const workload::Violation& first = result.violations.front();
  std::snprintf(told.by, sizeof told.by, "%s", first.invariant.c_str());
  std::snprintf(told.what, sizeof told.what, "%s", first.what.c_str());
  told.caught = true;
  return true;
}

void hunt_here(std::string_view mutant, std::uint64_t hint, std::uint64_t most, Told& told) {
  ::dup2(::open("/dev/null", O_WRONLY), STDERR_FILENO);  // what a failed check has to say
  ::alarm(kHangs);
  choose_mutant(mutant);
  if (hint != 0 && try_seed(hint, told)) return;
  for (std::uint64_t seed = 1; seed <= most; ++seed) {
    if (try_seed(seed, told)) return;
  }
}

Hunt hunt_of(const Told& told, int status) {
  Hunt hunt{told.caught, told.seed, told.seeds, told.by, told.what};
  if (WIFEXITED(status)) return hunt;
  const bool hangs = WTERMSIG(status) == SIGALRM;
  hunt.caught = true;
  hunt.by = hangs ? "hang" : "check";
  hunt.what = hangs ? "the run does not end" : "a check of the program itself ends it";
  return hunt;
}

}  // namespace

Hunt hunt(std::string_view mutant, std::uint64_t hint, std::uint64_t most) {
  void* shared =
      ::mmap(nullptr, sizeof(Told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSENT_CHECK(shared != MAP_FAILED);
  Told& told = *new (shared) Told{};
  const pid_t child = ::fork();
  ASSENT_CHECK(child >= 0);
  if (child == 0) {
    hunt_here(mutant, hint, most, told);
    ::_exit(0);
  }
  int status = 0;
  ASSENT_CHECK(::waitpid(child, &status, 0) == child);
  const Hunt hunt = hunt_of(told, status);
  ::munmap(shared, sizeof(Told));
  return hunt;
}

}  // namespace assent::sim
