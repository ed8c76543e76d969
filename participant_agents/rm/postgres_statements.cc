#include "participant_agents/rm/postgres_statements.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <system_error>
#include <variant>
#include <vector>

namespace assent::rm {
namespace {

constexpr std::string_view kProof = "assent_proof";

/// The position is of what is flushed, and so outlives a power cut as the branch does: a proof may
/// not be ahead of the history that it belongs to.
std::string proof_of(std::string_view gid) {
  return "SELECT transaction::text||' '||pg_snapshot_xmax(pg_current_snapshot())::text||' '||"
         "(pg_current_wal_flush_lsn()-'0/0')::text FROM pg_prepared_xact() WHERE gid=" +
         std::string(gid);
}

/// How a parameter is declared, and what stands for marker `$n` in the statement. Types are those
/// that the server gives the literal, and a cast stands where the literal has one, since it gives a
/// column its name. NULL stays itself.
struct Parameter {
  char code;              ///< of the type, in the key of a form
  std::string_view type;  ///< empty: no parameter
  std::string_view cast;
};

constexpr Parameter kNull{'n', "", ""};
constexpr Parameter kBool{'b', "bool", ""};
constexpr Parameter kInt{'i', "int4", ""};
constexpr Parameter kLong{'l', "int8", ""};
constexpr Parameter kSmallestLong{'m', "int8", "::bigint"};
constexpr Parameter kDouble{'d', "float8", "::float8"};
constexpr Parameter kText{'t', "unknown", ""};  // left to what stands around it
constexpr Parameter kBytes{'x', "bytea", "::bytea"};

struct ParameterOf {
  Parameter operator()(std::monostate) const { return kNull; }
  Parameter operator()(bool) const { return kBool; }
  Parameter operator()(std::int64_t value) const {
    using Int = std::numeric_limits<std::int32_t>;
    if (value == std::numeric_limits<std::int64_t>::min()) return kSmallestLong;
    return value >= Int::min() && value <= Int::max() ? kInt : kLong;
  }
  Parameter operator()(double) const { return kDouble; }
  Parameter operator()(const std::string&) const { return kText; }
  Parameter operator()(const Bytes&) const { return kBytes; }
};

std::vector<Parameter> parameters_of(const ReadyStatement& statement) {
  std::vector<Parameter> parameters;
  parameters.reserve(statement.statement.params.size());
  for (const Value& value : statement.statement.params)
    parameters.push_back(std::visit(ParameterOf{}, value));
  return parameters;
}

}  // namespace

std::string ask_for_proof(std::string_view gid) {
  return proof_of("'" + std::string(gid) + "'");
}

/// A number, and behind it a space or, at the last, nothing. 0 is none of a transaction, of a
/// snapshot or of a WAL position that is behind something.
Result<ProofNumbers> read_proof(std::string_view row) {
  ProofNumbers numbers;
  const char* at = row.data();
  const char* end = at + row.size();
  const auto read = [&](std::uint64_t& number, bool last) {
    const auto [behind, error] = std::from_chars(at, end, number);
    const bool ends_well = last ? behind == end : behind != end && *behind == ' ';
    at = ends_well && !last ? behind + 1 : behind;
    return error == std::errc() && ends_well && number != 0;
  };
  if (read(numbers.transaction, false) && read(numbers.snapshot_xmax, false) &&
      read(numbers.wal_position, true))
    return numbers;
  Error error;
  error.code = ErrorCode::kStatementFailed;
  error.effect = Effect::kUnknown;
  error.message = "the database's proof of the prepared branch can't be read: " +
                  ("\"" + std::string(row) + "\"") +
                  ". Find out what stands before pg_catalog in the search path";
  return error;
}

std::string PostgresStatements::prepare_proof() {
  return "PREPARE " + std::string(kProof) + "(text) AS " + proof_of("$1");
}

std::string PostgresStatements::execute_proof(std::string_view gid) {
  return "EXECUTE " + std::string(kProof) + "('" + std::string(gid) + "')";
}

/// The name is the same in every language, the quotes around it are not.
bool PostgresStatements::is_about_proof(std::string_view message) {
  return message.find(kProof) != std::string_view::npos;
}

std::string PostgresStatements::let_go_of_all() {
  return "DEALLOCATE ALL;" + prepare_proof();
}

/// PostgreSQL 14 names the column of a bare TRUE otherwise than that of a parameter.
PostgresStatements::Form* PostgresStatements::form_of(const ReadyStatement& statement) {
  if (!statement.lexed->keeps_its_meaning || statement.lexed->may_change_session ||
      statement.statement.sql.size() > kRememberedBytesMax)
    return nullptr;
  std::string key = statement.statement.sql + '\0';
  for (const Parameter& parameter : parameters_of(statement)) {
    if (parameter.code == kBool.code && statement.lexed->may_return_rows) return nullptr;
    key += parameter.code;
  }
  const auto known = forms_.find(key);
  if (known != forms_.end()) return &known->second;
  is_full_ = forms_.size() - kept() >= kRememberedMax;
  return is_full_ ? nullptr : &forms_[key];
}

std::size_t PostgresStatements::kept() const {
  return static_cast<std::size_t>(std::count_if(
      forms_.begin(), forms_.end(),
      [](const auto& known) { return known.second.state == Form::State::kPrepared; }));
}

void PostgresStatements::forget_unkept_if_full() {
  if (!is_full_) return;
  std::erase_if(forms_,
                [](const auto& known) { return known.second.state != Form::State::kPrepared; });
  is_full_ = false;
}

/// A text parameter may become text or varchar. As anything else it would keep its type when the
/// column's is changed, and an interval is read otherwise where the column says which fields it
/// has.
std::string PostgresStatements::prepare(Form& form, const ReadyStatement& statement) {
  form.name = "assent_s" + std::to_string(++last_name_);
  std::string types;
  std::string is_right = "true";
  std::vector<std::string> words;
  std::size_t number = 0;
  for (const Parameter& parameter : parameters_of(statement)) {
    if (parameter.type.empty()) {
      words.emplace_back("NULL");
      continue;
    }
    types.append(types.empty() ? "" : ",").append(parameter.type);
    const std::string place = std::to_string(++number);
    words.push_back("$" + place + std::string(parameter.cast));
    if (parameter.code == kText.code)
      is_right += " AND parameter_types[" + place + "] IN ('text'::regtype,'varchar'::regtype)";
  }
  return "PREPARE " + form.name + (types.empty() ? "" : "(" + types + ")") + " AS " +
         fill_in(*statement.lexed, words) + ";SELECT " + is_right +
         " FROM pg_prepared_statements WHERE name='" + form.name + "'";
}

std::string PostgresStatements::say(const Form* form, const ReadyStatement& statement) {
  if (form == nullptr || form->state != Form::State::kPrepared) return statement.at_length();
  std::string arguments;
  for (std::size_t i = 0; i < statement.literals.size(); ++i) {
    if (std::holds_alternative<std::monostate>(statement.statement.params[i])) continue;
    arguments.append(arguments.empty() ? "" : ",").append(statement.literals[i]);
  }
  return "EXECUTE " + form->name + (arguments.empty() ? "" : "(" + arguments + ")");
}

}  // namespace assent::rm
