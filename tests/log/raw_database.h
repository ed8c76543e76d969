#pragma once

#include <leveldb/db.h>

#include <filesystem>
#include <memory>
#include <string>

#include <catch2/catch.hpp>

namespace assent::testing {

// The database of a closed log, opened behind the log's back.
class RawDatabase {
 public:
  explicit RawDatabase(const std::filesystem::path& dir) {
    leveldb::DB* db = nullptr;
    REQUIRE(leveldb::DB::Open({}, (dir / "decisions").string(), &db).ok());
    db_.reset(db);
  }

  bool has(const std::string& key) {
    std::string value;
    return db_->Get({}, key, &value).ok();
  }
  std::string get(const std::string& key) {
    std::string value;
    REQUIRE(db_->Get({}, key, &value).ok());
    return value;
  }
  leveldb::DB& db() { return *db_; }
  void put(const std::string& key, const std::string& value) {
    REQUIRE(db_->Put({}, key, value).ok());
  }
  void remove(const std::string& key) { REQUIRE(db_->Delete({}, key).ok()); }

 private:
  std::unique_ptr<leveldb::DB> db_;
};

}  // namespace assent::testing
