#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "coordinator/tools/commands.h"

namespace assent::tools {
namespace {

constexpr const char* kExitStatuses =
    "Exit status:\n"
    "  0  committed; or shown, done, or (without --yes) fit to be done; status: ready\n"
    "  1  rolled back\n"
    "  2  wrong usage or bad input: no effect\n"
    "  3  unknown or in progress: ask again; status: not ready; drain: not yet drained;\n"
    "     list --in-doubt: a database did not answer, so the list may lack something\n"
    "  4  refused, or the coordinator is unreachable: no effect\n"
    "  5  no record\n"
    "  6  expired\n"
    "  7  log verify: the log is not whole\n"
    "\n"
    "What changes something (resolve, forget, allow) tells what it would do, and on what\n"
    "evidence, and does it only with --yes.";

class Commands {
 public:
  Commands() {
    app_.require_subcommand(1);
    app_.fallthrough();  // options may stand before or behind the verb
    app_.add_option("--coordinator", arguments_.coordinator, "HOST:PORT")
        ->envname("ASSENT_COORDINATOR")
        ->capture_default_str();
    app_.add_flag("--json", arguments_.json, "print one JSON object");
    app_.footer(kExitStatuses);
    add_paying();
    add_looking();
    add_acting();
    add_log();
  }

  int run(int argc, char** argv) {
    arguments_.command.assign(argv + 1, argv + argc);
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      return app_.exit(error) == 0 ? 0 : static_cast<int>(ExitStatus::kBadInput);
    }
    return static_cast<int>(chosen_(arguments_));
  }

 private:
  using Verb = ExitStatus (*)(const Arguments&);

  CLI::App* add(CLI::App& under, const std::string& name, const std::string& what, Verb verb) {
    CLI::App* command = under.add_subcommand(name, what);
    command->callback([this, verb] { chosen_ = verb; });
    return command;
  }

  CLI::App* add(const std::string& name, const std::string& what, Verb verb) {
    return add(app_, name, what, verb);
  }

  void add_paying() {
    add("submit", "run a transaction from a JSON file", submit)
        ->add_option("FILE", arguments_.file, "the file; - reads standard input")
        ->required();
    CLI::App* asked = add("outcome", "what became of an idempotency key", outcome);
    asked->add_option("--key", arguments_.key, "the key")->required();
    asked->add_flag("--settle", arguments_.settle, "bind an undecided key to rolled back first");
  }

  void add_looking() {
    add("status",
        "is it ready, and what needs a person; exit status 0: new work is taken, 3: it is not",
        status);
    add("list", "unfinished transactions", list)
        ->add_flag(
            "--in-doubt", arguments_.in_doubt,
            "with what log, coordinator and databases say of each branch, and whom it blocks");
    take_gtrid(add("show", "one transaction's whole story", show));
    add("participants", "databases and their agents", participants);
  }

  void add_acting() {
    take_gtrid(add("retry", "tell every unfinished branch again now", retry));
    add_resolve();
    CLI::App* forgotten =
        add("forget", "damage was seen and dealt with: show it no longer", forget);
    take_gtrid(forgotten);
    take_participant(forgotten, "only the damage there");
    take_hand(forgotten);
    CLI::App* allowed = add("allow", "what only a person may allow", allow);
    allowed
        ->add_option("WHAT", arguments_.allowance,
                     "presume: that what the log lacks was not decided; history: a participant "
                     "whose history changed; clock: that its jump was right; violation: new work "
                     "after one was seen")
        ->required();
    take_participant(allowed, "of history");
    take_hand(allowed);
    add("drain", "take no new work, finish the rest, say what holds it up", drain);
    add("undrain", "take work again", undrain);
  }

  void add_resolve() {
    CLI::App* resolved =
        add("resolve", "decide a transaction that nothing else can decide", resolve);
    take_gtrid(resolved);
    CLI::Option_group* decision = resolved->add_option_group("decision");
    decision->add_flag("--commit", arguments_.commit);
    decision->add_flag("--rollback", arguments_.rollback);
    decision->require_option(1);
    resolved->add_option("--despite", arguments_.despite, "a participant that need not be reached")
        ->allow_extra_args(false);
    take_participant(resolved, "only the branch there, which is in heuristic hazard");
    take_hand(resolved);
  }

  void add_log() {
    CLI::App* log = app_.add_subcommand("log", "decision logs");
    log->require_subcommand(1);
    take_folder(add(*log, "verify", "read and doubt all of a log that is closed", log_verify));
    take_folder(add(*log, "dump", "every record of a log that is closed", log_dump));
    add(*log, "stats", "how long and how big the coordinator's log is, or the one in DIR",
        log_stats)
        ->add_option("DIR", arguments_.paths, "folder of a log that is closed")
        ->expected(0, 1);
    add(*log, "backup", "copy the coordinator's log, or the one in DIR, marked as a copy",
        log_backup)
        ->add_option("[DIR] PATH", arguments_.paths,
                     "PATH must not exist; it is on the coordinator's host")
        ->required()
        ->expected(1, 2);
  }

  void take_folder(CLI::App* command) {
    command->add_option("DIR", arguments_.paths, "the log's folder (data_dir)")
        ->required()
        ->expected(1);
  }

  void take_gtrid(CLI::App* command) {
    command->add_option("GTRID", arguments_.gtrid, "such as 0123456789abcdef-1-2a")->required();
  }

  void take_participant(CLI::App* command, const std::string& what) {
    command->add_option("--participant", arguments_.participant, what);
  }

  void take_hand(CLI::App* command) {
    command->add_option("--reason", arguments_.reason, "why, for the audit record")->required();
    command->add_flag("--yes", arguments_.yes, "do it");
  }

  Arguments arguments_;
  Verb chosen_ = nullptr;
  CLI::App app_{"assentctl: submit transactions to Assent, see what became of them, and help."};
};

}  // namespace
}  // namespace assent::tools

int main(int argc, char** argv) {
  return assent::tools::Commands().run(argc, argv);
}
