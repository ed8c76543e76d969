#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/core/coordinator.h"

/// Plays one story: a coordinator core, a log that remembers what was made durable, and a clock;
/// agents and clients speak only when the story says so. See testdata/coordinator/README for the
/// commands.

namespace assent::coordinator {

class Story {
 public:
  Story();

  /// Carries out one command and returns what the coordinator did, a line for each effect. Throws
  /// std::exception on a command that it doesn't know.
  std::string play(const std::string& command);

 private:
  class Words;
  using Handler = void (Story::*)(Words&);

  void config(Words& words);
  void connect(Words& words);
  void disconnect(Words& words);
  void submit(Words& words);
  void begin(Words& words);
  void execute(Words& words);
  void commit(Words& words);
  void rollback(Words& words);
  void close(Words& words);
  void outcome(Words& words);
  void settle(Words& words);
  void worked(Words& words);
  void voted(Words& words);
  void finished(Words& words);
  void list(Words& words);
  void found(Words& words);
  void inspected(Words& words);
  void commits(Words& words);
  void allow(Words& words);
  void drain(Words& words);
  void status(Words& words);
  void in_doubt(Words& words);
  void story(Words& words);
  void retry(Words& words);
  void resolve(Words& words);
  void forget(Words& words);
  void looked(Words& words);
  struct Written {
    WallTime when;
    Epoch epoch{};
  };

  static ByHand hand(Words& words);
  void missing(Words& words);
  void durable(Words& words);
  void time(Words& words);
  void wall(Words& words);
  void crash(Words& words);
  void show(Words& words);
  void transactions(Words& words);
  void participants(Words& words);

  void open();
  void request(Words& words, ClientRequest body, RequestHash hash, std::optional<Decided> known);
  void answer(Words& words, const std::string& participant, decltype(AgentReply::body) body);
  void step(Event event);
  void remember(const Effect& effect);
  void write(const Record& record);
  std::optional<Decided> find_key(const std::string& key) const;
  std::optional<Decided> find_gtrid(const Gtrid& gtrid) const;
  std::vector<ToldRecord> find_story(const ClientRequest& body) const;
  static void take_loss(const Record& record, Epoch epoch, Past& past);
  std::vector<HeuristicRecord> damaged() const;
  std::set<LogId> given_up_logs() const;

  Config config_;
  std::unique_ptr<Coordinator> coordinator_;
  Now now_{{std::chrono::seconds(100)}, {1'000'000}};
  std::uint32_t epoch_ = 0;
  std::uint64_t next_request_ = 1;
  std::map<std::string, std::uint64_t> incarnations_;
  std::map<std::string, std::uint64_t> scans_;  ///< the last one asked for
  std::map<std::pair<Gtrid, std::string>, Decision> told_;
  std::map<std::pair<Gtrid, std::string>, std::uint32_t> worked_;  ///< first index last asked for
  std::deque<FindDecision> lookups_;
  std::deque<FindCommits> searches_;
  std::deque<FindOutcomes> outcome_lookups_;
  std::map<std::string, Inspect> inspects_;  ///< the last one of each participant
  std::optional<Gtrid> low_water_;
  std::vector<std::string> missing_;  ///< of the next opening
  std::uint64_t missing_to_ = 0;
  std::deque<std::pair<std::optional<LogToken>, Record>> queued_;  ///< appended, not durable
  std::vector<std::pair<Record, bool>> log_;                       ///< durable; whether ended
  std::vector<Written> written_;                                   ///< each of them
  std::uint64_t missing_from_ = 0;                                 ///< of the next openings
  std::string output_;
};

}  // namespace assent::coordinator
