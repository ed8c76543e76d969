#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string_view>
#include <utility>

#include "coordinator/tools/commands.h"

namespace assent::tools {
namespace {

/// A copy of a long log takes its time.
constexpr Duration kCopyPatience = std::chrono::hours(1);
/// The databases are looked at twice, by a coordinator that may be busy.
constexpr Duration kActPatience = std::chrono::seconds(30);

/// "jo@host", or "root for jo@host" under sudo.
std::string who_acts() {
  const passwd* user = ::getpwuid(::getuid());
  const std::string login =
      user != nullptr ? std::string(user->pw_name) : fmt::format("uid {}", ::getuid());
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  const char* sudo = std::getenv("SUDO_USER");
  const std::string before = sudo != nullptr ? fmt::format("{} for {}", login, sudo) : login;
  return fmt::format("{}@{}", before, host.data());
}

ByHand by_hand(const Arguments& arguments) {
  return {.by = who_acts(), .reason = arguments.reason, .act = arguments.yes};
}

/// Fit to be pasted into a shell.
std::string quoted(const std::string& word) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=./:@,";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string made = "'";
  for (const char c : word) made += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return made + "'";
}

std::string again_with_yes(const Arguments& arguments) {
  std::string made = "assentctl";
  for (const std::string& word : arguments.command) made += " " + quoted(word);
  return made + " --yes";
}

ExitStatus act(const Arguments& arguments, ActionRequest request,
               Duration patience = kActPatience) {
  auto client = connect(arguments, patience);
  if (client.has_error()) return could_not_ask(arguments, client.error());
  const auto told = client->act(std::move(request));
  if (told.has_error()) return could_not_ask(arguments, told.error());
  print_action(arguments, *told);
  return told->refused ? ExitStatus::kRefused : ExitStatus::kCommitted;
}

ExitStatus set_drain(const Arguments& arguments, bool drain) {
  auto client = connect(arguments);
  if (client.has_error()) return could_not_ask(arguments, client.error());
  const auto status = client->drain(drain);
  if (status.has_error()) return could_not_ask(arguments, status.error());
  print(arguments, *status);
  const bool held_up = drain && !status->holding_up.empty();
  return held_up ? ExitStatus::kUnknown : ExitStatus::kCommitted;
}

std::optional<Allowance> allowance_of(std::string_view name) {
  for (const auto each :
       {Allowance::kPresume, Allowance::kHistory, Allowance::kClock, Allowance::kViolation}) {
    if (name == to_string(each)) return each;
  }
  return std::nullopt;
}

}  // namespace

void print_action(const Arguments& arguments, const ActionTold& told) {
  if (arguments.json) {
    fmt::print("{}\n", to_json(told));
  } else {
    fmt::print("{}", to_text(told, again_with_yes(arguments)));
  }
}

ExitStatus retry(const Arguments& arguments) {
  const auto gtrid = parse_gtrid(arguments.gtrid);
  if (!gtrid) return no_gtrid(arguments);
  return act(arguments, RetryTransaction{*gtrid});
}

ExitStatus resolve(const Arguments& arguments) {
  const auto gtrid = parse_gtrid(arguments.gtrid);
  if (!gtrid) return no_gtrid(arguments);
  return act(arguments, ResolveTransaction{
                            .gtrid = *gtrid,
                            .decision = arguments.commit ? Decision::kCommit : Decision::kRollback,
                            .participant = arguments.participant,
                            .despite = arguments.despite,
                            .hand = by_hand(arguments)});
}

ExitStatus forget(const Arguments& arguments) {
  const auto gtrid = parse_gtrid(arguments.gtrid);
  if (!gtrid) return no_gtrid(arguments);
  return act(arguments, ForgetDamage{.gtrid = *gtrid,
                                     .participant = arguments.participant,
                                     .hand = by_hand(arguments)});
}

ExitStatus allow(const Arguments& arguments) {
  const auto what = allowance_of(arguments.allowance);
  if (!what) {
    return bad_input(fmt::format("'{}' can't be allowed; presume, history, clock or violation can",
                                 arguments.allowance));
  }
  return act(
      arguments,
      Allow{.what = *what, .participant = arguments.participant, .hand = by_hand(arguments)});
}

ExitStatus drain(const Arguments& arguments) {
  return set_drain(arguments, true);
}

ExitStatus undrain(const Arguments& arguments) {
  return set_drain(arguments, false);
}

ExitStatus log_backup(const Arguments& arguments) {
  if (arguments.paths.size() > 1) return log_backup_offline(arguments);
  const auto path = std::filesystem::absolute(arguments.paths.front()).lexically_normal();
  return act(arguments, BackUpLog{path.string()}, kCopyPatience);
}

}  // namespace assent::tools
