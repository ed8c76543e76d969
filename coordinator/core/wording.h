#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "coordinator/core/record.h"
#include "protocol/base/outcome.h"
#include "protocol/base/time.h"
#include "protocol/message/agent.h"

/// How findings, plans and refusals say things to people.

namespace assent::coordinator {

/// The command that tells what it would allow.
std::string command_to(Allowance what, const std::string& participant = "");
/// To be completed by a person. Typed as it stands it only shows the plan: never with --yes.
std::string with_reason(std::string command);

std::string_view to_string(HandAction action);  ///< resolve, finish, forget, allow

/// The command that shows what a whole transaction's end by hand would be; a shell takes it as it
/// stands.
std::string command_to_resolve(const Gtrid& gtrid);

/// "log 0123456789abcdef, a lost log of this coordinator"
std::string other_log_text(LogId log_id);

std::string age_text(Duration age);  ///< "42 s", "3 min", "5 h", "2 days"

/// "xid=.. prepared 3 min ago", without the age where the database doesn't tell it.
std::string prepared_text(const PreparedBranch& listed, Duration since_listed);

/// Adds a sentence, unless there are as many as a Finding may hold.
void add_stake(std::vector<std::string>& at_stake, std::string sentence);

}  // namespace assent::coordinator
