#include "tests/architecture/include_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

namespace assent::architecture {
namespace {

using Areas = std::set<std::string, std::less<>>;

// An area may include itself, the areas on its right, and what those may include.
const std::map<std::string, Areas, std::less<>>& arrows() {
  static const std::map<std::string, Areas, std::less<>> table = {
      {"protocol/base", {}},
      {"protocol/message", {"protocol/base"}},
      {"protocol/proto", {}},
      {"protocol/settings", {"protocol/base"}},
      {"protocol/wire", {"protocol/message", "protocol/proto"}},
      {"protocol/channel", {"protocol/wire"}},
      // Messages are plain values, so cores and the resource managers' port speak in them.
      {"coordinator/core", {"protocol/message"}},
      {"coordinator/log", {"coordinator/core"}},
      {"coordinator/server", {"coordinator/log", "protocol/channel", "protocol/settings"}},
      {"coordinator/client", {"protocol/channel"}},
      {"coordinator/tools", {"coordinator/client", "coordinator/log"}},
      {"participant_agents/core", {"protocol/message"}},
      {"participant_agents/rm", {"protocol/message"}},
      {"participant_agents/server",
       {"participant_agents/core", "participant_agents/rm", "protocol/channel",
        "protocol/settings"}},
      {"chaos/workload", {"protocol/message"}},
      {"chaos/proxy", {"protocol/wire"}},
      {"chaos/sandbox", {"chaos/proxy"}},
      {"chaos/load", {"chaos/workload", "chaos/sandbox", "coordinator/client"}},
      {"chaos/faults", {"chaos/load"}},
      {"chaos/campaign", {"chaos/faults", "participant_agents/rm", "protocol/settings"}},
      {"chaos/demo", {"chaos/load"}},
      {"chaos/sim", {"chaos/workload", "coordinator/server", "participant_agents/server"}},
  };
  return table;
}

// A foreign header that only the places that wrap it may see. Places are path prefixes.
struct Wrapped {
  std::string_view what;
  std::vector<std::string_view> headers;  // prefixes of what stands between < > or " "
  std::vector<std::string_view> suffixes;
  std::vector<std::string_view> places;
};

const std::vector<Wrapped>& wrapped_headers() {
  static const std::vector<Wrapped> table = {
      {"ODBC",
       {"sql.h", "sqlext.h", "sqltypes.h", "sqlucode.h", "odbcinst.h"},
       {},
       {"participant_agents/rm/odbc"}},
      {"LevelDB",
       {"leveldb/"},
       {},
       {"coordinator/log/leveldb_", "chaos/sim/leveldb_", "tests/log/"}},
      // A log record's payload is protobuf too; record.cc is to the log what convert.cc is to the
      // wire.
      {"generated protobuf",
       {"google/protobuf/"},
       {".pb.h"},
       {"protocol/wire/convert", "coordinator/log/record"}},
      {"Asio",
       {"boost/asio"},
       {},
       {"protocol/channel/", "coordinator/server/", "coordinator/client/",
        "participant_agents/server/", "chaos/proxy/", "chaos/load/", "chaos/faults/", "tests/"}},
  };
  return table;
}

// The cores are values: no clock, socket or thread reaches them but as an event.
const std::set<std::string_view>& impure_headers() {
  static const std::set<std::string_view> table = {
      "thread",    "mutex",      "shared_mutex", "condition_variable",
      "future",    "atomic",     "latch",        "barrier",
      "semaphore", "stop_token", "random",       "fstream",
      "ctime",     "time.h",     "unistd.h",     "fcntl.h",
      "pthread.h"};
  return table;
}

bool is_core(std::string_view area) {
  return area == "coordinator/core" || area == "participant_agents/core";
}

void add_reachable(const std::string& area, Areas& reached) {
  if (!reached.insert(area).second) return;
  const auto row = arrows().find(area);
  if (row == arrows().end()) return;
  for (const auto& next : row->second) add_reachable(next, reached);
}

bool starts_with_any(std::string_view text, const std::vector<std::string_view>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [text](std::string_view prefix) { return text.starts_with(prefix); });
}

bool ends_with_any(std::string_view text, const std::vector<std::string_view>& suffixes) {
  return std::any_of(suffixes.begin(), suffixes.end(),
                     [text](std::string_view suffix) { return text.ends_with(suffix); });
}

// protoc makes x.pb.h from x.proto, so it is there when that is.
std::string source_of(std::string_view target) {
  constexpr std::string_view kGenerated = ".pb.h";
  if (!target.ends_with(kGenerated)) return std::string(target);
  return std::string(target.substr(0, target.size() - kGenerated.size())) + ".proto";
}

std::string complain(std::string_view path, const Include& include, std::string_view why) {
  return fmt::format("{}:{}: includes {}: {}", path, include.line, include.target, why);
}

void check_wrapped(std::string_view path, const Include& include, std::vector<std::string>& out) {
  for (const auto& rule : wrapped_headers()) {
    const bool theirs = starts_with_any(include.target, rule.headers) ||
                        ends_with_any(include.target, rule.suffixes);
    if (!theirs || starts_with_any(path, rule.places)) continue;
    out.push_back(
        complain(path, include,
                 fmt::format("{} is seen only by {}", rule.what, fmt::join(rule.places, ", "))));
  }
}

void check_arrow(std::string_view path, const std::string& area, const Include& include,
                 const std::function<bool(const std::string&)>& exists,
                 std::vector<std::string>& out) {
  if (!exists(source_of(include.target))) {
    out.push_back(complain(path, include, "no such file; paths start at the repository root"));
    return;
  }
  if (area == "tests") return;  // tests look at everything
  Areas reached;
  add_reachable(area, reached);
  const std::string target_area = area_of(include.target);
  if (reached.contains(target_area)) return;
  out.push_back(
      complain(path, include, fmt::format("no arrow leads from {} to {}", area, target_area)));
}

}  // namespace

std::string area_of(std::string_view path) {
  if (path.starts_with("tests/")) return "tests";
  const auto first = path.find('/');
  const auto second = first == std::string_view::npos ? first : path.find('/', first + 1);
  return std::string(path.substr(0, second));
}

std::vector<Include> includes_of(std::string_view source) {
  std::vector<Include> found;
  std::istringstream lines{std::string(source)};
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    const std::string_view text = line;
    const auto hash = text.find_first_not_of(" \t");
    if (hash == std::string_view::npos || text[hash] != '#') continue;
    const auto word = text.find_first_not_of(" \t", hash + 1);
    if (word == std::string_view::npos || !text.substr(word).starts_with("include")) continue;
    const auto open = text.find_first_of("<\"", word);
    if (open == std::string_view::npos) continue;
    const bool quoted = text[open] == '"';
    const auto close = text.find(quoted ? '"' : '>', open + 1);
    if (close == std::string_view::npos) continue;
    found.push_back({number, quoted, std::string(text.substr(open + 1, close - open - 1))});
  }
  return found;
}

std::vector<std::string> violations(std::string_view path, std::string_view source,
                                    const std::function<bool(const std::string&)>& exists) {
  std::vector<std::string> out;
  const std::string area = area_of(path);
  if (area != "tests" && !arrows().contains(area)) {
    out.push_back(fmt::format("{}: the arrow table has no row for {}", path, area));
    return out;
  }
  for (const auto& include : includes_of(source)) {
    check_wrapped(path, include, out);
    if (include.quoted) check_arrow(path, area, include, exists, out);
    if (is_core(area) && impure_headers().contains(include.target)) {
      out.push_back(complain(path, include, "a core has no clock, socket or thread of its own"));
    }
  }
  return out;
}

}  // namespace assent::architecture
