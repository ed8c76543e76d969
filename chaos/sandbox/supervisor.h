#pragma once

#include <string>

#include "chaos/sandbox/control.h"
#include "chaos/sandbox/sandbox.h"

// The process behind `assent-sandbox up`: parent of every process of a sandbox, which therefore are
// reaped when they die (an unreaped postmaster blocks its restart) and die with it.
namespace assent::live {

// Starts a supervisor in the background, in spec.directory, and returns when all parts are ready.
// A new sandbox is made in a missing or empty folder; in a folder that holds one, that one is
// started again with its data. Throws SandboxError when it cannot be done: what was begun is
// undone.
void start_supervisor(const SandboxSpec& spec);

// "NAME  running  pid 123  port 7400", a line a part.
std::string describe(const std::vector<PartStatus>& parts);

}  // namespace assent::live
