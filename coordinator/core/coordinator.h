#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "coordinator/core/config.h"
#include "coordinator/core/deed.h"
#include "coordinator/core/effects.h"
#include "coordinator/core/events.h"
#include "coordinator/core/look.h"
#include "coordinator/core/participant.h"
#include "coordinator/core/record.h"
#include "coordinator/core/recovery.h"
#include "coordinator/core/timers.h"
#include "coordinator/core/transaction.h"
#include "protocol/base/time.h"
#include "protocol/base/xid.h"

namespace assent::coordinator {

/// The two-phase commit coordinator as a value that takes events: no clock, socket, thread or file.
/// `step` is called by one at a time; the same events at the same times give the same effects.
///
/// Where to read: transaction.h has the states; submit.cc, interactive.cc and keys.cc what clients
/// ask; decision.cc the votes, the decision and phase two; damage.cc what stands against it;
/// agents.cc links and orphan scans; admin.cc, status.cc, looking.cc and truth.cc what people look
/// at; by_hand.cc what they do. What stops it from going on as usual: presume.cc decisions that are
/// missing, history.cc databases that lost theirs, clock.cc the clock; allow.cc lets a person say
/// that it is to go on all the same.
class Coordinator {
 public:
  /// `config` and `past` have been found good (Config::validate, check_past). Ages are counted from
  /// `now` for what is older than this opening.
  Coordinator(Config config, Past past, Now now);
  Coordinator(const Coordinator&) = delete;
  Coordinator& operator=(const Coordinator&) = delete;
  Coordinator(Coordinator&&) = default;  // participants stay where they are: map nodes don't move
  Coordinator& operator=(Coordinator&&) = default;
  ~Coordinator() = default;

  Effects step(Event event, Now now);

  /// When TimePassed is due if nothing else happens; nullopt: never.
  std::optional<Instant> next_deadline() const;

  /// The time for the next record: the wall clock's, while that can be trusted (R15).
  WallTime log_time() const { return log_time_; }
  /// It drains, and nothing is left that the process must stay for.
  bool drained() const;
  /// The highest record number that a person has given up; 0: none. Who was told of it is let in.
  std::uint64_t given_up_to() const { return given_up_to_; }
  /// All but the log's part.
  CoordinatorStatus status() const;

 private:
  /// A key being bound to "rolled back" or "expired" without a transaction (R15).
  struct Settlement {
    RollbackRecord record;
    std::vector<Waiter> waiters;
  };
  /// An allowance whose record is being forced.
  struct Allowing {
    ClientSessionId session{};
    RequestId request{};
    Allowance what = Allowance::kPresume;
    std::string participant;
    Incarnation incarnation{};         ///< kHistory: whose database the person has looked at
    std::vector<std::string> missing;  ///< what kPresume gives up
    std::uint64_t missing_to = 0;
    Epoch given_up_epoch{};
    std::set<LogId> lost_logs;
    std::vector<Xid> violations;  ///< what kViolation has seen
    ActionTold told;
  };
  /// What a forced record of a person's deed is for: its transaction is in `by_hand_`.
  struct DoneByHand {
    Gtrid gtrid;
  };
  /// What a forced record is for: a transaction's decision, a key's settlement, damage, a
  /// deed, an allowance; monostate: the forced record behind it.
  using Appended =
      std::variant<Gtrid, std::string, HeuristicRecord, DoneByHand, Allowing, std::monostate>;
  /// A branch that stands against the decision, or of which nothing can be told.
  struct Damaged {
    HeuristicRecord newest;  ///< may still be on its way to the log
    std::optional<HeuristicRecord> durable;
    bool repaired = false;  ///< `newest` says that it ended as decided since
    /// By the search through the log, or, for all that is known, by one of an earlier opening; not
    /// by phase two.
    bool found_lost = false;
    WallTime since;  ///< by the log
  };
  /// An ended transaction whose end record is durable when a forced record after it is.
  struct Ended {
    LogToken durable_with{};
    Gtrid gtrid;
    std::vector<Participant*> witnesses;
  };

  // ---- events, one handler each
  void on(ClientRequested event);
  void on(const ClientSessionClosed& event);
  void on(AgentConnected event);
  void on(const AgentDisconnected& event);
  void on(AgentReplied event);
  void on(const LogDurable& event);
  void on(const DecisionFound& event);
  void on(CommitsFound event);
  void on(const OutcomesFound& event);
  void on(const TimePassed& event);

  // ---- what clients ask (submit.cc, interactive.cc, keys.cc, admin.cc)
  void on_request(ClientRequested& asked, Submit& submit);
  void on_request(ClientRequested& asked, Begin& begin);
  void on_request(ClientRequested& asked, Execute& execute);
  void on_request(ClientRequested& asked, CommitTransaction& commit);
  void on_request(ClientRequested& asked, RollbackTransaction& rollback);
  void on_request(ClientRequested& asked, OutcomeOf& outcome_of);
  void on_request(ClientRequested& asked, ListTransactions& list);
  void on_request(ClientRequested& asked, ShowTransaction& show);
  void on_request(ClientRequested& asked, ListParticipants& list);
  void on_request(ClientRequested& asked, Allow& allow);
  void on_request(ClientRequested& asked, SetDrain& drain);
  void on_request(ClientRequested& asked, AskStatus& ask);
  void on_request(ClientRequested& asked, BackUpLog& backup);

  void on_request(ClientRequested& asked, ListInDoubt& list);
  void on_request(ClientRequested& asked, TellStory& tell);
  void on_request(ClientRequested& asked, RetryTransaction& retry);
  void on_request(ClientRequested& asked, ResolveTransaction& resolve);
  void on_request(ClientRequested& asked, ForgetDamage& forget);

  // ---- what agents answer (decision.cc, agents.cc)
  void on_reply(Participant& participant, Worked& worked);
  void on_reply(Participant& participant, Voted& voted);
  void on_reply(Participant& participant, Finished& finished);
  void on_reply(Participant& participant, PreparedList& list);
  void on_reply(Participant& participant, Inspected& inspected);
  void on_reply(Participant& participant, Pong& pong);

  // ---- keys (keys.cc, R15)
  /// Answers, or lets join, a request whose key is taken; false: the key is free.
  bool answered_by_key(ClientRequested& asked, const std::string& key, Waiter waiter);
  void join(Transaction& tx, const Waiter& waiter);
  void join(Settlement& settlement, const Waiter& waiter);
  void settle(Transaction& tx);
  /// Answers when the key's record is durable.
  void bind_without_transaction(std::string key, const RequestHash& hash,
                                std::optional<WallTime> not_after, Error reason,
                                const Waiter& waiter);
  Transaction* find_key(const std::string& key);
  void hold_key(const std::string& key, const Gtrid& gtrid);
  void release_key(const Transaction& tx);
  Answer answer_from(const Decided& decided);
  Answer answer_of(const Transaction& tx) const;

  // ---- attempts (submit.cc)
  Form form_of_first_attempt(const Request& request) const;
  void note_conflict(const Transaction& tx, bool conflict);
  void start_attempt(Request request, Form form);
  void start_next_attempt(Transaction& tx);
  void enlist_steps(Transaction& tx);
  static Branch& enlist(Transaction& tx, Participant& participant);
  std::optional<Error> refusal(const Request& request) const;
  std::optional<Error> refusal_of_new_work() const;
  std::optional<Error> refusal_of(const Participant& participant) const;
  void refuse(Request& request, const Error& why);

  // ---- interactive (interactive.cc)
  Result<Branch*> interactive_branch(Transaction& tx, const Step& step);
  void ask_end(Transaction& tx, const Waiter& waiter);
  void answer_unknown_transaction(const ClientRequested& asked);
  void forget_session(const Transaction& tx);

  // ---- work and votes (decision.cc)
  void send_next_work(Transaction& tx);
  void send_due_prepares(Transaction& tx);
  void send_steps(Transaction& tx, Branch& branch, AfterWork then);
  void send_statement(Transaction& tx, Branch& branch, Statement statement);
  void send_work(Transaction& tx, Branch& branch, std::vector<Statement> statements, AfterWork then,
                 Duration lock_wait);
  Duration left_for_agent(const Transaction& tx) const;
  void answer_statement(Branch& branch, Worked& worked);
  static void take_results(Transaction& tx, const Branch& branch,
                           std::vector<StatementResult>& results);
  static Error reason_in_request(const Branch& branch, std::optional<Error> told);
  void on_vote_while_undecided(Transaction& tx, Branch& branch, Voted& voted);
  void on_vote_after_rollback(Transaction& tx, Branch& branch, Voted& voted);

  // ---- decisions (decision.cc)
  void decide_commit(Transaction& tx);
  void on_commit_durable(Transaction& tx);
  void decide_rollback(Transaction& tx, const Error& reason);
  bool may_retry(const Transaction& tx) const;
  static Duration pause_before_next_attempt(const Transaction& tx);
  void plan_retry(Transaction& tx);
  void conclude_rollback(Transaction& tx);
  void reach_outcome(Transaction& tx, Outcome outcome);
  void append_forced(Record record, Appended what);
  void on_durable(const Gtrid& gtrid);
  void on_durable(const std::string& settled_key);
  void on_durable(const HeuristicRecord& record);
  void on_durable(const DoneByHand& done);
  void on_durable(std::monostate) {}

  // ---- phase two (decision.cc)
  void tell_decision(Transaction& tx, Branch& branch);
  /// False: nothing was sent, and no answer will come.
  bool send_decision(Transaction& tx, Branch& branch);
  void mark_done(Transaction& tx, Branch& branch);
  static void forget_branch(Participant& participant, const Gtrid& gtrid);
  void on_finished(Transaction& tx, Branch& branch, const Finished& finished);
  void settle_branch(const Transaction& tx, Branch& branch, BranchState state);
  void show_hazard(Transaction& tx, Branch& branch, const std::string& why);
  void violate(Transaction& tx, Branch& branch, const Finished& finished);
  void freeze(const Error& why);
  void freeze_for_violations();
  std::vector<Xid> violations() const;
  void allow_violations(const std::vector<Xid>& seen);
  bool shows_nothing(Evidence evidence, std::uint64_t number, const Gtrid& gtrid) const;
  Duration ago(WallTime when) const;

  // ---- damage (damage.cc)
  void pin(HeuristicRecord found);
  void repair(const Xid& xid, Evidence evidence, const std::string& how);
  void mark_damaged(Transaction& tx, Branch& branch);
  bool recorded_as_damaged(const Transaction& tx, const Branch& branch);
  bool damage_is_durable(const Participant& participant) const;
  bool damaged(const Transaction& tx) const;
  std::vector<Damage> damage_of(const Gtrid& gtrid) const;
  std::size_t lost_branches(const Participant& participant) const;
  Damaged* find_damage(const Xid& xid);
  Damaged* find_unrepaired(const Xid& xid);

  // ---- links, the prober (agents.cc)
  std::optional<Error> why_not_taken(const Participant& participant, const std::string& database);
  std::set<std::string> databases_of_branches(const Participant& participant);
  void turn_away(Participant& participant, const Error& why);
  void lose_link(Participant& participant, const std::string& why);
  void take_up_votes(Participant& participant, bool same_agent);
  void tell_all(Participant& participant);
  void on_unreached(Participant& participant, const Finished& finished);
  void on_reached(Participant& participant);
  void probe(Participant& participant);

  // ---- scans, orphans, witness rows (agents.cc)
  void ask_list(Participant& participant);
  void drop_hazards_not_in(Participant& participant, const PreparedList& list);
  void on_listed(Participant& participant, const PreparedBranch& listed);
  void on_listed_of(Transaction& tx, Participant& participant, const PreparedBranch& listed);
  void show_hazard(Participant& participant, const Xid& xid, const std::string& message);
  void show_other(Participant& participant, const Xid& xid);
  void commit_again(Participant& participant, const PreparedBranch& listed,
                    const CommitRecord& record);
  Transaction& take_committed(const CommitRecord& record);
  void recover(const CommitRecord& record, const RecordedAt& at);
  void roll_back_orphan(Participant& participant, const Gtrid& gtrid);
  void tell_orphan(Participant& participant, const Gtrid& gtrid, Orphan& orphan);
  void on_orphan_finished(Participant& participant, const Finished& finished);
  void collect_forgettable(LogToken durable);
  void send_forgettable(Participant& participant, std::size_t max);

  // ---- when nothing may be presumed (presume.cc)
  bool presumes() const;
  std::optional<Error> why_not_presume() const;
  void tried(Participant& participant);
  bool all_tried() const;
  /// It has just been opened, and what its participants' fence rows say is not known yet.
  bool awaits_fences() const;
  void on_fenced(const Participant& participant, const Error& why, FenceTold fence);
  void depose(const Participant& participant, const Error& why, Epoch by);
  void record_loss(LossRecord loss);
  bool miss(const std::string& what, std::uint64_t to);
  void notice_other_logs(const Participant& participant);
  void miss_log(LogId log_id, const std::string& what);
  bool is_ours(LogId log_id) const;
  bool may_have(const Participant& participant, LogId log_id) const;
  void stop_presuming();
  void on_unknown_branch(Participant& participant, const PreparedBranch& listed);
  std::optional<std::string> why_not_orphan(const Participant& participant,
                                            const Gtrid& gtrid) const;
  bool given_up(const Gtrid& gtrid) const;
  bool may_be_of_another(const Decided& decided) const;
  void hold(Participant& participant, const PreparedBranch& listed, const std::string& why);
  void look_again(Participant& participant);
  std::optional<Error> why_key_unknown() const;
  static Answer unknown_key(const Error& why);
  Result<std::vector<std::string>> plan_presuming() const;
  Result<std::vector<std::string>> plan_outliving() const;
  Epoch other_epoch() const;
  bool is_of_this_opening(const Gtrid& gtrid) const;
  void presume_again(const Allowing& allowing);

  // ---- databases whose history changed (history.cc)
  void note_newest(Participant& participant, const DecidedBranch& branch);
  void greet_history(Participant& participant);
  std::size_t commits_being_recorded(const Participant& participant) const;
  void look_at_history(Participant& participant);
  bool took_for_history(Participant& participant, const Inspected& inspected);
  void judge_newest(Participant& participant, const Inspected& inspected);
  void note_by_hand(Participant& participant);
  static bool may_lack_by_hand(const Participant& participant);
  void doubt_by_hand(Participant& participant);
  void judge_unheard_of(Participant& participant);
  static std::optional<std::string> set_back(const Participant& participant,
                                             const BranchSight& newest);
  static std::optional<std::string> fence_set_back(const Participant& participant);
  void judge_by_committed(Participant& participant);
  static bool newest_may_hide_loss(const Participant& participant);
  static std::optional<std::string> not_taken_back(Participant& participant);
  static void note_fence_told(Participant& participant, std::uint64_t top);
  bool shows_commit(const BranchSight& sight);
  bool stays_in_hazard(const Xid& xid, Evidence evidence);
  bool is_unfinished(Participant& participant, const Xid& xid);
  bool left_to_phase_two(Participant& participant, const Xid& xid);
  void history_is_good(Participant& participant);
  void tell_hazards(Participant& participant);
  /// Only commits recorded before that number are in doubt.
  void history_doubted(Participant& participant, const std::string& why,
                       std::uint64_t before = kNumberUnknown);
  void history_changed(Participant& participant, const std::string& why);
  void put_back(Participant& participant, const Error& why);
  void commit_not_shown(const Transaction& tx, Branch& branch);
  void quarantine(Participant& participant, const std::string& why);
  void search(Participant& participant, std::uint64_t before = kNumberUnknown);
  void search_on(Participant& participant);
  void judge_commits(Participant& participant, const Inspected& inspected);
  void judge_commit(Participant& participant, const NumberedCommit& found,
                    const BranchSight& sight);
  void search_ended(Participant& participant);
  void phase_two_answered(Participant& participant);
  std::string lost_text(const Participant& participant) const;
  static std::optional<Error> refusal_for_history(const Participant& participant);
  Result<std::vector<std::string>> plan_taking_back(const std::string& name) const;
  std::size_t unanswered_commits(const Participant& participant) const;
  std::optional<Error> take_back(const Allowing& allowing);
  void add_history_finding(const Participant& participant, std::vector<Finding>& findings) const;

  // ---- the clock (clock.cc, R15)
  void open_clock(WallTime log_time);
  void keep_time();
  void doubt_clock(const std::string& what);
  Result<std::vector<std::string>> plan_trusting_clock() const;
  void trust_clock();

  // ---- allowances (allow.cc)
  static Error nothing_to_allow(const std::string& why);
  Result<std::vector<std::string>> plan_of(const Allow& allow) const;
  void on_durable(const Allowing& allowing);

  // ---- drain, status (status.cc)
  void end_unasked();
  std::optional<Error> refusal_while_draining() const;
  std::vector<std::string> not_ready() const;
  void add_held(std::vector<std::string>& at_stake) const;
  void add_log_findings(std::vector<Finding>& findings) const;
  static void add_full_finding(const Participant& participant, std::vector<Finding>& findings);
  void add_given_up_finding(const Participant& participant, std::vector<Finding>& findings) const;
  void add_findings(const Participant& participant, std::vector<Finding>& findings) const;

  // ---- looking (looking.cc)
  void look(ClientRequested& asked, Look::Question question, Duration patience);
  void send_inspect(Participant& participant);
  std::vector<BranchAsked> branches_to_inspect(const Participant& participant);
  std::optional<BranchProof> proof_of(const Xid& xid, const Look& look);
  void give_up_inspect(Participant& participant, const Error& why);
  void on_due(LookId id);
  void forget_looks(ClientSessionId session);
  void on_looked(LookId id, Look& look);
  void choose_in_doubt(Look& look) const;
  void answer(Look& look, const ListInDoubt& list, const std::map<Gtrid, Decided>& decided);
  void answer(Look& look, const TellStory& tell, const std::map<Gtrid, Decided>& decided);
  void answer(Look& look, ResolveTransaction& resolve, const std::map<Gtrid, Decided>& decided);
  void answer(Look& look, ForgetDamage& forget, const std::map<Gtrid, Decided>& decided);

  // ---- the three truths (truth.cc)
  InDoubtTransaction truth_of(const Gtrid& gtrid, const Look& look, const Decided* decided);
  BranchTruth truth_of(const Xid& xid, const Look& look, const Decided* decided);
  std::set<std::string> participants_of(const Gtrid& gtrid, const Look& look,
                                        const Decided* decided);
  std::string waits_for(const Transaction& tx, const Branch& branch) const;

  // ---- doing by hand (by_hand.cc)
  Result<> plan_whole(Deed& deed, const ResolveTransaction& resolve, const Decided* decided);
  Result<> plan_unrecorded(Deed& deed, const ResolveTransaction& resolve);
  Result<> plan_finish(Deed& deed, const ResolveTransaction& resolve, const Decided* decided);
  static Result<> plan_finish_listed(Deed& deed, const Participant& participant,
                                     const BranchSight& sight);
  Result<> plan_declaration(Deed& deed, const ResolveTransaction& resolve, Decision logged);
  Result<> plan_forget(Deed& deed, const ForgetDamage& forget);
  std::optional<Decision> decision_of(const Gtrid& gtrid, const Decided* decided);
  bool waits_for_person(const Gtrid& gtrid) const;
  void go_on(Look& look, Deed deed, const Result<>& planned, const ByHand& hand);
  void carry_out(Deed& deed);
  void decide_by_hand(Deed& deed);
  void note_next_attempt(const Gtrid& before, const Gtrid& next);
  void roll_back_live(Deed& deed);
  void finish_listed(const Deed& deed);
  void declare(const Deed& deed);
  void forget_damage(const Deed& deed);

  // ---- moving on (coordinator.cc)
  /// Does whatever the transaction is ready for; every handler calls it last, because the
  /// transaction may be gone afterwards.
  void drive(Transaction& tx);
  void end(Transaction& tx);
  void remove(Transaction& tx);
  void on_due(Transaction& tx);
  void on_due(Participant& participant);
  void answer_late_waiters(Transaction& tx);
  void answer_waiters(Transaction& tx);
  void reply_outcome(Transaction& tx, const Waiter& waiter);
  void reschedule(Transaction& tx);
  void reschedule(Participant& participant);

  // ---- small things (coordinator.cc)
  Gtrid next_gtrid() const;
  Gtrid take_gtrid();
  Gtrid lowest_unfinished(const Participant& participant) const;
  /// Interactive transactions before it may open no branch at a further participant.
  Gtrid oldest_to_join() const;
  Transaction* find(const Gtrid& gtrid);
  Participant* find_participant(const std::string& name);
  template <typename Body>
  void send(Participant& participant, Body body);
  void reply(ClientSessionId session, RequestId request, ClientReply reply);
  void note(Note::Level level, std::string text);

  Config config_;
  LogId log_id_{};
  Epoch epoch_{};
  Instant opened_{};
  WallTime log_time_;           ///< never goes backwards (R15)
  Now trusted_;                 ///< when both clocks were last known to be right
  std::optional<Error> clock_;  ///< the wall clock is doubted: no new keys
  Now now_;                     ///< of the event being handled

  std::map<std::string, Participant> participants_;  ///< as configured; never changes
  std::map<Gtrid, Transaction> transactions_;        ///< all live ones (R2)
  std::map<std::string, Gtrid> keys_;                ///< of live transactions
  std::map<std::string, Settlement> settlements_;
  std::map<ClientSessionId, std::set<Gtrid>> sessions_;  ///< interactive ones not asked to commit
  std::set<Gtrid> interactive_;                          ///< those that may still open branches
  std::map<LogToken, Appended> appended_;
  std::deque<Ended> ended_;
  std::map<Gtrid, std::map<std::string, Damaged>> damage_;  ///< by participant; not forgotten yet
  std::map<LookId, Look> looks_;
  std::map<Gtrid, Deed> by_hand_;   ///< being recorded
  std::optional<Gtrid> low_water_;  ///< of the log, when it was last asked about a listed branch
  Timers timers_;

  std::uint64_t next_sequence_ = 1;
  std::uint64_t next_token_ = 1;
  std::uint64_t next_scan_ = 1;
  std::uint64_t next_look_ = 1;
  std::int64_t conflict_rate_ = 0;  ///< parts in 65,536, decaying (section 9)
  std::uint64_t next_serial_ = 1;
  std::optional<Error> frozen_;       ///< a violation was seen: no new work (R6)
  std::optional<Error> deposed_;      ///< another opening of the log has taken over (R10)
  std::string deposed_by_;            ///< which, for people; empty: none
  Epoch deposed_by_epoch_{};          ///< the highest of them; 0: not told
  std::vector<std::string> missing_;  ///< why decisions may be missing from the log
  std::uint64_t missing_to_ = 0;      ///< the highest of them that is known
  std::uint64_t given_up_to_ = 0;     ///< what a person has let go
  /// Logs that databases know under our name, and that are not ours (R10). Their branches are ours
  /// to show, and a person's to end.
  std::set<LogId> other_logs_;
  std::set<LogId> lost_logs_;             ///< those of them that have told of records
  std::set<LogId> given_up_logs_;         ///< by a person
  Epoch given_up_epoch_{};                ///< see Past
  std::uint64_t ends_missing_below_ = 0;  ///< see Past
  bool draining_ = false;
  Effects effects_;  ///< of the event being handled
};

}  // namespace assent::coordinator
