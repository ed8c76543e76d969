#pragma once

#include <leveldb/db.h>
#include <leveldb/write_batch.h>

#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>

namespace assent::testing {

// The database of a closed log, opened behind the log's back. What LevelDB refuses is thrown.
class RawDatabase {
 public:
  explicit RawDatabase(const std::filesystem::path& dir) {
    leveldb::DB* db = nullptr;
    must(leveldb::DB::Open({}, (dir / "decisions").string(), &db));
    db_.reset(db);
  }

  bool has(const std::string& key) {
    std::string value;
    return db_->Get({}, key, &value).ok();
  }
  std::string get(const std::string& key) {
    std::string value;
    must(db_->Get({}, key, &value));
    return value;
  }
  leveldb::DB& db() { return *db_; }
  void put(const std::string& key, const std::string& value) { must(db_->Put({}, key, value)); }
  void remove(const std::string& key) { must(db_->Delete({}, key)); }
  void write(leveldb::WriteBatch& batch) { must(db_->Write({}, &batch)); }

 private:
  static void must(const leveldb::Status& status) {
    if (!status.ok()) throw std::runtime_error(status.ToString());
  }

  std::unique_ptr<leveldb::DB> db_;
};

}  // namespace assent::testing
