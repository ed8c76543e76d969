#include "coordinator/log/leveldb_careful_env.h"

#include <filesystem>
#include <string_view>
#include <vector>

#include "coordinator/log/file_io.h"
#include "protocol/base/crash_point.h"

namespace assent::coordinator {
namespace {

// Not a name that LevelDB knows, so it leaves such files alone.
constexpr std::string_view kKept = ".kept";

std::string folder_of(const std::string& name) {
  return std::filesystem::path(name).parent_path().string();
}

bool has_suffix(const std::string& name, std::string_view suffix) {
  return std::string_view(name).ends_with(suffix);
}

/// LevelDB's own diary and what it only uses on the way hold nothing of ours.
bool holds_decisions(const std::string& name) {
  return !has_suffix(name, ".dbtmp") && !has_suffix(name, "/LOG") && !has_suffix(name, "/LOG.old");
}

leveldb::Status synced(const std::string& folder) {
  const auto result = sync_folder(folder);
  if (result) return leveldb::Status::OK();
  return leveldb::Status::IOError(folder, result.error().message);
}

}  // namespace

/// An earlier opening may have kept a file of this name: it stays. Numbered, since many openings in
/// a row, none of which lived to verify the log, would else make the name too long for a file.
std::string CarefulEnv::kept_name(const std::string& name) {
  std::string kept = name + std::string(kKept);
  for (int i = 2; target()->FileExists(kept); ++i) {
    kept = name + "." + std::to_string(i) + std::string(kKept);
  }
  return kept;
}

bool CarefulEnv::keeps(const std::string& name) {
  if (!keeping_ || !holds_decisions(name)) return false;
  const std::lock_guard lock(mutex_);
  return !made_.contains(name);
}

leveldb::Status CarefulEnv::NewWritableFile(const std::string& name, leveldb::WritableFile** file) {
  if (keeps(name) && target()->FileExists(name)) {
    auto kept = target()->RenameFile(name, kept_name(name));
    if (!kept.ok()) return kept;
  }
  if (keeping_) {
    const std::lock_guard lock(mutex_);
    made_.insert(name);
  }
  auto made = target()->NewWritableFile(name, file);
  crash_point("log.file.made");
  if (!made.ok() || !has_suffix(name, ".log")) return made;
  auto named = synced(folder_of(name));
  if (!named.ok()) {
    delete *file;
    *file = nullptr;
  }
  return named;
}

leveldb::Status CarefulEnv::RemoveFile(const std::string& name) {
  if (!keeps(name)) return target()->RemoveFile(name);
  auto kept = target()->RenameFile(name, kept_name(name));
  crash_point("log.file.kept");
  return kept;
}

leveldb::Status CarefulEnv::RenameFile(const std::string& from, const std::string& to) {
  if (!holds_decisions(to)) return target()->RenameFile(from, to);
  if (keeping_ && target()->FileExists(to)) {
    // A copy, not a rename: a crash between two renames would leave the database without CURRENT.
    std::string content;
    auto status = leveldb::ReadFileToString(target(), to, &content);
    if (status.ok()) status = leveldb::WriteStringToFile(target(), content, kept_name(to));
    if (!status.ok()) return status;
  }
  auto renamed = target()->RenameFile(from, to);
  crash_point("log.file.renamed");
  return renamed.ok() ? synced(folder_of(to)) : renamed;
}

void CarefulEnv::stop_keeping(const std::string& folder) {
  keeping_ = false;
  std::vector<std::string> names;
  if (!target()->GetChildren(folder, &names).ok()) return;
  for (const auto& name : names) {
    if (has_suffix(name, kKept)) {
      target()->RemoveFile((std::filesystem::path(folder) / name).string());
    }
  }
}

}  // namespace assent::coordinator
