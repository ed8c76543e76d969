#pragma once

#include "coordinator/tools/asking.h"

/// The verbs of assentctl.

namespace assent::tools {

// ---- paying (commands_pay.cc)
ExitStatus submit(const Arguments& arguments);
ExitStatus outcome(const Arguments& arguments);

// ---- looking (commands_look.cc)
ExitStatus list(const Arguments& arguments);
ExitStatus show(const Arguments& arguments);
ExitStatus participants(const Arguments& arguments);
ExitStatus status(const Arguments& arguments);
ExitStatus log_stats(const Arguments& arguments);

// ---- changing something (commands_act.cc)
ExitStatus retry(const Arguments& arguments);
ExitStatus resolve(const Arguments& arguments);
ExitStatus forget(const Arguments& arguments);
ExitStatus allow(const Arguments& arguments);
ExitStatus drain(const Arguments& arguments);
ExitStatus undrain(const Arguments& arguments);
ExitStatus log_backup(const Arguments& arguments);
/// With the command that does what was only planned.
void print_action(const Arguments& arguments, const ActionTold& told);

// ---- logs that no coordinator has open (commands_log.cc)
ExitStatus log_verify(const Arguments& arguments);
ExitStatus log_dump(const Arguments& arguments);
ExitStatus log_stats_offline(const Arguments& arguments);
ExitStatus log_backup_offline(const Arguments& arguments);

}  // namespace assent::tools
