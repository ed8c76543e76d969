#include "participant_agents/rm/link.h"

#include <charconv>

namespace assent::rm {

Result<std::unique_ptr<Link>> Link::open(const Settings& settings,
                                         std::span<const PinnedOption> pins) {
  std::string connection_string = settings.connection;
  for (const auto& [keyword, value] : pins) {
    if (odbc::option(settings.connection, keyword)) {
      return make_error(settings, ErrorCode::kInvalid, Effect::kNone,
                        "take " + std::string(keyword) +
                            " out of the connection string: this agent sets it itself");
    }
    connection_string.append(";").append(keyword).append("=").append(value);
  }
  auto opened = odbc::Connection::open(connection_string, settings.call_timeout);
  if (opened.failure) return to_error(settings, *opened.failure, Effect::kNone);
  return std::unique_ptr<Link>(new Link(settings, std::move(opened.connection)));
}

odbc::Answer Link::run(const std::string& sql, const odbc::Limits& limits) {
  odbc::Answer answer = connection_->execute(sql, limits);
  if (answer.failure && meaning(*answer.failure) == Meaning::kConnectionLost) lost_ = true;
  return answer;
}

Result<std::vector<Row>> Link::query(const std::string& sql, Effect effect) {
  odbc::Answer answer = run(sql);
  if (answer.failure) return error(*answer.failure, effect);
  return std::move(answer.results.back().rows);
}

Error Link::unfit(std::string message) const {
  return make_error(settings_, ErrorCode::kDatabaseUnfit, Effect::kNone, std::move(message));
}

CallWatchdog::CallWatchdog(Link& link, Duration timeout)
    : thread_([this, &link, timeout] {
        std::unique_lock lock(mutex_);
        if (!changed_.wait_for(lock, timeout, [this] { return done_; })) link.interrupt();
      }) {}

CallWatchdog::~CallWatchdog() {
  {
    const std::lock_guard lock(mutex_);
    done_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

Error make_error(const Settings& settings, ErrorCode code, Effect effect, std::string message) {
  Error error;
  error.code = code;
  error.effect = effect;
  error.message = std::move(message);
  error.participant = settings.participant;
  return error;
}

std::int64_t integer_at(const Row& row, std::size_t column) {
  const auto* value = std::get_if<std::int64_t>(&row.at(column));
  return value == nullptr ? 0 : *value;
}

std::string text_at(const Row& row, std::size_t column) {
  const Value& value = row.at(column);
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* bytes = std::get_if<Bytes>(&value)) return bytes->data;
  return {};
}

std::uint64_t unsigned_at(const Row& row, std::size_t column) {
  const std::string digits = text_at(row, column);
  std::uint64_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

}  // namespace assent::rm
