#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/result.h"
#include "protocol/message/admin.h"

namespace assent::coordinator {

/// What looking through a log found: sentences for people.
struct LogFindings {
  std::vector<std::string> there;  ///< what it holds
  std::vector<std::string> wrong;  ///< empty: it is whole
};

/// A log that no coordinator has open, for a person to look at (`assentctl log`). Works on a copy
/// beside the log, with hard links where the file system has them, and never changes the log: not
/// even a log that LevelDB would mend. The copy goes with the object. One thread.
class OfflineLog {
 public:
  /// kLogUnavailable: a coordinator has it open (then ask that one), there is no log, or it is too
  /// damaged to be read at all; kIo: no copy can be made. The message says what to do.
  static Result<std::unique_ptr<OfflineLog>> open(const std::filesystem::path& dir);
  ~OfflineLog();

  /// Reads and doubts all of it. As long as it takes to read it.
  LogFindings verify();
  /// Every record as a line (record_text.h), oldest first; a damaged one as what is wrong with it.
  Result<> dump(const std::function<void(std::string_view)>& line);
  Result<LogStats> stats();
  /// See copy_log. Refused (kLogUnavailable) for a log that is not whole.
  Result<> back_up(const std::filesystem::path& to);

 private:
  class Impl;
  explicit OfflineLog(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace assent::coordinator
