#include "chaos/sim/leveldb_memory.h"

#include <leveldb/iterator.h>

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

#include "protocol/base/check.h"

namespace assent::sim {
namespace {

std::string_view view(const leveldb::Slice& slice) {
  return {slice.data(), slice.size()};
}

}  // namespace

class LeveldbMemory::Walk final : public leveldb::Iterator {
 public:
  explicit Walk(const Rows& rows) : rows_(rows), at_(rows.end()) {}

  bool Valid() const override { return at_ != rows_.end(); }
  void SeekToFirst() override { at_ = rows_.begin(); }
  void SeekToLast() override { at_ = rows_.empty() ? rows_.end() : std::prev(rows_.end()); }
  void Seek(const leveldb::Slice& target) override { at_ = rows_.lower_bound(view(target)); }
  void Next() override { ++at_; }
  void Prev() override { at_ = at_ == rows_.begin() ? rows_.end() : std::prev(at_); }
  leveldb::Slice key() const override { return at_->first; }
  leveldb::Slice value() const override { return at_->second; }
  leveldb::Status status() const override { return {}; }

 private:
  const Rows& rows_;
  Rows::const_iterator at_;
};

class LeveldbMemory::Filler final : public leveldb::WriteBatch::Handler {
 public:
  explicit Filler(Rows& rows) : rows_(rows) {}

  void Put(const leveldb::Slice& key, const leveldb::Slice& value) override {
    rows_.insert_or_assign(key.ToString(), value.ToString());
  }
  void Delete(const leveldb::Slice& key) override {
    const auto found = rows_.find(view(key));
    if (found != rows_.end()) rows_.erase(found);
  }

 private:
  Rows& rows_;
};

std::unique_ptr<LeveldbMemory> LeveldbMemory::copy() const {
  auto other = std::make_unique<LeveldbMemory>();
  other->rows_ = rows_;
  return other;
}

void LeveldbMemory::lose_from(std::size_t write) {
  writes_.resize(write);
  rows_.clear();
  Filler filler(rows_);
  for (const leveldb::WriteBatch& one : writes_) ASSENT_CHECK(one.Iterate(&filler).ok());
}

leveldb::Status LeveldbMemory::Put(const leveldb::WriteOptions& options, const leveldb::Slice& key,
                                   const leveldb::Slice& value) {
  leveldb::WriteBatch updates;
  updates.Put(key, value);
  return Write(options, &updates);
}

leveldb::Status LeveldbMemory::Delete(const leveldb::WriteOptions& options,
                                      const leveldb::Slice& key) {
  leveldb::WriteBatch updates;
  updates.Delete(key);
  return Write(options, &updates);
}

leveldb::Status LeveldbMemory::Write(const leveldb::WriteOptions& /*options*/,
                                     leveldb::WriteBatch* updates) {
  writes_.push_back(*updates);
  Filler filler(rows_);
  return updates->Iterate(&filler);
}

leveldb::Status LeveldbMemory::Get(const leveldb::ReadOptions& /*options*/,
                                   const leveldb::Slice& key, std::string* value) {
  const auto found = rows_.find(view(key));
  if (found == rows_.end()) return leveldb::Status::NotFound("no such row");
  *value = found->second;
  return {};
}

leveldb::Iterator* LeveldbMemory::NewIterator(const leveldb::ReadOptions& /*options*/) {
  return new Walk(rows_);  // LevelDB's interface: the caller deletes it
}

void LeveldbMemory::GetApproximateSizes(const leveldb::Range* /*range*/, int n,
                                        std::uint64_t* sizes) {
  std::fill_n(sizes, n, 0);
}

}  // namespace assent::sim
