#include <cstdio>
#include <utility>

#include "coordinator/tools/commands.h"

namespace assent::tools {
namespace {

/// `ask(client)` gives what is shown.
template <typename Ask>
ExitStatus ask_and_print(const Arguments& arguments, const Ask& ask) {
  auto client = connect(arguments);
  if (client.has_error()) return could_not_ask(arguments, client.error());
  const auto found = ask(*client);
  if (found.has_error()) return could_not_ask(arguments, found.error());
  print(arguments, *found);
  return ExitStatus::kCommitted;
}

/// An empty list is good news only when everybody was asked.
ExitStatus list_in_doubt(const Arguments& arguments) {
  bool complete = true;
  const auto ask = [&complete](Client& client) {
    auto list = client.in_doubt();
    complete = list.has_error() || list->unreached.empty();
    return list;
  };
  const ExitStatus exit = ask_and_print(arguments, ask);
  return exit == ExitStatus::kCommitted && !complete ? ExitStatus::kUnknown : exit;
}

}  // namespace

ExitStatus list(const Arguments& arguments) {
  if (arguments.in_doubt) return list_in_doubt(arguments);
  return ask_and_print(arguments, [](Client& client) { return client.transactions(); });
}

ExitStatus show(const Arguments& arguments) {
  const auto gtrid = parse_gtrid(arguments.gtrid);
  if (!gtrid) return no_gtrid(arguments);
  auto client = connect(arguments);
  if (client.has_error()) return could_not_ask(arguments, client.error());
  const auto story = client->story({.gtrid = *gtrid});
  if (story.has_error()) return could_not_ask(arguments, story.error());
  if (!story->transaction && story->lines.empty()) {
    fmt::print(stderr, "assentctl: nothing is known of {}\n", arguments.gtrid);
    return ExitStatus::kNoRecord;
  }
  print(arguments, *story);
  return ExitStatus::kCommitted;
}

ExitStatus participants(const Arguments& arguments) {
  return ask_and_print(arguments, [](Client& client) { return client.participants(); });
}

ExitStatus status(const Arguments& arguments) {
  bool takes_work = false;
  const auto ask = [&takes_work](Client& client) {
    auto status = client.status();
    takes_work = status.has_value() && status->ready && !status->draining;
    return status;
  };
  const ExitStatus exit = ask_and_print(arguments, ask);
  return exit == ExitStatus::kCommitted && !takes_work ? ExitStatus::kUnknown : exit;
}

ExitStatus log_stats(const Arguments& arguments) {
  if (!arguments.paths.empty()) return log_stats_offline(arguments);
  const auto ask = [](Client& client) -> Result<LogStats> {
    auto status = client.status();
    if (status.has_error()) return status.error();
    return status->log;
  };
  return ask_and_print(arguments, ask);
}

}  // namespace assent::tools
