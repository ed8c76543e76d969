#include "participant_agents/rm/odbc.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sql.h>
#include <sqlext.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "protocol/base/check.h"

namespace assent::rm::odbc {
namespace {

// ---------------------------------------------------------------- values for a C interface

SQLCHAR* odbc_text(const std::string& text) {
  // ODBC takes input text through pointers to non-const and does not write there.
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast)
  return reinterpret_cast<SQLCHAR*>(const_cast<char*>(text.data()));
}

SQLPOINTER odbc_number(SQLULEN value) {
  // NOLINTNEXTLINE(performance-no-int-to-ptr): numbers go through a pointer there
  return reinterpret_cast<SQLPOINTER>(value);
}

/// The first record is the cause, later ones repeat or add to it. A driver that says nothing is
/// told as such.
Diagnostic read_diagnostic(SQLSMALLINT handle_type, SQLHANDLE handle) {
  std::array<SQLCHAR, 6> sqlstate{};
  std::array<SQLCHAR, 1024> message{};
  SQLINTEGER native = 0;
  SQLSMALLINT length = 0;
  const SQLRETURN rc = SQLGetDiagRec(handle_type, handle, 1, sqlstate.data(), &native,
                                     message.data(), SQLSMALLINT{message.size()}, &length);
  if (!SQL_SUCCEEDED(rc)) return {{}, 0, "the driver gave no reason"};
  std::string text = reinterpret_cast<const char*>(message.data());
  std::replace(text.begin(), text.end(), '\n', ' ');
  return {reinterpret_cast<const char*>(sqlstate.data()), native, std::move(text)};
}

// ---------------------------------------------------------------- the driver's socket (F 11)

struct OpenSocket {
  int descriptor = -1;
  ino_t inode = 0;  ///< tells a socket from another that got the same descriptor later

  friend bool operator==(const OpenSocket&, const OpenSocket&) = default;
};

bool is_connected_to_a_server(int descriptor) {
  sockaddr_storage peer{};
  socklen_t length = sizeof peer;
  return ::getpeername(descriptor, reinterpret_cast<sockaddr*>(&peer), &length) == 0;
}

/// By their names: others open and close theirs meanwhile.
std::vector<OpenSocket> connected_sockets() {
  std::vector<OpenSocket> sockets;
  DIR* folder = ::opendir("/proc/self/fd");
  if (folder == nullptr) return sockets;
  while (const dirent* entry = ::readdir(folder)) {
    const std::string name = entry->d_name;
    int descriptor = -1;
    const auto parsed = std::from_chars(name.data(), name.data() + name.size(), descriptor);
    if (parsed.ec != std::errc()) continue;
    struct stat status {};
    const bool is_socket =
        ::fstatat(::dirfd(folder), entry->d_name, &status, 0) == 0 && S_ISSOCK(status.st_mode);
    if (is_socket && is_connected_to_a_server(descriptor))
      sockets.push_back({descriptor, status.st_ino});
  }
  ::closedir(folder);
  return sockets;
}

/// Other threads open sockets too while the driver connects; they go elsewhere than to the
/// database's port. A socket of the Unix domain (port 0 here) is one that a driver opened: nothing
/// else in an agent does.
bool goes_to_port(int descriptor, const std::string& port) {
  sockaddr_storage peer{};
  socklen_t length = sizeof peer;
  if (::getpeername(descriptor, reinterpret_cast<sockaddr*>(&peer), &length) != 0) return false;
  in_port_t number = 0;
  if (peer.ss_family == AF_UNIX) return true;
  if (peer.ss_family == AF_INET) number = reinterpret_cast<const sockaddr_in&>(peer).sin_port;
  if (peer.ss_family == AF_INET6) number = reinterpret_cast<const sockaddr_in6&>(peer).sin6_port;
  return port.empty() || std::to_string(ntohs(number)) == port;
}

/// A duplicate of the only new socket that goes to the database; -1: none or several.
int duplicate_new_socket(const std::vector<OpenSocket>& before, const std::string& port) {
  std::vector<int> found;
  for (const OpenSocket& open : connected_sockets()) {
    const bool is_new = std::find(before.begin(), before.end(), open) == before.end();
    if (is_new && goes_to_port(open.descriptor, port)) found.push_back(open.descriptor);
  }
  return found.size() == 1 ? ::fcntl(found.front(), F_DUPFD_CLOEXEC, 0) : -1;
}

/// Cuts a connect that takes too long: a stopped server accepts connections in its kernel and then
/// says nothing, for ever (F 11).
class ConnectWatchdog {
 public:
  ConnectWatchdog(const std::vector<OpenSocket>& before, const std::string& port, Duration timeout)
      : before_(before), port_(port), thread_([this, timeout] { watch(timeout); }) {}
  ~ConnectWatchdog() {
    {
      const std::lock_guard lock(mutex_);
      done_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }
  ConnectWatchdog(const ConnectWatchdog&) = delete;
  ConnectWatchdog& operator=(const ConnectWatchdog&) = delete;

 private:
  /// Again and again, since a driver may try the next address.
  void watch(Duration timeout) {
    std::unique_lock lock(mutex_);
    Duration wait = timeout;
    while (!changed_.wait_for(lock, wait, [this] { return done_; })) {
      cut_new_sockets();
      wait = std::chrono::milliseconds(50);
    }
  }

  /// On a duplicate that is looked at once more: the driver may have closed its own by now, and the
  /// number be somebody else's.
  void cut_new_sockets() const {
    for (const OpenSocket& open : connected_sockets()) {
      if (std::find(before_.begin(), before_.end(), open) != before_.end()) continue;
      const int duplicate = ::fcntl(open.descriptor, F_DUPFD_CLOEXEC, 0);
      struct stat status {};
      const bool is_the_same =
          duplicate >= 0 && ::fstat(duplicate, &status) == 0 && status.st_ino == open.inode;
      if (is_the_same && goes_to_port(duplicate, port_)) ::shutdown(duplicate, SHUT_RDWR);
      if (duplicate >= 0) ::close(duplicate);
    }
  }

  const std::vector<OpenSocket>& before_;
  const std::string& port_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool done_ = false;
  std::thread thread_;  ///< the last member: it uses the others
};

std::mutex& one_connect_at_a_time() {
  static std::mutex mutex;
  return mutex;
}

// ---------------------------------------------------------------- columns

enum class Shape { kBool, kInteger, kUnsigned, kDouble, kBytes, kUuid, kText };

Shape shape_of(SQLHSTMT statement, SQLUSMALLINT number, SQLSMALLINT sql_type) {
  switch (sql_type) {
    case SQL_BIT:
      return Shape::kBool;
    case SQL_TINYINT:
    case SQL_SMALLINT:
    case SQL_INTEGER:
      return Shape::kInteger;
    case SQL_BIGINT: {
      SQLLEN is_unsigned = SQL_FALSE;
      SQLColAttribute(statement, number, SQL_DESC_UNSIGNED, nullptr, 0, nullptr, &is_unsigned);
      return is_unsigned == SQL_TRUE ? Shape::kUnsigned : Shape::kInteger;
    }
    case SQL_REAL:
    case SQL_FLOAT:
    case SQL_DOUBLE:
      return Shape::kDouble;
    case SQL_BINARY:
    case SQL_VARBINARY:
    case SQL_LONGVARBINARY:
      return Shape::kBytes;
    case SQL_GUID:
      return Shape::kUuid;
    default:
      return Shape::kText;
  }
}

/// Reads one row's columns; `failed()` once a call was refused.
class RowReader {
 public:
  RowReader(SQLHSTMT statement, std::size_t bytes_left)
      : statement_(statement), bytes_left_(bytes_left) {}

  bool failed() const { return failed_; }
  bool too_large() const { return too_large_; }
  std::size_t bytes_left() const { return bytes_left_; }

  Value read(SQLUSMALLINT number, Shape shape) {
    switch (shape) {
      case Shape::kBool:
        return read_bool(number);
      case Shape::kInteger:
        return read_fixed<std::int64_t>(number, SQL_C_SBIGINT);
      case Shape::kUnsigned:
        return read_unsigned(number);
      case Shape::kDouble:
        return read_fixed<double>(number, SQL_C_DOUBLE);
      case Shape::kBytes:
        return read_bytes(number);
      case Shape::kUuid:
        return read_uuid(number);
      case Shape::kText:
        return read_text(number);
    }
    return {};
  }

 private:
  Value read_bool(SQLUSMALLINT number) {
    Value value = read_fixed<unsigned char>(number, SQL_C_BIT);
    if (const auto* bit = std::get_if<std::int64_t>(&value)) return *bit != 0;
    return value;
  }

  template <typename T>
  Value read_fixed(SQLUSMALLINT number, SQLSMALLINT c_type) {
    T value{};
    SQLLEN indicator = 0;
    const SQLRETURN rc =
        SQLGetData(statement_, number, c_type, &value, SQLLEN{sizeof value}, &indicator);
    if (!SQL_SUCCEEDED(rc)) failed_ = true;
    if (failed_ || indicator == SQL_NULL_DATA) return {};
    spend(sizeof value);
    if constexpr (std::is_same_v<T, double>) {
      return value;
    } else {
      return std::int64_t{value};
    }
  }

  /// Above what std::int64_t holds it stays text.
  Value read_unsigned(SQLUSMALLINT number) {
    Value value = read_text(number);
    const auto* digits = std::get_if<std::string>(&value);
    if (digits == nullptr) return value;
    std::int64_t parsed = 0;
    const char* end = digits->data() + digits->size();
    const auto [stop, error] = std::from_chars(digits->data(), end, parsed);
    if (error != std::errc() || stop != end) return value;
    return parsed;
  }

  /// psqlODBC writes them in capitals, PostgreSQL itself does not.
  Value read_uuid(SQLUSMALLINT number) {
    Value value = read_text(number);
    if (auto* text = std::get_if<std::string>(&value)) {
      for (char& c : *text) {
        if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
      }
    }
    return value;
  }

  Value read_text(SQLUSMALLINT number) {
    std::string text;
    if (!read_parts(number, SQL_C_CHAR, 1, text)) return {};
    return text;
  }

  Value read_bytes(SQLUSMALLINT number) {
    Bytes bytes;
    if (!read_parts(number, SQL_C_BINARY, 0, bytes.data)) return {};
    return bytes;
  }

  /// False: NULL, or failed. Text comes with a terminator that takes its place in each part.
  bool read_parts(SQLUSMALLINT number, SQLSMALLINT c_type, std::size_t terminator,
                  std::string& into) {
    std::array<char, 4096> part{};
    for (;;) {
      SQLLEN indicator = 0;
      const SQLRETURN rc =
          SQLGetData(statement_, number, c_type, part.data(), SQLLEN{part.size()}, &indicator);
      if (rc == SQL_NO_DATA) return true;
      if (!SQL_SUCCEEDED(rc)) failed_ = true;
      if (failed_ || indicator == SQL_NULL_DATA) return false;
      const std::size_t room = part.size() - terminator;
      const bool more = indicator == SQL_NO_TOTAL || static_cast<std::size_t>(indicator) > room;
      const std::size_t got = more ? room : static_cast<std::size_t>(indicator);
      into.append(part.data(), got);
      spend(got);
      if (!more || too_large_) return true;
    }
  }

  void spend(std::size_t bytes) {
    too_large_ = too_large_ || bytes > bytes_left_;
    bytes_left_ -= std::min(bytes, bytes_left_);
  }

  SQLHSTMT statement_;
  std::size_t bytes_left_;
  bool failed_ = false;
  bool too_large_ = false;
};

std::optional<Shape> describe_column(SQLHSTMT statement, SQLUSMALLINT number, std::string& name) {
  std::array<SQLCHAR, 512> text{};
  SQLSMALLINT length = 0;
  SQLSMALLINT sql_type = 0;
  const SQLRETURN rc = SQLDescribeCol(statement, number, text.data(), SQLSMALLINT{text.size()},
                                      &length, &sql_type, nullptr, nullptr, nullptr);
  if (!SQL_SUCCEEDED(rc)) return std::nullopt;
  name = reinterpret_cast<const char*>(text.data());
  return shape_of(statement, number, sql_type);
}

/// Rows of the result that the statement stands on. False: the driver failed.
bool read_rows(SQLHSTMT statement, SQLUSMALLINT width, const Limits& limits, ResultSet& result) {
  std::vector<Shape> shapes;
  result.columns.resize(width);
  for (SQLUSMALLINT i = 0; i < width; ++i) {
    const auto shape =
        describe_column(statement, static_cast<SQLUSMALLINT>(i + 1), result.columns[i]);
    if (!shape) return false;
    shapes.push_back(*shape);
  }
  RowReader reader(statement, limits.bytes_max);
  for (;;) {
    const SQLRETURN rc = SQLFetch(statement);
    if (rc == SQL_NO_DATA) break;
    if (!SQL_SUCCEEDED(rc)) return false;
    if (result.rows.size() == limits.rows_max) {
      result.too_large = true;
      break;
    }
    std::vector<Value>& row = result.rows.emplace_back();
    row.reserve(width);
    for (SQLUSMALLINT i = 0; i < width; ++i)
      row.push_back(reader.read(static_cast<SQLUSMALLINT>(i + 1), shapes[i]));
    if (reader.failed()) return false;
    if (reader.too_large()) {
      result.too_large = true;
      break;
    }
  }
  result.row_count = static_cast<std::int64_t>(result.rows.size());
  return true;
}

}  // namespace

std::optional<std::string> option(std::string_view connection_string, std::string_view keyword) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  const auto same = [&](char a, char b) { return lower(a) == lower(b); };
  while (!connection_string.empty()) {
    const std::size_t end = std::min(connection_string.find(';'), connection_string.size());
    const std::string_view item = connection_string.substr(0, end);
    const std::string_view name = item.substr(0, std::min(item.find('='), item.size()));
    if (name.size() < item.size() &&
        std::equal(name.begin(), name.end(), keyword.begin(), keyword.end(), same))
      return std::string(item.substr(name.size() + 1));
    connection_string.remove_prefix(std::min(end + 1, connection_string.size()));
  }
  return std::nullopt;
}

// ---------------------------------------------------------------- connection

/// An environment for each connection: what a driver manager locks is then never shared (its
/// threading levels differ by version and by odbcinst.ini).
struct Connection::Handles {
  SQLHENV environment = SQL_NULL_HANDLE;
  SQLHDBC connection = SQL_NULL_HANDLE;
  SQLHSTMT statement = SQL_NULL_HANDLE;
  bool connected = false;

  Handles() {
    ASSENT_CHECK(SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_ENV, SQL_NULL_HANDLE, &environment)));
    SQLSetEnvAttr(environment, SQL_ATTR_ODBC_VERSION, odbc_number(SQL_OV_ODBC3), 0);
    ASSENT_CHECK(SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_DBC, environment, &connection)));
  }
  ~Handles() {
    if (statement != SQL_NULL_HANDLE) SQLFreeHandle(SQL_HANDLE_STMT, statement);
    if (connected) SQLDisconnect(connection);
    SQLFreeHandle(SQL_HANDLE_DBC, connection);
    SQLFreeHandle(SQL_HANDLE_ENV, environment);
  }
  Handles(const Handles&) = delete;
  Handles& operator=(const Handles&) = delete;

  std::optional<Diagnostic> connect(const std::string& connection_string, Duration login_timeout) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(login_timeout).count();
    SQLSetConnectAttr(connection, SQL_ATTR_LOGIN_TIMEOUT,
                      odbc_number(static_cast<SQLULEN>(seconds)), SQL_IS_UINTEGER);
    const SQLRETURN rc = SQLDriverConnect(connection, nullptr, odbc_text(connection_string),
                                          static_cast<SQLSMALLINT>(connection_string.size()),
                                          nullptr, 0, nullptr, SQL_DRIVER_NOPROMPT);
    if (!SQL_SUCCEEDED(rc)) return read_diagnostic(SQL_HANDLE_DBC, connection);
    connected = true;
    if (!allocate_statement()) return read_diagnostic(SQL_HANDLE_DBC, connection);
    return std::nullopt;
  }

  bool allocate_statement() {
    if (!SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, connection, &statement))) return false;
    // The text is the server's, not ODBC's: no escapes in braces.
    SQLSetStmtAttr(statement, SQL_ATTR_NOSCAN, odbc_number(SQL_NOSCAN_ON), 0);
    return true;
  }

  /// After a failure: before it executes again, MariaDB's driver (3.1.15) asks for the results that
  /// are left, and when the connection was lost in the midst of several it asks for ever, which no
  /// `interrupt` ends. It does not ask for those of another handle. Without one every call fails
  /// from here on.
  void renew_statement() {
    SQLFreeHandle(SQL_HANDLE_STMT, statement);
    if (!allocate_statement()) statement = SQL_NULL_HANDLE;
  }
};

Connection::Connection(std::unique_ptr<Handles> handles, int socket)
    : handles_(std::move(handles)), socket_(socket) {}

Connection::~Connection() {
  // A driver that gave up its connection silently left the server with an open one: ours.
  handles_.reset();
  ::shutdown(socket_, SHUT_RDWR);
  ::close(socket_);
}

Connection::Opened Connection::open(const std::string& connection_string, Duration login_timeout) {
  const std::lock_guard lock(one_connect_at_a_time());
  const auto before = connected_sockets();
  const std::string port = option(connection_string, "port").value_or("");
  auto handles = std::make_unique<Handles>();
  std::optional<Diagnostic> failure;
  {
    const ConnectWatchdog watchdog(before, port, login_timeout);
    failure = handles->connect(connection_string, login_timeout);
  }
  if (failure) return {nullptr, std::move(failure)};
  const int socket = duplicate_new_socket(before, port);
  if (socket < 0) {
    return {nullptr, Diagnostic{{},
                                0,
                                "connected, but the driver's socket could not be told "
                                "from others, so a hanging call could not be cut"}};
  }
  return {std::unique_ptr<Connection>(new Connection(std::move(handles), socket)), std::nullopt};
}

void Connection::interrupt() {
  interrupted_.store(true, std::memory_order_release);
  ::shutdown(socket_, SHUT_RDWR);
}

Answer Connection::execute(const std::string& sql, const Limits& limits) {
  Answer answer;
  const SQLHSTMT statement = handles_->statement;
  SQLRETURN rc = SQLExecDirect(statement, odbc_text(sql), static_cast<SQLINTEGER>(sql.size()));
  // SQL_NO_DATA: an UPDATE or DELETE that found no row (ODBC 3).
  while (SQL_SUCCEEDED(rc) || (rc == SQL_NO_DATA && answer.results.empty())) {
    if (rc == SQL_SUCCESS_WITH_INFO && !answer.notice)
      answer.notice = read_diagnostic(SQL_HANDLE_STMT, statement);
    ResultSet& result = answer.results.emplace_back();
    SQLSMALLINT width = 0;
    SQLNumResultCols(statement, &width);
    if (width > 0) {
      if (!read_rows(statement, static_cast<SQLUSMALLINT>(width), limits, result)) {
        rc = SQL_ERROR;
        break;
      }
    } else {
      SQLLEN count = 0;  // psqlODBC leaves it untouched after BEGIN and the like
      SQLRowCount(statement, &count);
      result.row_count = std::max<std::int64_t>(count, 0);
    }
    rc = SQLMoreResults(statement);
    if (rc == SQL_NO_DATA) break;
  }
  if (rc == SQL_NO_DATA) {
    SQLFreeStmt(statement, SQL_CLOSE);
  } else {
    answer.failure = read_diagnostic(SQL_HANDLE_STMT, statement);
    handles_->renew_statement();
  }
  return answer;
}

}  // namespace assent::rm::odbc
