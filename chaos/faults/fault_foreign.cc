// Prepared branches of somebody else: one that must be left alone, or as many as a database holds.

#include <algorithm>

#include "chaos/faults/faults.h"
#include "chaos/faults/sandbox_fault.h"
#include "chaos/load/evidence.h"
#include "protocol/base/xid.h"

namespace assent::live {
namespace {

using workload::ForeignBranch;

constexpr std::chrono::seconds kTakenBackWithin{10};
constexpr LogId kOtherLog{0xfeedfacefeedfaceULL};
constexpr const char* kTable = "CREATE TABLE IF NOT EXISTS stranger (id bigint);\n";

std::string prepare_sql(DatabaseKind kind, const std::string& name) {
  const std::string work = "INSERT INTO stranger VALUES (1);\n";
  if (kind == DatabaseKind::kPostgres)
    return "BEGIN; " + work + "PREPARE TRANSACTION " + name + ";\n";
  return "XA START " + name + "; " + work + "XA END " + name + "; XA PREPARE " + name + ";\n";
}

std::string rollback_sql(DatabaseKind kind, const std::string& name) {
  return (kind == DatabaseKind::kPostgres ? "ROLLBACK PREPARED " : "XA ROLLBACK ") + name + ";\n";
}

// As the database lists it; empty: it does not.
std::string listed(Sandbox& sandbox, const Participant& at, const std::string& token) {
  for (const std::string& branch : prepared_branches(sandbox, at)) {
    if (branch.find(token) != std::string::npos) return branch;
  }
  return "";
}

class OnParticipant : public SandboxFault {
 public:
  std::vector<std::string> parts() const override { return {"db-" + at_.name}; }

 protected:
  const Participant& at() const { return at_; }
  DatabaseServer& database() const { return sandbox().database(at_.name); }
  void choose(const Participant& participant) { at_ = participant; }

 private:
  Participant at_;
};

// Of a name of its own, or one as we give them, of another log (R3).
class Foreign : public OnParticipant {
  std::string name() const override { return "foreign"; }

  std::string aim(workload::Random& random, Site&) override {
    choose(random.one_of(sandbox().spec().participants));
    const Xid xid{{kOtherLog, Epoch{1}, Sequence{++drawn_}}, at().name};
    const bool like_ours = random.one_in(2);
    const bool postgres = at().kind == DatabaseKind::kPostgres;
    token_ = like_ours ? to_string(xid.gtrid) : "stranger-" + std::to_string(drawn_);
    quoted_ = "'" + (like_ours && postgres ? to_gid(xid) : token_) + "'";
    if (like_ours && !postgres) quoted_ += ",'" + xid.bqual + "'," + std::to_string(kFormatId);
    return "db-" + at().name + " " + token_;
  }

  void start(Scene& scene) override {
    database().query(at().name, kTable + prepare_sql(at().kind, quoted_));
    const std::string branch = listed(sandbox(), at(), token_);
    if (branch.empty()) throw SandboxError("db-" + at().name + " does not list " + token_);
    mine_ = scene.injected.foreign.size();
    scene.injected.foreign.push_back({at().name, branch});
  }

  // Somebody who took it away is found out here. A MariaDB may still be about to let go of the
  // session that prepared it.
  void heal(Scene& scene) override {
    ForeignBranch& mine = scene.injected.foreign.at(mine_);
    const auto take_back = [&] {
      const auto ended = database().run_sql(at().name, rollback_sql(at().kind, quoted_));
      mine.taken_back = ended.end.succeeded();
      return mine.taken_back || listed(sandbox(), at(), token_).empty();
    };
    wait_until(take_back, kTakenBackWithin);
  }

  std::string token_;
  std::string quoted_;
  std::size_t mine_ = 0;
  std::uint64_t drawn_ = 0;
};

// All that max_prepared_transactions allows is prepared by others.
class Exhausted : public OnParticipant {
  std::string name() const override { return "exhausted"; }

  std::string aim(workload::Random& random, Site&) override {
    std::vector<Participant> candidates =
        sandbox().spec().participants;  // a MariaDB has no such limit
    std::erase_if(candidates,
                  [](const Participant& each) { return each.kind != DatabaseKind::kPostgres; });
    if (!candidates.empty()) choose(random.one_of(candidates));
    return "db-" + at().name + " max_prepared_transactions";
  }

  void start(Scene& scene) override {
    DatabaseServer& postgres = database();
    const std::string most =
        postgres.query_value(at().name, "SELECT current_setting('max_prepared_transactions');");
    std::string sql = kTable;
    for (int i = 0; i < std::stoi(most); ++i)
      sql += prepare_sql(at().kind, "'filler-" + std::to_string(i) + "'");
    postgres.run_sql(at().name, sql);  // until there is no room: ours are in the way
    for (const std::string& branch : fillers())
      scene.injected.foreign.push_back({at().name, branch});
  }

  void heal(Scene& scene) override {
    std::string sql;
    for (const std::string& branch : fillers()) sql += rollback_sql(at().kind, "'" + branch + "'");
    const bool ended = database().run_sql(at().name, sql).end.succeeded();
    for (ForeignBranch& each : scene.injected.foreign) {
      if (each.participant == at().name && each.name.starts_with("filler-"))
        each.taken_back = ended;
    }
  }

  std::vector<std::string> fillers() const {
    std::vector<std::string> all = prepared_branches(sandbox(), at());
    std::erase_if(all, [](const std::string& name) { return !name.starts_with("filler-"); });
    return all;
  }
};

}  // namespace

std::unique_ptr<Fault> make_foreign() {
  return std::make_unique<Foreign>();
}

std::unique_ptr<Fault> make_exhausted() {
  return std::make_unique<Exhausted>();
}

}  // namespace assent::live
