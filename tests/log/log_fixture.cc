#include "tests/log/log_fixture.h"

#include <fstream>
#include <iterator>
#include <utility>
#include <variant>

#include <catch2/catch.hpp>

#include "coordinator/log/leveldb_keys.h"
#include "coordinator/log/record.h"
#include "tests/log/raw_database.h"

namespace assent::testing {
namespace {

namespace fs = std::filesystem;
using coordinator::CommitRecord;
using coordinator::Decided;
using coordinator::LevelDbLog;
using coordinator::LogToken;

}  // namespace

LogFixture::LogFixture() : dir_(folder_.path() / "log") {}

LogFixture::LogFixture(fs::path dir) : dir_(std::move(dir)) {}

LogFixture::~LogFixture() {
  disk_.release_sync();
}

void LogFixture::open() {
  log_.reset();
  all_reports_.push_back(std::make_unique<Reports>());
  reports_ = all_reports_.back().get();
  auto opened =
      LevelDbLog::open({.dir = dir_, .env = &disk_, .retention = retention_}, reports_->listener());
  INFO((opened ? std::string() : opened.error().message));
  REQUIRE(opened.has_value());
  log_ = std::move(*opened);
  log_id_ = log_->opening().log_id;
  epoch_ = log_->opening().epoch;
}

std::string LogFixture::open_error() {
  log_.reset();
  Reports reports;
  const auto opened = LevelDbLog::open({.dir = dir_, .env = &disk_}, reports.listener());
  return opened ? "opened" : opened.error().message;
}

void LogFixture::close() {
  log_.reset();
}

void LogFixture::commit(std::uint64_t first, std::uint64_t last) {
  if (epoch_of_.size() <= last) epoch_of_.resize(last + 1);
  for (auto i = first; i <= last; ++i) {
    epoch_of_[i] = epoch_;
    log_->append_forced(commit_record(i), kExampleTime, LogToken{i});
  }
}

void LogFixture::commit_durably(std::uint64_t first, std::uint64_t last) {
  const auto before = reports_->durable().size();
  commit(first, last);
  REQUIRE(reports_->wait_for(before + last - first + 1));
  REQUIRE(reports_->failures().empty());
}

void LogFixture::commit_one_by_one(std::uint64_t first, std::uint64_t last) {
  for (auto i = first; i <= last; ++i) commit_durably(i, i);
}

CommitRecord LogFixture::commit_record(std::uint64_t i) const {
  return example_commit(log_id_, epoch_of_.at(i), i);
}

bool LogFixture::has(std::uint64_t i) {
  const CommitRecord expected = commit_record(i);
  const auto by_key = log_->find_key(example_key(i));
  const auto by_gtrid = log_->find_gtrid(expected.gtrid);
  REQUIRE(by_key.has_value());
  REQUIRE(by_gtrid.has_value());
  REQUIRE(by_key->has_value() == by_gtrid->has_value());
  return *by_key &&
         (*by_key)->record == std::variant<CommitRecord, coordinator::RollbackRecord>(expected) &&
         *by_key == *by_gtrid;
}

bool LogFixture::has_all(std::uint64_t first, std::uint64_t last) {
  for (auto i = first; i <= last; ++i) {
    if (!has(i)) return false;
  }
  return true;
}

fs::path LogFixture::take_copy() {
  const auto copy = folder_.path() / ("copy" + std::to_string(++copies_));
  fs::create_directory(copy);
  for (const auto& entry : fs::recursive_directory_iterator(dir_)) {
    const auto to = copy / entry.path().lexically_relative(dir_);
    if (entry.is_directory()) {
      fs::create_directory(to);
      continue;
    }
    // An open log removes what it kept while it was not yet verified.
    std::error_code error;
    fs::copy_file(entry.path(), to, error);
    REQUIRE((!error || !fs::exists(entry.path())));
  }
  return copy;
}

void LogFixture::restore(const fs::path& copy) {
  log_.reset();
  fs::remove_all(dir_);
  fs::copy(copy, dir_, fs::copy_options::recursive);
  fs::remove(dir_ / "origin");  // it stands for the same folder at another time, not for a copy
}

void LogFixture::kill() {
  restore(take_copy());
}

void LogFixture::cut_power() {
  const auto copy = take_copy();
  disk_.cut_power(dir_, copy);
  restore(copy);
}

void LogFixture::tear_off(std::uint64_t number) {
  log_.reset();
  RawDatabase db(dir_);
  auto record = coordinator::decode_record(db.get(coordinator::record_key(number)));
  REQUIRE(record.has_value());
  record->header.previous = ~record->header.previous;
  std::string bytes;
  const auto encode = [&](const auto& payload) {
    coordinator::encode_record(record->header, payload, bytes);
  };
  std::visit(encode, record->payload);
  db.put(coordinator::record_key(number), bytes);
}

fs::path LogFixture::write_ahead_file() const {
  fs::path newest;
  for (const auto& entry : fs::directory_iterator(dir_ / "decisions")) {
    if (entry.path().extension() == ".log" && entry.path() > newest) newest = entry.path();
  }
  REQUIRE(!newest.empty());
  return newest;
}

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  REQUIRE(in.good());
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

void write_file(const fs::path& path, const std::string& bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << bytes;
  out.close();
  REQUIRE(out.good());
}

}  // namespace assent::testing
