#pragma once

#include <leveldb/db.h>
#include <leveldb/write_batch.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace assent::sim {

/// LevelDB's interface over a map, for the decision log's own code: no file and no thread. Every
/// write is kept, so that a disk can lose its end as a real one does: the last writes as wholes,
/// each with its index entries. Nobody writes while an iterator is in use.
class LeveldbMemory final : public leveldb::DB {
 public:
  /// What is in it now, for somebody else.
  std::unique_ptr<LeveldbMemory> copy() const;

  std::size_t writes() const { return writes_.size(); }
  /// This write and all behind it have never reached the disk.
  void lose_from(std::size_t write);

  leveldb::Status Put(const leveldb::WriteOptions& options, const leveldb::Slice& key,
                      const leveldb::Slice& value) override;
  leveldb::Status Delete(const leveldb::WriteOptions& options, const leveldb::Slice& key) override;
  leveldb::Status Write(const leveldb::WriteOptions& options,
                        leveldb::WriteBatch* updates) override;
  leveldb::Status Get(const leveldb::ReadOptions& options, const leveldb::Slice& key,
                      std::string* value) override;
  leveldb::Iterator* NewIterator(const leveldb::ReadOptions& options) override;
  const leveldb::Snapshot* GetSnapshot() override { return nullptr; }
  void ReleaseSnapshot(const leveldb::Snapshot* /*snapshot*/) override {}
  bool GetProperty(const leveldb::Slice& /*property*/, std::string* /*value*/) override {
    return false;
  }
  void GetApproximateSizes(const leveldb::Range* range, int n, std::uint64_t* sizes) override;
  void CompactRange(const leveldb::Slice* /*begin*/, const leveldb::Slice* /*end*/) override {}

 private:
  using Rows = std::map<std::string, std::string, std::less<>>;
  class Walk;
  class Filler;

  Rows rows_;
  std::vector<leveldb::WriteBatch> writes_;
};

}  // namespace assent::sim
