#pragma once

#include <filesystem>

#include "chaos/campaign/house.h"

namespace assent::live {

// A deployment that stands there already, as its owner describes it in a file:
//
//   coordinator = "127.0.0.1:7400"
//   faults = ["idle", "malformed", "delay", "cut"]   # permitted of ours; none unless named
//
//   [[participant]]                # at least two, as the coordinator calls them
//   name = "points"
//   kind = "postgres"              # or "mariadb"
//   connection = "Driver={...};.." # ODBC; tables that it makes are the agent's to write: its own
//                                  # account will do
//   agent = "127.0.0.1:7401"       # optional: for `malformed`
//
//   [[command]]                    # a fault of yours; those of one name are one kind
//   name = "kill"
//   target = "coordinator"         # what it hits: no two faults hit one target at a time
//   start = "systemctl kill --signal=KILL assentd"   # /bin/sh -c; anything but 0 ends the run
//   heal = "systemctl start assentd"
//
// Of our faults it can have `idle`, `malformed`, and all of links: a proxy stands between our
// clients and the coordinator. Nobody else may use the participants' tables account, node and
// ledger: they are made, and dropped after a run that has passed.
//
// `faults`: those of them that are wanted; empty: all that the file permits. Throws SandboxError
// for a file that can't be used, with file, line and key, and for unknown names.
std::unique_ptr<House> make_deployment(const std::filesystem::path& config,
                                       const std::vector<std::string>& faults);

}  // namespace assent::live
