#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "chaos/faults/fault.h"
#include "chaos/load/evidence.h"
#include "chaos/workload/durability.h"
#include "chaos/workload/health.h"
#include "chaos/workload/log_evidence.h"

namespace assent::live {

// What a campaign puts under load and judges: a sandbox of its own (sandbox_house.h), or a
// deployment that stands there already (deployment.h). Of one thread but where it says otherwise.
class House : public Site {
 public:
  struct Skipped {
    std::string fault;
    std::string why;
  };

  // What can be told at the end.
  struct Books {
    std::vector<workload::Evidence> evidence;  // for each workload
    // nullopt: nobody but its owner can read it here.
    std::optional<workload::LogEvidence> log;
    std::string log_text;  // as `assentctl log dump` prints it
    // Where the log was read: its syncs, and the commits on the coordinator's links.
    std::vector<workload::Sync> syncs;
    std::vector<workload::CommitSent> commits;
  };

  // What the clients call: a link of the proxy's.
  virtual std::string coordinator_address() const = 0;

  virtual const std::vector<std::unique_ptr<Fault>>& faults() const = 0;
  virtual const std::vector<Skipped>& skipped() const = 0;

  // Those that it has tables for, or can be given them.
  virtual Workloads workloads() const = 0;

  // Makes the tables and fills them. Everything runs afterwards.
  virtual void set_up(const Workloads& workloads) = 0;

  // Each call begins conversations of their own.
  virtual std::vector<Looked> look() = 0;

  // What the processes hold that we have started, by part. Any thread.
  virtual std::map<std::string, workload::Use> use() const { return {}; }

  // Nothing is asked of the house any more.
  virtual Books close_books(const Workloads& workloads) = 0;

  // What the processes have said, if that can be had.
  virtual void keep_logs(const std::filesystem::path& /*folder*/) const {}

  // After the verdict. Not called when the run was given up.
  virtual void clear_away(const Workloads& /*workloads*/) {}
};

}  // namespace assent::live
