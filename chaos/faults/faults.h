#pragma once

#include <memory>
#include <string>
#include <vector>

#include "chaos/faults/fault.h"

// Every fault that there is.
namespace assent::live {

// fault_process.cc
std::unique_ptr<Fault> make_kill();     // SIGKILL; heal starts it again
std::unique_ptr<Fault> make_pause();    // SIGSTOP, SIGCONT
std::unique_ptr<Fault> make_restart();  // stopped in good order; heal starts it again

// fault_clock.cc, fault_clients.cc, fault_foreign.cc, fault_hand.cc
std::unique_ptr<Fault> make_clock();      // the coordinator's host: by seconds, or by days
std::unique_ptr<Fault> make_idle();       // 1,000 connections on which nobody says anything
std::unique_ptr<Fault> make_malformed();  // connections on which anything is said
std::unique_ptr<Fault> make_foreign();    // a prepared branch of somebody else
std::unique_ptr<Fault> make_exhausted();  // max_prepared_transactions of them
std::unique_ptr<Fault> make_hand();       // ROLLBACK PREPARED of one of ours: damage

// fault_copy.cc: the wrong backup is restored, and later the right data
std::unique_ptr<Fault> make_old_log();       // nobody may take it for the log
std::unique_ptr<Fault> make_old_database();  // gets no new work until a person takes it back

// fault_limits.cc
std::unique_ptr<Fault> make_no_connections();  // the agent's sessions end, and it gets no others
std::unique_ptr<Fault> make_no_descriptors();  // a process of ours can open nothing more

// fault_link.cc: delay, throttle, cut, unreachable, black-hole, one-way, half-open; of frames
// duplicate, reorder, flip, truncate
std::vector<std::unique_ptr<Fault>> make_link_faults();

// fault_disk.cc: each part with data has a disk of its own then
std::unique_ptr<Fault> make_power_cut();    // what was not synced is lost; heal starts it again
std::unique_ptr<Fault> make_full_disk();    // heal makes room and starts it again
std::unique_ptr<Fault> make_slow_sync();    // the coordinator's, by up to half a second
std::unique_ptr<Fault> make_failed_sync();  // the coordinator's next; heal starts it again

using Faults = std::vector<std::unique_ptr<Fault>>;

// Those of these names, in their order. Throws SandboxError, listing all, for a name that none has.
Faults choose_faults(Faults all, const std::vector<std::string>& names);

// The same, of all of the above; all when there are no names.
Faults make_faults(const std::vector<std::string>& names);

// Those that need nothing of a sandbox: idle, malformed, and what befalls links.
Faults make_faults_for_any_site();

}  // namespace assent::live
