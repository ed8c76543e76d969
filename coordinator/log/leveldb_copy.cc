#include "coordinator/log/leveldb_copy.h"

#include <fmt/format.h>
#include <leveldb/db.h>
#include <leveldb/write_batch.h>

#include <fstream>
#include <memory>
#include <system_error>

#include "coordinator/log/file_io.h"
#include "coordinator/log/high_water_mark.h"
#include "coordinator/log/leveldb_reader.h"
#include "protocol/base/crash_point.h"

namespace assent::coordinator {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPiece = 1024 * 1024;

Error cannot(const char* what, const fs::path& path, const std::error_code& why) {
  return {.code = ErrorCode::kIo,
          .message = fmt::format("cannot {} {}: {}", what, path.string(), why.message()),
          .native = why.value()};
}

Result<> write_piece(leveldb::DB& to, leveldb::WriteBatch& piece) {
  leveldb::WriteOptions options;
  options.sync = true;  // LevelDB leaves a write-ahead file behind without syncing it
  const auto status = to.Write(options, &piece);
  piece.Clear();
  if (status.ok()) return {};
  return log_unavailable("writing the copy", status);
}

Result<> copy_entries(leveldb::DB& from, leveldb::DB& to, const std::function<Result<>()>& go_on) {
  leveldb::ReadOptions options;
  options.verify_checksums = true;
  options.fill_cache = false;
  const std::unique_ptr<leveldb::Iterator> at(from.NewIterator(options));
  leveldb::WriteBatch piece;
  for (at->SeekToFirst(); at->Valid(); at->Next()) {
    piece.Put(at->key(), at->value());
    if (piece.ApproximateSize() < kPiece) continue;
    if (auto may = go_on(); !may) return may;
    auto written = write_piece(to, piece);
    if (!written) return written;
  }
  if (!at->status().ok()) return log_unavailable("reading the decision log", at->status());
  auto may = go_on();
  return may ? write_piece(to, piece) : may;
}

Result<> copy_database(leveldb::DB& from, const fs::path& folder,
                       const std::function<Result<>()>& go_on) {
  leveldb::Options options;
  options.create_if_missing = true;
  options.error_if_exists = true;
  options.compression = leveldb::kNoCompression;
  leveldb::DB* made = nullptr;
  const auto status = leveldb::DB::Open(options, folder.string(), &made);
  if (!status.ok()) return log_unavailable("making the copy", status);
  const std::unique_ptr<leveldb::DB> to(made);
  return copy_entries(from, *to, go_on);
}

Result<> copy_mark(LogId log_id, std::uint64_t top, const fs::path& path) {
  auto made = HighWaterMark::create(path, log_id);
  if (!made) return made;
  auto mark = HighWaterMark::open(path, [](const Error& /*synced below*/) {});
  if (!mark) return std::move(mark).error();
  auto written = (*mark)->write(top);
  return written ? (*mark)->sync() : written;
}

/// First of all, so that no part of a copy is ever taken for a log.
Result<> mark_as_copy(LogId log_id, const fs::path& path) {
  std::ofstream file(path);
  file << "A copy of log " << to_string(log_id)
       << ", made by `log backup`. assentd opens it only with --restored.\n";
  file.close();
  if (!file) return io_error("write", path);
  return sync_folder(path.parent_path());
}

}  // namespace

Result<> copy_log(leveldb::DB& db, LogId log_id, std::uint64_t top, const fs::path& to,
                  const std::function<Result<>()>& go_on) {
  std::error_code why;
  if (fs::exists(to, why)) {
    return Error{.code = ErrorCode::kInvalid,
                 .message = to.string() + " is there already; name a folder that is not"};
  }
  fs::path unfinished = to;
  unfinished += ".unfinished";
  if (!fs::create_directory(unfinished, why)) {
    return why ? cannot("make the folder", unfinished, why)
               : Error{.code = ErrorCode::kInvalid,
                       .message = unfinished.string() +
                                  " is there already, of a copy that was interrupted; remove it"};
  }
  fs::permissions(unfinished, fs::perms::owner_all, why);
  if (why) return cannot("keep others out of", unfinished, why);
  crash_point("log.copy.folder_made");
  auto done = mark_as_copy(log_id, unfinished / "backup");
  crash_point("log.copy.marked");
  if (done) done = copy_database(db, unfinished / "decisions", go_on);
  crash_point("log.copy.database_written");
  if (done) done = copy_mark(log_id, top, unfinished / "high_water_mark");
  crash_point("log.copy.mark_written");
  if (done) done = sync_folder(unfinished);
  if (!done) {
    fs::remove_all(unfinished, why);  // it may have taken the last room there was
    return done;
  }
  fs::rename(unfinished, to, why);
  if (why) return cannot("name the copy", to, why);
  crash_point("log.copy.named");
  return sync_folder(to.parent_path());
}

}  // namespace assent::coordinator
