// assent-mutants: does the simulator catch bugs that are planted in the protocol?

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "chaos/sim/mutant_hunt.h"

namespace {

using assent::sim::Hunt;

struct Mutant {
  std::uint64_t seed = 0;  ///< that has caught it; 0: not known
  std::string name;
};

/// A seed and a name on each line, but for those that begin with #.
std::vector<Mutant> read(const std::string& path) {
  std::vector<Mutant> mutants;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.front() == '#') continue;
    std::size_t end = 0;
    const std::uint64_t seed = std::stoull(line, &end);
    mutants.push_back({seed, line.substr(end + 1)});
  }
  return mutants;
}

void write(const std::string& path, const std::vector<Mutant>& mutants) {
  std::ofstream file(path);
  file
      << "# Planted bugs and a seed that catches each. `./run mutants --write` writes the seeds.\n";
  for (const Mutant& mutant : mutants) file << fmt::format("{} {}\n", mutant.seed, mutant.name);
}

void show(const Mutant& mutant, const Hunt& hunt) {
  fmt::print("{:<38} {:<7} {:>6} {:>6}  {:.100}\n", mutant.name, hunt.caught ? hunt.by : "MISSED",
             hunt.caught ? hunt.seed : 0, hunt.seeds, hunt.what);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  std::string list = "chaos/sim/mutants.txt";
  std::string only;
  std::uint64_t runs = 20'000;
  bool briefly = false;
  bool keep = false;
  CLI::App app("Plants one bug after another in the protocol; the simulator has to catch each.");
  app.add_option("--list", list, "the bugs, and the seeds that catch them");
  app.add_option("--only", only, "this one");
  app.add_option("--runs", runs, "so many seeds for each at most");
  app.add_flag("--short", briefly, "try the seed of the list first");
  app.add_flag("--write", keep, "write the seeds into the list");
  CLI11_PARSE(app, argc, argv);
  spdlog::set_level(spdlog::level::off);

  std::vector<Mutant> mutants = read(list);
  std::size_t tried = 0;
  std::size_t missed = 0;
  fmt::print("{:<38} {:<7} {:>6} {:>6}  what was seen\n", "planted", "caught", "by seed", "after");
  for (Mutant& mutant : mutants) {
    if (!only.empty() && mutant.name != only) continue;
    const Hunt hunt = assent::sim::hunt(mutant.name, briefly ? mutant.seed : 0, runs);
    show(mutant, hunt);
    ++tried;
    if (!hunt.caught) ++missed;
    if (hunt.caught) mutant.seed = hunt.seed;
  }
  if (keep) write(list, mutants);
  fmt::print("{} bugs planted, {} caught, {} missed\n", tried, tried - missed, missed);
  return tried > 0 && missed == 0 ? 0 : 1;
}
