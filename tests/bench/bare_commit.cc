#include "tests/bench/bare_commit.h"

#include <fcntl.h>
#include <libpq-fe.h>
#include <mysql.h>
#include <unistd.h>

#include <array>
#include <condition_variable>
#include <mutex>
#include <random>
#include <stdexcept>
#include <system_error>

namespace assent::bench {
namespace {

constexpr std::size_t kRecordBytes = 64;
constexpr off_t kLogBytes = 64 << 20;

[[noreturn]] void fail(const std::string& what, const std::string& why) {
  throw std::runtime_error("yardstick: " + what + ": " + why);
}

/// One connection with one statement under way at a time.
class Connection {
 public:
  virtual ~Connection() = default;
  virtual void send(const std::string& sql) = 0;
  virtual void receive() = 0;
};

class PostgresConnection final : public Connection {
 public:
  explicit PostgresConnection(const BareTarget& target) {
    const std::string where = "host=127.0.0.1 port=" + std::to_string(target.port) +
                              " dbname=" + target.database + " user=" + target.user +
                              " password=" + target.password;
    connection_ = PQconnectdb(where.c_str());
    if (PQstatus(connection_) != CONNECTION_OK) fail("connecting", PQerrorMessage(connection_));
  }
  ~PostgresConnection() override { PQfinish(connection_); }

  void send(const std::string& sql) override {
    if (PQsendQuery(connection_, sql.c_str()) == 0) fail(sql, PQerrorMessage(connection_));
  }

  void receive() override {
    while (PGresult* result = PQgetResult(connection_)) {
      const bool done = PQresultStatus(result) == PGRES_COMMAND_OK;
      PQclear(result);
      if (!done) fail("PostgreSQL", PQerrorMessage(connection_));
    }
  }

 private:
  PGconn* connection_ = nullptr;
};

class MariadbConnection final : public Connection {
 public:
  explicit MariadbConnection(const BareTarget& target) : connection_(mysql_init(nullptr)) {
    const auto* connected =
        mysql_real_connect(connection_, "127.0.0.1", target.user.c_str(), target.password.c_str(),
                           target.database.c_str(), target.port, nullptr, CLIENT_MULTI_STATEMENTS);
    if (connected == nullptr) fail("connecting", mysql_error(connection_));
  }
  ~MariadbConnection() override { mysql_close(connection_); }

  void send(const std::string& sql) override {
    if (mysql_send_query(connection_, sql.c_str(), sql.size()) != 0)
      fail(sql, mysql_error(connection_));
  }

  void receive() override {
    if (mysql_read_query_result(connection_) != 0) fail("MariaDB", mysql_error(connection_));
    int more = 0;
    do {
      if (MYSQL_RES* rows = mysql_store_result(connection_)) mysql_free_result(rows);
      more = mysql_next_result(connection_);
      if (more > 0) fail("MariaDB", mysql_error(connection_));
    } while (more == 0);
  }

 private:
  MYSQL* connection_;
};

/// The words that one branch of one payment needs.
class Branch {
 public:
  explicit Branch(const BareTarget& target) : target_(target) {
    if (target.mariadb)
      connection_ = std::make_unique<MariadbConnection>(target);
    else
      connection_ = std::make_unique<PostgresConnection>(target);
  }

  void begin(const std::string& transaction, std::int64_t id) {
    xid_ = target_.mariadb ? "'" + transaction + "','" + target_.database + "',1"
                           : "'" + transaction + "-" + target_.database + "'";
    connection_->send((target_.mariadb ? "XA START " + xid_ + "; " : std::string("BEGIN; ")) +
                      target_.update + std::to_string(id));
  }
  void prepare() {
    connection_->send(target_.mariadb ? "XA END " + xid_ + "; XA PREPARE " + xid_
                                      : "PREPARE TRANSACTION " + xid_);
  }
  void commit() { connection_->send((target_.mariadb ? "XA COMMIT " : "COMMIT PREPARED ") + xid_); }
  void wait() { connection_->receive(); }

 private:
  const BareTarget target_;
  std::unique_ptr<Connection> connection_;
  std::string xid_;
};

class BarePayer final : public Payer {
 public:
  BarePayer(const BareTarget& points, const BareTarget& payments, BareLog& log, int number,
            std::int64_t rows)
      : branches_{Branch(points), Branch(payments)},
        log_(log),
        prefix_("bare-" + std::to_string(::getpid()) + "-" + std::to_string(number) + "-"),
        random_(std::random_device{}()),
        ids_(1, rows) {}

  void pay() override {
    const std::string transaction = prefix_ + std::to_string(++count_);
    for (Branch& branch : branches_) branch.begin(transaction, ids_(random_));
    wait_for_both();
    for (Branch& branch : branches_) branch.prepare();
    wait_for_both();
    log_.force(transaction);
    for (Branch& branch : branches_) branch.commit();
    wait_for_both();
  }

 private:
  void wait_for_both() {
    for (Branch& branch : branches_) branch.wait();
  }

  std::array<Branch, 2> branches_;
  BareLog& log_;
  const std::string prefix_;
  std::uint64_t count_ = 0;
  std::mt19937_64 random_;
  std::uniform_int_distribution<std::int64_t> ids_;
};

}  // namespace

class BareLog::Impl {
 public:
  explicit Impl(const std::filesystem::path& file)
      : fd_(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
    if (fd_ < 0) fail(file, std::generic_category().message(errno));
    // Written once, so that fdatasync never has metadata to write.
    const std::string zeros(1 << 20, '\0');
    for (off_t at = 0; at < kLogBytes; at += static_cast<off_t>(zeros.size())) write_at(zeros, at);
    if (::fsync(fd_) != 0) fail("fsync", std::generic_category().message(errno));
  }
  ~Impl() { ::close(fd_); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void force(std::string record) {
    record.resize(kRecordBytes);
    std::unique_lock lock(mutex_);
    waiting_ += record;
    const std::uint64_t mine = ++queued_;
    while (durable_ < mine) {
      if (writing_)
        written_.wait(lock);
      else
        write_for_all(lock);
    }
  }

 private:
  void write_for_all(std::unique_lock<std::mutex>& lock) {
    writing_ = true;
    const std::string batch = std::move(waiting_);
    waiting_.clear();
    const std::uint64_t upto = queued_;
    if (offset_ + static_cast<off_t>(batch.size()) > kLogBytes) offset_ = 0;
    const off_t at = offset_;
    offset_ += static_cast<off_t>(batch.size());
    lock.unlock();
    write_at(batch, at);
    if (::fdatasync(fd_) != 0) fail("fdatasync", std::generic_category().message(errno));
    lock.lock();
    durable_ = upto;
    writing_ = false;
    written_.notify_all();
  }

  void write_at(const std::string& bytes, off_t at) const {
    if (::pwrite(fd_, bytes.data(), bytes.size(), at) != static_cast<ssize_t>(bytes.size()))
      fail("writing the log", std::generic_category().message(errno));
  }

  const int fd_;
  std::mutex mutex_;
  std::condition_variable written_;
  std::string waiting_;
  std::uint64_t queued_ = 0;
  std::uint64_t durable_ = 0;
  bool writing_ = false;
  off_t offset_ = 0;
};

BareLog::BareLog(const std::filesystem::path& file) : impl_(std::make_unique<Impl>(file)) {}
BareLog::~BareLog() = default;
void BareLog::force(const std::string& record) {
  impl_->force(record);
}

std::unique_ptr<Payer> make_bare_payer(const BareTarget& points, const BareTarget& payments,
                                       BareLog& log, int number, std::int64_t rows) {
  return std::make_unique<BarePayer>(points, payments, log, number, rows);
}

}  // namespace assent::bench
