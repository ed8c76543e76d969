#include "coordinator/log/record.h"

#include <catch2/catch.hpp>

#include "coordinator/log/leveldb_keys.h"
#include "protocol/base/crc32c.h"
#include "tests/log/example_records.h"
#include "tests/log/golden.h"

namespace assent::coordinator {
namespace {

using assent::testing::read_golden;
using assent::testing::to_hex;

constexpr LogId kLog{0x0123456789abcdef};
constexpr std::size_t kHeaderSize = 36;
constexpr std::size_t kChecksumAt = 32;

struct Golden {
  std::string file;
  RecordHeader header;
  RecordPayload payload;
};

RecordHeader header(std::uint64_t number, bool forced) {
  return {.forced = forced,
          .epoch = Epoch{3},
          .number = number,
          .log_time = testing::kExampleTime,
          .previous = 0xA1B2C3D4};
}

std::vector<Golden> golden_records() {
  const auto commit = testing::example_commit(kLog, Epoch{3}, 42);
  CommitRecord no_branches;
  no_branches.gtrid = {kLog, Epoch{2}, Sequence{7}};
  no_branches.key = "order-8123";
  no_branches.request_hash.fill(0x5A);
  no_branches.not_after = WallTime{0};
  RollbackRecord settled;
  settled.gtrid = {kLog, Epoch{3}, Sequence{0}};
  settled.key = std::string("any\0bytes\xFF", 10);
  settled.reason = {.code = ErrorCode::kSettled, .message = "settled by its caller"};
  auto by_hand = commit;
  by_hand.by_hand = true;
  auto of_takeover = commit;
  of_takeover.branches[0].proof.database.takeover = 0x0FEDCBA987654321;
  auto proved = testing::end_of(commit);
  proved.ends = {{"points", Evidence::kTransactionStatus}, {"payments", Evidence::kWitnessRow}};
  const HeuristicRecord heuristic = testing::example_heuristic(kLog, Epoch{3}, 42);
  HandRecord resolve;
  resolve.action = HandAction::kResolve;
  resolve.gtrid = commit.gtrid;
  resolve.decision = Decision::kCommit;
  resolve.despite = {"payments"};
  resolve.evidence = {"points: prepared for 3 h", "payments: not reached"};
  resolve.by = "ops@host";
  resolve.reason = "customer was told so";
  HandRecord allow;
  allow.action = HandAction::kAllow;
  allow.allowance = Allowance::kPresume;
  allow.missing_to = 815;
  allow.by = "ops@host";
  allow.reason = "the disk is lost";
  HandRecord give_up = allow;
  give_up.missing_to = 0;
  give_up.lost_logs = {LogId{7}, LogId{0xFEDC}};
  CheckpointRecord given_up;
  given_up.given_up_logs = give_up.lost_logs;
  CheckpointRecord recovery;
  recovery.damaged = {{65, 0x01020304}};
  recovery.newest = {{57, commit.branches[0]}};
  recovery.last_hand = link_to(66, "the bytes of record 66");
  recovery.missing = {{Missing::Why::kEnd, 813, 815, true}};
  recovery.opening = 62;
  CheckpointRecord damage;
  CheckpointRecord away;
  away.unproved = {{57, 180'000}, {62, 3'600'000}};
  damage.missing = {{Missing::Why::kDamaged, 4, 4, false},
                    {Missing::Why::kBroken, 6, 7, true},
                    {Missing::Why::kUnindexed, 9, 9, false},
                    {Missing::Why::kUnread, 12, 0, false}};
  HeuristicRecord violation = heuristic;
  violation.violation = true;
  CheckpointRecord allowed;
  allowed.violation_allowed = 67;
  CheckpointRecord taken_back;
  taken_back.taken_back = {{"payments", 67}, {"points", 66}};
  CheckpointRecord by_hands;
  by_hands.by_hand = {{"payments", 67}};
  CheckpointRecord nonces;
  nonces.held = {{Epoch{1}, 0}, {Epoch{3}, 61, 0xFEDCBA9876543210}};
  const LossRecord loss{"participant points was told of record 815, which this log does not hold",
                        815};
  CheckpointRecord lost;
  lost.missing = {{Missing::Why::kShown, 63, 815, false, loss.what}};
  lost.held = {{Epoch{1}, 0}, {Epoch{3}, 61}};
  HandRecord outlive = allow;
  outlive.missing_to = 0;
  outlive.above = Epoch{7};
  CheckpointRecord outlived;
  outlived.above = Epoch{7};
  CheckpointRecord of_commits;
  of_commits.oldest = 57;
  of_commits.low_water = Gtrid{kLog, Epoch{1}, Sequence{900}};
  CheckpointRecord removed = of_commits;
  removed.removed_commit = 43;
  of_commits.newest_forced = 62;
  of_commits.unfinished = {{57, 1}, {300, 0xFFFFFFFF}};
  of_commits.removed_commit = 56;
  return {
      {"commit", header(57, true), commit},
      {"commit_without_branches", header(58, true), no_branches},
      {"rollback", header(59, true), testing::example_rollback(kLog, Epoch{3}, 43)},
      {"rollback_settled", header(60, true), settled},
      {"end", header(61, false), testing::end_of(commit)},
      {"opening", header(62, true), OpeningRecord{kLog, 0xFEDCBA9876543210}},
      {"checkpoint", header(10'063, false), of_commits},
      {"checkpoint_empty", header(10'064, false), CheckpointRecord{}},
      {"commit_by_hand", header(63, true), by_hand},
      {"commit_of_takeover", header(63, true), of_takeover},
      {"end_with_evidence", header(64, false), proved},
      {"opening_with_missing", header(816, true),
       OpeningRecord{kLog, 5, {{Missing::Why::kEnd, 813, 815, false}}}},
      {"checkpoint_of_recovery", header(10'065, false), recovery},
      {"checkpoint_of_damage", header(10'066, false), damage},
      {"checkpoint_of_unproved_time", header(10'067, false), away},
      {"checkpoint_of_violation", header(10'068, false), allowed},
      {"heuristic", header(65, true), heuristic},
      {"heuristic_violation", header(68, true), violation},
      {"hand_resolve", header(66, true), ChainedHand{resolve, {}}},
      {"hand_allow", header(67, true), ChainedHand{allow, link_to(66, "the bytes of record 66")}},
      {"hand_give_up", header(68, true),
       ChainedHand{give_up, link_to(67, "the bytes of record 67")}},
      {"checkpoint_given_up", header(10'066, false), given_up},
      {"hand_outlive", header(70, true), ChainedHand{outlive, {}}},
      {"checkpoint_outlived", header(10'070, false), outlived},
      {"loss", header(69, false), loss},
      {"checkpoint_of_loss", header(10'069, false), lost},
      {"checkpoint_of_taken_back", header(10'070, false), taken_back},
      {"checkpoint_of_by_hand", header(10'071, false), by_hands},
      {"checkpoint_of_nonces", header(10'071, false), nonces},
      {"checkpoint_of_removed", header(10'072, false), removed},
  };
}

std::string encode(RecordHeader header, const RecordPayload& payload) {
  std::string out;
  std::visit([&](const auto& record) { encode_record(header, record, out); }, payload);
  return out;
}

void put_u32(std::string& bytes, std::size_t at, std::uint32_t value) {
  for (std::size_t i = 0; i < 4; ++i) bytes[at + i] = static_cast<char>(value >> (8 * i));
}

// As a newer or a wrong program would have written it: size and checksum are right.
std::string sealed(std::string bytes) {
  put_u32(bytes, 28, static_cast<std::uint32_t>(bytes.size() - kHeaderSize));
  const auto checksum = crc32c(bytes.substr(kHeaderSize), crc32c(bytes.substr(0, kChecksumAt)));
  put_u32(bytes, kChecksumAt, checksum);
  return bytes;
}

std::string with_byte(std::string bytes, std::size_t at, int value) {
  bytes[at] = static_cast<char>(value);
  return sealed(bytes);
}

std::string refusal(const std::string& bytes) {
  const auto record = decode_record(bytes);
  if (record) return "accepted";
  CHECK(record.error().code == ErrorCode::kLogUnavailable);
  return record.error().message;
}

TEST_CASE("records are written as the golden files have them, for ever", "[log][golden]") {
  for (const auto& golden : golden_records()) {
    const auto bytes = encode(golden.header, golden.payload);
    INFO(golden.file << ":\n" << to_hex(bytes));
    CHECK(to_hex(bytes) == to_hex(read_golden(golden.file)));
  }
}

TEST_CASE("golden records are read as what they were", "[log][golden]") {
  for (const auto& golden : golden_records()) {
    INFO(golden.file);
    const auto record = decode_record(read_golden(golden.file));
    REQUIRE(record.has_value());
    CHECK(record->payload == golden.payload);
    CHECK(record->header.forced == golden.header.forced);
    CHECK(record->header.epoch == golden.header.epoch);
    CHECK(record->header.number == golden.header.number);
    CHECK(record->header.log_time == golden.header.log_time);
    CHECK(record->header.previous == golden.header.previous);
  }
}

TEST_CASE("keys of the database are the golden ones", "[log][golden]") {
  std::string bytes = record_key(0x0102030405060708);
  bytes += gtrid_key(kLog, {kLog, Epoch{3}, Sequence{42}});
  bytes += idempotency_index_key(idempotency_hash(kLog, "order-8123"));
  bytes += idempotency_index_key(idempotency_hash(kLog, ""));
  bytes += idempotency_index_key(idempotency_hash(kLog, "12345678"));
  INFO(to_hex(bytes));
  CHECK(to_hex(bytes) == to_hex(read_golden("keys")));
}

TEST_CASE("two logs' chains begin differently", "[log]") {
  CHECK(chain_start(LogId{1}) != chain_start(LogId{2}));
}

TEST_CASE("every flipped bit of a record is noticed", "[log]") {
  for (const auto& golden : golden_records()) {
    auto bytes = read_golden(golden.file);
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
      auto& byte = bytes[bit / 8];
      const char before = byte;
      byte = static_cast<char>(byte ^ (1 << (bit % 8)));
      if (decode_record(bytes) || decode_record_header(bytes)) {
        FAIL(golden.file << ": bit " << bit << " was flipped and nobody noticed");
      }
      byte = before;
    }
  }
}

TEST_CASE("every truncated and every lengthened record is noticed", "[log]") {
  for (const auto& golden : golden_records()) {
    const auto bytes = read_golden(golden.file);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      CHECK(refusal(bytes.substr(0, size)) != "accepted");
    }
    CHECK(refusal(bytes + '\0') != "accepted");
  }
}

TEST_CASE("what a newer program may write is refused by name", "[log]") {
  const auto end = read_golden("end");
  CHECK(refusal(with_byte(end, 0, 2)) == "it is of version 2, this program knows version 1");
  CHECK(refusal(with_byte(end, 1, 9)) == "it is of type 9, which this version doesn't know");
  CHECK(refusal(with_byte(end, 2, 2)) == "it has flags that this version doesn't know");
  // Field 15, a varint of 1.
  CHECK(refusal(sealed(end + "\x78\x01")) == "it has fields that this version doesn't know");
  CHECK(refusal(sealed(read_golden("commit") + "\x78\x01")) ==
        "it has fields that this version doesn't know");
}

TEST_CASE("what no program writes is refused by name", "[log]") {
  const auto end = read_golden("end");
  CHECK(refusal(with_byte(end, 8, 0)) == "its number is zero");
  CHECK(refusal(with_byte(end, 4, 0)) == "its epoch is zero");
  CHECK(refusal(with_byte(end, 23, 0x80)) == "its time is before 1970");
  CHECK(refusal(sealed(end.substr(0, kHeaderSize))) == "its gtrid lacks log id or epoch");
  CHECK(refusal(sealed(end.substr(0, kHeaderSize) + "junk")) ==
        "its payload is not what its type says");
  // A commit's payload under the type of an opening.
  CHECK(refusal(with_byte(read_golden("commit"), 1, 4)) != "accepted");
  auto short_hash = read_golden("commit_without_branches");
  const auto hash = short_hash.find(std::string("\x22\x20", 2) + std::string(32, '\x5A'));
  REQUIRE(hash != std::string::npos);
  short_hash.replace(hash, 34, std::string("\x22\x1F", 2) + std::string(31, '\x5A'));
  CHECK(refusal(sealed(short_hash)) == "its request hash is not 32 bytes long");
}

}  // namespace
}  // namespace assent::coordinator
