// Logs that no coordinator has open, by their folders.

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "coordinator/log/leveldb_offline.h"
#include "coordinator/tools/commands.h"
#include "coordinator/tools/json_parts.h"

namespace assent::tools {
namespace {

using coordinator::LogFindings;
using coordinator::OfflineLog;

void print_findings(const Arguments& arguments, const LogFindings& found) {
  if (arguments.json) {
    const boost::json::object made{{"there", texts(found.there)}, {"wrong", texts(found.wrong)}};
    fmt::print("{}\n", boost::json::serialize(made));
    return;
  }
  for (const std::string& sentence : found.there) fmt::print("{}\n", sentence);
  fmt::print("{}", found.wrong.empty() ? "the log is whole\n" : "\nwrong\n");
  for (const std::string& sentence : found.wrong) fmt::print("  {}\n", sentence);
}

}  // namespace

ExitStatus log_verify(const Arguments& arguments) {
  auto log = OfflineLog::open(arguments.paths.front());
  if (log.has_error()) return could_not_ask(arguments, log.error());
  const LogFindings found = (*log)->verify();
  print_findings(arguments, found);
  return found.wrong.empty() ? ExitStatus::kCommitted : ExitStatus::kDamaged;
}

ExitStatus log_dump(const Arguments& arguments) {
  auto log = OfflineLog::open(arguments.paths.front());
  if (log.has_error()) return could_not_ask(arguments, log.error());
  const auto print_line = [&arguments](std::string_view line) {
    if (arguments.json) {
      fmt::print("{}\n", boost::json::serialize(boost::json::object{{"record", text(line)}}));
    } else {
      fmt::print("{}\n", line);
    }
  };
  const auto dumped = (*log)->dump(print_line);
  return dumped.has_error() ? could_not_ask(arguments, dumped.error()) : ExitStatus::kCommitted;
}

ExitStatus log_stats_offline(const Arguments& arguments) {
  auto log = OfflineLog::open(arguments.paths.front());
  if (log.has_error()) return could_not_ask(arguments, log.error());
  const auto stats = (*log)->stats();
  if (stats.has_error()) return could_not_ask(arguments, stats.error());
  print(arguments, *stats);
  return ExitStatus::kCommitted;
}

ExitStatus log_backup_offline(const Arguments& arguments) {
  auto log = OfflineLog::open(arguments.paths.front());
  if (log.has_error()) return could_not_ask(arguments, log.error());
  const std::string& to = arguments.paths.back();
  const auto copied = (*log)->back_up(to);
  if (copied.has_error()) return could_not_ask(arguments, copied.error());
  ActionTold told;
  told.acted = true;
  told.plan = {"the log is copied to " + to};
  told.next = "assentctl log verify " + to;
  print_action(arguments, told);
  return ExitStatus::kCommitted;
}

}  // namespace assent::tools
