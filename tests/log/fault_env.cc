#include "tests/log/fault_env.h"

#include <memory>

namespace assent::testing {
namespace {

namespace fs = std::filesystem;

}  // namespace

class FaultEnv::File : public leveldb::WritableFile {
 public:
  File(FaultEnv& env, std::string name, std::unique_ptr<leveldb::WritableFile> below)
      : env_(env), name_(std::move(name)), below_(std::move(below)) {}

  leveldb::Status Append(const leveldb::Slice& data) override {
    const auto allowed = env_.appending(is_write_ahead());
    const leveldb::Slice part(data.data(), allowed.ok() ? data.size() : data.size() / 2);
    const auto appended = below_->Append(part);
    size_ += part.size();
    return allowed.ok() ? appended : allowed;
  }
  leveldb::Status Close() override { return below_->Close(); }
  leveldb::Status Flush() override { return below_->Flush(); }
  leveldb::Status Sync() override {
    const auto allowed = env_.syncing(is_write_ahead());
    if (!allowed.ok()) {
      below_->Flush();
      return allowed;
    }
    const auto synced = below_->Sync();
    if (synced.ok()) env_.synced(name_, size_);
    return synced;
  }

 private:
  bool is_write_ahead() const { return name_.ends_with(".log"); }

  FaultEnv& env_;
  const std::string name_;
  const std::unique_ptr<leveldb::WritableFile> below_;
  std::uint64_t size_ = 0;
};

leveldb::Status FaultEnv::NewWritableFile(const std::string& name, leveldb::WritableFile** file) {
  leveldb::WritableFile* below = nullptr;
  const auto made = target()->NewWritableFile(name, &below);
  if (!made.ok()) return made;
  synced(name, 0);
  *file = new File(*this, name, std::unique_ptr<leveldb::WritableFile>(below));
  return made;
}

leveldb::Status FaultEnv::RenameFile(const std::string& from, const std::string& to) {
  const auto renamed = target()->RenameFile(from, to);
  const std::lock_guard lock(mutex_);
  const auto row = synced_size_.find(from);
  if (renamed.ok() && row != synced_size_.end()) {
    synced_size_[to] = row->second;
    synced_size_.erase(row);
  }
  return renamed;
}

void FaultEnv::disk_is_full_after(int good) {
  const std::lock_guard lock(mutex_);
  good_appends_ = good;
}

void FaultEnv::heal() {
  const std::lock_guard lock(mutex_);
  good_appends_.reset();
  good_syncs_.reset();
}

void FaultEnv::fail_sync_after(int good) {
  const std::lock_guard lock(mutex_);
  good_syncs_ = good;
}

std::uint64_t FaultEnv::syncs() const {
  const std::lock_guard lock(mutex_);
  return syncs_;
}

void FaultEnv::hold_sync() {
  const std::lock_guard lock(mutex_);
  hold_ = true;
}

void FaultEnv::wait_until_held() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return held_; });
}

void FaultEnv::release_sync() {
  const std::lock_guard lock(mutex_);
  hold_ = false;
  changed_.notify_all();
}

void FaultEnv::cut_power(const fs::path& original, const fs::path& copy) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [name, size] : synced_size_) {
    const auto inside = fs::path(name).lexically_relative(original);
    if (fs::exists(copy / inside)) fs::resize_file(copy / inside, size);
  }
}

leveldb::Status FaultEnv::appending(bool write_ahead) {
  const std::lock_guard lock(mutex_);
  if (!write_ahead || !good_appends_) return leveldb::Status::OK();
  if (*good_appends_ == 0) return leveldb::Status::IOError("No space left on device");
  --*good_appends_;
  return leveldb::Status::OK();
}

leveldb::Status FaultEnv::syncing(bool write_ahead) {
  if (!write_ahead) return leveldb::Status::OK();
  std::unique_lock lock(mutex_);
  held_ = hold_;
  changed_.notify_all();
  changed_.wait(lock, [this] { return !hold_; });
  held_ = false;
  ++syncs_;
  if (!good_syncs_ || (*good_syncs_)-- > 0) return leveldb::Status::OK();
  good_syncs_.reset();
  return leveldb::Status::IOError("Input/output error");
}

void FaultEnv::synced(const std::string& name, std::uint64_t size) {
  const std::lock_guard lock(mutex_);
  synced_size_[name] = size;
}

}  // namespace assent::testing
