#include "participant_agents/server/options.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <string_view>

#include <boost/asio/ip/address.hpp>
#include <toml.hpp>

#include "participant_agents/core/refusal.h"
#include "protocol/base/xid.h"

namespace assent::agent {
namespace {

constexpr std::size_t kTokenBytesMin = 16;
constexpr std::size_t kTokenBytesMax = 1024;

/// Ends the reading; caught in read_options, the only door of this file.
struct Unfit : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// One table of the file, and where it stands.
class Table {
 public:
  Table(std::string file, std::string name, const toml::value& value)
      : file_(std::move(file)), name_(std::move(name)), value_(value) {
    if (!value.is_table()) fail(value, "", "must be a table");
  }

  void allow_only(std::initializer_list<std::string_view> known) const {
    for (const auto& [key, value] : value_.as_table()) {
      if (std::find(known.begin(), known.end(), key) == known.end()) {
        fail(value, key, "no such key; known here: " + joined(known));
      }
    }
  }

  std::string text(const std::string& key) const {
    const toml::value& value = required(key);
    if (!value.is_string()) fail(value, key, "must be text in quotes");
    const std::string text = value.as_string();
    if (text.empty()) fail(value, key, "must not be empty");
    return text;
  }

  std::int64_t number(const std::string& key, std::int64_t otherwise, std::int64_t least,
                      std::int64_t most) const {
    if (!value_.contains(key)) return otherwise;
    const toml::value& value = value_.at(key);
    const bool fits =
        value.is_integer() && value.as_integer() >= least && value.as_integer() <= most;
    if (!fits) {
      fail(value, key,
           "must be a whole number from " + std::to_string(least) + " to " + std::to_string(most));
    }
    return value.as_integer();
  }

  Duration milliseconds(const std::string& key, Duration otherwise, std::int64_t least,
                        std::int64_t most) const {
    using std::chrono::duration_cast;
    const auto ms = duration_cast<std::chrono::milliseconds>(otherwise).count();
    return std::chrono::milliseconds(number(key, ms, least, most));
  }

  [[noreturn]] void fail(const std::string& key, const std::string& why) const {
    fail(value_.at(key), key, why);
  }

 private:
  const toml::value& required(const std::string& key) const {
    if (!value_.contains(key)) fail(value_, key, "is missing");
    return value_.at(key);
  }

  [[noreturn]] void fail(const toml::value& where, const std::string& key,
                         const std::string& why) const {
    throw Unfit(file_ + ":" + std::to_string(where.location().line()) + ": " + name_ +
                (key.empty() ? "" : "." + key) + ": " + why);
  }

  static std::string joined(std::initializer_list<std::string_view> words) {
    std::string out;
    for (const std::string_view word : words) out += (out.empty() ? "" : ", ") + std::string(word);
    return out;
  }

  std::string file_;
  std::string name_;
  const toml::value& value_;
};

const toml::value& section(const std::string& file, const toml::value& root,
                           const std::string& name) {
  if (!root.contains(name)) throw Unfit(file + ":1: [" + name + "] is missing");
  return root.at(name);
}

void refuse_unknown_sections(const std::string& file, const toml::value& root) {
  for (const auto& [name, value] : root.as_table()) {
    if (name == "agent" || name == "database" || name == "coordinator") continue;
    throw Unfit(file + ":" + std::to_string(value.location().line()) + ": " + name +
                ": no such key; known here: agent, database, coordinator");
  }
}

void read_agent(const Table& table, Options& options) {
  table.allow_only({"participant", "listen", "link_grace_ms"});
  options.database.participant = table.text("participant");
  if (!is_participant_name(options.database.participant)) {
    table.fail("participant", "must be 1 to 32 of a-z, 0-9, _ and -, and begin with a letter");
  }
  const auto listen = parse_address(table.text("listen"));
  if (!listen) table.fail("listen", listen.error().message);
  if (!boost::asio::ip::make_address(listen->host).is_loopback()) {
    table.fail("listen",
               "must be a loopback address, such as 127.0.0.1:7401: links are not "
               "encrypted yet");
  }
  options.listen = *listen;
  options.link_grace = table.milliseconds("link_grace_ms", options.link_grace, 0, 60'000);
}

void read_database(const Table& table, Options& options) {
  table.allow_only({"kind", "connection", "work_sessions", "finish_sessions", "queue_max",
                    "statement_timeout_ms"});
  const std::string kind = table.text("kind");
  if (kind != "postgres" && kind != "mariadb") {
    table.fail("kind", "must be \"postgres\" or \"mariadb\"");
  }
  options.database.kind = kind == "postgres" ? rm::Kind::kPostgres : rm::Kind::kMariadb;
  options.database.connection = table.text("connection");
  options.database.statement_timeout =
      table.milliseconds("statement_timeout_ms", options.database.statement_timeout, 100, 600'000);
  options.work_sessions = static_cast<std::size_t>(table.number("work_sessions", 16, 1, 500));
  options.finish_sessions = static_cast<std::size_t>(table.number("finish_sessions", 4, 1, 100));
  options.queue_max = static_cast<std::size_t>(table.number("queue_max", 1000, 0, 100'000));
}

/// A secret that others can read is none.
std::string read_token(const Table& table, const std::filesystem::path& file) {
  struct stat about {};
  if (::stat(file.c_str(), &about) != 0) {
    table.fail("token_file", file.string() + " can't be read: it must be a file of mode 0600");
  }
  if ((about.st_mode & 0077) != 0) {
    table.fail("token_file", file.string() + " can be read by others: chmod 600 it");
  }
  std::ifstream in(file, std::ios::binary);
  std::string token(std::istreambuf_iterator<char>(in), {});
  if (!in) table.fail("token_file", file.string() + " can't be read");
  if (token.ends_with('\n')) token.pop_back();
  if (token.size() < kTokenBytesMin || token.size() > kTokenBytesMax) {
    table.fail("token_file", file.string() + " must hold a token of " +
                                 std::to_string(kTokenBytesMin) + " to " +
                                 std::to_string(kTokenBytesMax) + " bytes");
  }
  return token;
}

void read_coordinator(const Table& table, Options& options) {
  table.allow_only({"name", "token_file"});
  KnownCoordinator known;
  known.name = table.text("name");
  for (const auto& other : options.coordinators) {
    if (other.name == known.name) table.fail("name", "stands in two [[coordinator]] sections");
  }
  known.token = read_token(table, table.text("token_file"));
  options.coordinators.push_back(std::move(known));
}

Options read(const std::string& file) {
  const toml::value root = toml::parse(file);
  refuse_unknown_sections(file, root);
  Options options;
  read_agent(Table(file, "agent", section(file, root, "agent")), options);
  read_database(Table(file, "database", section(file, root, "database")), options);
  const toml::value& coordinators = section(file, root, "coordinator");
  if (!coordinators.is_array()) {
    throw Unfit(file + ":" + std::to_string(coordinators.location().line()) +
                ": coordinator: must be written [[coordinator]]");
  }
  for (const toml::value& one : coordinators.as_array()) {
    read_coordinator(Table(file, "coordinator", one), options);
  }
  return options;
}

}  // namespace

Result<Options> read_options(const std::filesystem::path& file) {
  const std::string name = file.string();
  if (!std::ifstream(file)) return refusal(ErrorCode::kInvalid, name + ": can't be read");
  std::string why;
  try {
    return read(name);
  } catch (const Unfit& unfit) {
    why = unfit.what();
  } catch (const toml::exception& error) {
    why = name + ":" + std::to_string(error.location().line()) + ": not TOML: " + error.what();
  }
  return refusal(ErrorCode::kInvalid, std::move(why));
}

}  // namespace assent::agent
