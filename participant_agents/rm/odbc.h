#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/time.h"
#include "protocol/message/statement.h"

/// The only door to ODBC. A connection belongs to one thread at a time, except for `interrupt`.
/// Calls block for as long as the driver does: neither driver has a client-side timeout (F 11), so
/// who needs one calls `interrupt` from another thread.

namespace assent::rm::odbc {

/// What the database or the driver says of a failure (SQLGetDiagRec).
struct Diagnostic {
  std::string sqlstate;     ///< five characters, or empty when the driver gave nothing
  std::int32_t native = 0;  ///< the database's own code; psqlODBC has none worth reading
  std::string message;
};

struct ResultSet {
  std::int64_t row_count = 0;        ///< as SQLRowCount gives it; of a query: the rows it returned
  std::vector<std::string> columns;  ///< empty: not a query
  std::vector<std::vector<Value>> rows;
  bool too_large = false;  ///< a limit was met and the rest of the rows left unread
};

struct Limits {
  std::size_t rows_max = std::numeric_limits<std::size_t>::max();
  std::size_t bytes_max = std::numeric_limits<std::size_t>::max();
};

/// What came of one call: the results before the failure as far as the driver hands them out, and
/// the failure.
struct Answer {
  std::vector<ResultSet> results;
  std::optional<Diagnostic> failure;
  std::optional<Diagnostic> notice;  ///< of the first result that succeeded with a remark
};

/// The value of a keyword in a connection string; nullopt: not there. Keywords in any case. Values
/// in braces that hold a semicolon are not read right: ports and switches have none.
std::optional<std::string> option(std::string_view connection_string, std::string_view keyword);

class Connection {
 public:
  struct Opened {
    std::unique_ptr<Connection> connection;  ///< null with a failure
    std::optional<Diagnostic> failure;
  };

  /// One at a time in a process, because the driver's socket is found by what is new among the open
  /// ones. Cut after `login_timeout`, also where the driver would wait for a stopped server for
  /// ever.
  static Opened open(const std::string& connection_string, Duration login_timeout);

  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Sends the text as it is, in one message, and reads every result.
  Answer execute(const std::string& sql, const Limits& limits = {});

  /// Any thread, at any time in the life of this object: the call under way and all later ones fail
  /// at once.
  void interrupt();
  bool interrupted() const { return interrupted_.load(std::memory_order_acquire); }

 private:
  struct Handles;

  Connection(std::unique_ptr<Handles> handles, int socket);

  std::unique_ptr<Handles> handles_;
  /// A duplicate of the driver's descriptor, so that the number stays ours until the end: the
  /// driver closes its own when it likes, and the number may by then be another socket of this
  /// process.
  int socket_;
  std::atomic<bool> interrupted_{false};
};

}  // namespace assent::rm::odbc
