#include "participant_agents/rm/sql_lexer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

namespace assent::rm {
namespace {

constexpr std::array<std::string_view, 7> kFirstWords = {"SELECT", "INSERT", "UPDATE", "DELETE",
                                                         "WITH",   "VALUES", "REPLACE"};

/// What may stand before a parenthesis and leaves the session as it was: words of SQL and of types,
/// and built-in functions in common use. One that is missing costs a new connection, no more.
constexpr std::array<std::string_view, 51> kWordsBeforeParenthesis = {
    "ALL",   "AND",          "ANY",       "ARRAY",     "AS",       "BETWEEN", "BY",
    "CASE",  "CAST",         "CHAR",      "COALESCE",  "CONFLICT", "DECIMAL", "DISTINCT",
    "ELSE",  "EXCEPT",       "EXISTS",    "EXTRACT",   "FILTER",   "FROM",    "HAVING",
    "IN",    "INTERSECT",    "INTERVAL",  "IS",        "JOIN",     "LATERAL", "LIKE",
    "LIMIT", "MATERIALIZED", "NOT",       "NULLIF",    "NUMERIC",  "OFFSET",  "ON",
    "OR",    "OVER",         "PARTITION", "RETURNING", "ROW",      "SELECT",  "SET",
    "SOME",  "THEN",         "TIMESTAMP", "UNION",     "USING",    "VALUES",  "VARCHAR",
    "WHEN",  "WHERE"};
constexpr std::array<std::string_view, 40> kCommonFunctions = {
    "ABS",        "AVG",         "CEIL",
    "CEILING",    "CHAR_LENGTH", "CONCAT",
    "CONCAT_WS",  "COUNT",       "CURRENT_TIMESTAMP",
    "FLOOR",      "GREATEST",    "LEAST",
    "LEFT",       "LENGTH",      "LOWER",
    "LPAD",       "LTRIM",       "MAX",
    "MD5",        "MIN",         "MOD",
    "NEXTVAL",    "NOW",         "POSITION",
    "POWER",      "RANK",        "REPEAT",
    "REPLACE",    "RIGHT",       "ROUND",
    "ROW_NUMBER", "RPAD",        "RTRIM",
    "SIGN",       "SQRT",        "SUBSTR",
    "SUBSTRING",  "SUM",         "TRIM",
    "UPPER"};
constexpr std::array<std::string_view, 12> kPostgresFunctions = {
    "ARRAY_AGG",         "CLOCK_TIMESTAMP",
    "DATE_TRUNC",        "GENERATE_SERIES",
    "GEN_RANDOM_UUID",   "JSONB_BUILD_OBJECT",
    "JSON_BUILD_OBJECT", "PG_CURRENT_XACT_ID",
    "PG_SLEEP",          "RANDOM",
    "STRING_AGG",        "TO_CHAR"};
constexpr std::array<std::string_view, 15> kMariadbFunctions = {
    "CURDATE",    "GROUP_CONCAT",   "HEX",  "IF",    "IFNULL", "JSON_EXTRACT",  "JSON_OBJECT",
    "JSON_VALUE", "LAST_INSERT_ID", "RAND", "SLEEP", "UNHEX",  "UTC_TIMESTAMP", "UUID",
    "VALUE"};

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_word_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool is_word(char c) {
  return is_word_start(c) || is_digit(c) || c == '$';
}

char upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}
bool same_word(std::string_view word, std::string_view upper_case) {
  return word.size() == upper_case.size() &&
         std::equal(word.begin(), word.end(), upper_case.begin(),
                    [](char a, char b) { return upper(a) == b; });
}

/// Of names that need no quotes, as both databases compare them: letters of ASCII in any case.
bool begins_with_word(std::string_view word, std::string_view upper_case) {
  return same_word(word.substr(0, upper_case.size()), upper_case);
}

template <typename Words>
bool is_among(const Words& words, std::string_view word) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view known) { return same_word(word, known); });
}

bool is_harmless_before_parenthesis(Kind kind, std::string_view word) {
  return is_among(kWordsBeforeParenthesis, word) || is_among(kCommonFunctions, word) ||
         (kind == Kind::kPostgres ? is_among(kPostgresFunctions, word)
                                  : is_among(kMariadbFunctions, word));
}

/// Length of the UTF-8 sequence at the front of `text`; 0: none (RFC 3629 section 4).
std::size_t utf8_sequence(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  if ((lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xED && byte(1) > 0x9F)) return 0;
  if ((lead == 0xF0 && byte(1) < 0x90) || (lead == 0xF4 && byte(1) > 0x8F)) return 0;
  return length;
}

/// UTF-8 without NUL: what both databases can hold as text.
bool is_clean_text(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_sequence(text);
    if (length == 0 || text.front() == '\0') return false;
    text.remove_prefix(length);
  }
  return true;
}

class Lexer {
 public:
  Lexer(Kind kind, std::string_view sql, Author author)
      : kind_(kind), author_(author), rest_(sql) {}

  Result<LexedStatement> run() {
    if (!is_clean_text(rest_)) return refusal("it is not UTF-8 text without NUL");
    while (!rest_.empty() && !refused_) token();
    if (!refused_ && !first_word_seen_) refuse("it is empty");
    if (refused_) return refusal(*refused_);
    return std::move(out_);
  }

 private:
  void token() {
    const char c = rest_.front();
    if (ended_ && !is_space(c) && !at_comment()) {
      refuse("only one statement may be in a step, and a semicolon only at its end");
    } else if (is_space(c)) {
      keep(1);
    } else if (at_comment()) {
      comment();
    } else if (c == '\'' && after_escape_string_) {
      refuse("write an escape string E'..' in one piece");
    } else {
      after_escape_string_ = false;
      solid_token(c);
    }
  }

  /// Neither white space nor comment.
  void solid_token(char c) {
    if (c != '.' && c != '(' && !is_word_start(c) && c != '"' && c != '`') before_ = {};
    const std::string_view at = rest_;
    if (is_word_start(c)) {
      word();
    } else if (!first_word_seen_) {
      refuse_first_word();
    } else if (c == '\'' || c == '"' || c == '`') {
      quoted(c);
    } else if (c == '$') {
      dollar();
    } else {
      punctuation(c);
    }
    last_token_ = at.substr(0, at.size() - rest_.size());
  }

  // ---- words

  void word() {
    const std::size_t length = static_cast<std::size_t>(
        std::find_if_not(rest_.begin(), rest_.end(), is_word) - rest_.begin());
    const std::string_view word = rest_.substr(0, length);
    if (!first_word_seen_ && !allowed_first(word)) return refuse_first_word();
    first_word_seen_ = true;
    if (same_word(word, "RETURNING")) out_.may_return_rows = true;
    if (same_word(word, "BY") || same_word(word, "DISTINCT")) numbers_may_name_columns_ = true;
    if (kind_ == Kind::kMariadb && (same_word(word, "OUTFILE") || same_word(word, "DUMPFILE")))
      return refuse("INTO OUTFILE and INTO DUMPFILE write files that no rollback takes back");
    if (!name_allowed(word)) return;
    if (kind_ == Kind::kPostgres && length < rest_.size()) {
      if (same_word(word, "U") && rest_.substr(length).starts_with('&'))
        return refuse("U&'..' and U&\"..\" hide what they say: write the characters themselves");
      if (same_word(word, "E") && rest_[length] == '\'') return escape_quoted();
      // psqlODBC takes any letter E before a quote for the beginning of an escape string.
      if (upper(word.back()) == 'E' && rest_[length] == '\'')
        return refuse("write a space between a word and a quote");
    }
    note_name(word, false);
    keep(length);
  }

  // ---- names

  /// `name` without its quotes.
  bool name_allowed(std::string_view name) {
    if (author_ == Author::kAssent) return true;
    if (same_word(name, "ASSENT") || begins_with_word(name, "ASSENT_")) {
      refuse("names that begin with assent are the agent's own");
    } else if (kind_ == Kind::kPostgres &&
               (same_word(name, "SET_CONFIG") || same_word(name, "PG_SETTINGS"))) {
      refuse("a step does not change settings of its session");
    }
    return !refused_;
  }

  void note_name(std::string_view name, bool is_quoted) {
    const bool qualified = before_.dot;
    const bool is_into = !qualified && !is_quoted && same_word(name, "INTO");
    const bool of_into = before_.of_into && (qualified || before_.is_into);
    before_ = {.name = name,
               .is_plain = !is_quoted && !qualified,
               .is_into = is_into,
               .of_into = of_into || is_into};
  }

  /// A name before a parenthesis is a function's, unless it is a word of SQL or the table of an
  /// INSERT.
  void parenthesis() {
    const bool calls = !before_.name.empty() && !before_.of_into &&
                       !(before_.is_plain && is_harmless_before_parenthesis(kind_, before_.name));
    out_.may_change_session = out_.may_change_session || calls;
    before_ = {};
  }

  bool allowed_first(std::string_view word) {
    const auto found = std::find_if(kFirstWords.begin(), kFirstWords.end(),
                                    [&](std::string_view known) { return same_word(word, known); });
    if (found == kFirstWords.end()) return false;
    out_.may_return_rows = *found == "SELECT" || *found == "VALUES" || *found == "WITH";
    return true;
  }

  void refuse_first_word() {
    refuse("a step begins with SELECT, INSERT, UPDATE, DELETE, WITH, VALUES or REPLACE");
  }

  // ---- comments: never sent on

  bool at_comment() const {
    if (rest_.starts_with("/*") || rest_.starts_with("--")) return true;
    return kind_ == Kind::kMariadb && rest_.front() == '#';
  }

  void comment() {
    if (rest_.starts_with("/*")) return block_comment();
    // MariaDB reads `--` as two minus signs unless white space follows.
    const bool doubtful = kind_ == Kind::kMariadb && rest_.starts_with("--") && rest_.size() > 2 &&
                          !is_space(rest_[2]);
    if (doubtful) return refuse("write `- -` for two minus signs and `-- ` for a comment");
    drop(std::min(rest_.find('\n'), rest_.size()));
  }

  void block_comment() {
    if (kind_ == Kind::kMariadb) {
      if (rest_.starts_with("/*!") || rest_.starts_with("/*M!") || rest_.starts_with("/*m!"))
        return refuse("MariaDB would execute the text of a comment that begins with /*! or /*M!");
      const std::size_t end = rest_.find("*/", 2);
      return end == std::string_view::npos ? refuse("a comment is not closed") : drop(end + 2);
    }
    // PostgreSQL's nest.
    std::size_t depth = 0;
    for (std::size_t i = 0; i + 1 < rest_.size(); ++i) {
      const std::string_view two = rest_.substr(i, 2);
      if (two == "/*") {
        ++depth, ++i;
      } else if (two == "*/") {
        ++i;
        if (--depth == 0) return drop(i + 1);
      }
    }
    refuse("a comment is not closed");
  }

  // ---- what a server that keeps the statement might read in another way

  /// Directly in an expression, and not perhaps alone in a list of columns.
  void note_marker() {
    constexpr std::array<std::string_view, 8> kBeforeOperand = {
        "=", "<", ">", "AND", "BETWEEN", "LIKE", "LIMIT", "OFFSET"};
    if (numbers_may_name_columns_ && !is_among(kBeforeOperand, last_token_))
      out_.keeps_its_meaning = false;
  }

  /// Dates have digits or are one of these words, perhaps in pieces or in escapes.
  void note_constant(std::string_view inside) {
    constexpr std::array<std::string_view, 4> kTimes = {"NOW", "TODAY", "TOMORROW", "YESTERDAY"};
    const bool in_pieces = !last_token_.empty() && last_token_.back() == '\'';
    const auto same = [](char a, char b) { return upper(a) == b; };
    const bool is_time = std::any_of(kTimes.begin(), kTimes.end(), [&](std::string_view time) {
      return std::search(inside.begin(), inside.end(), time.begin(), time.end(), same) !=
             inside.end();
    });
    const bool plain =
        std::none_of(inside.begin(), inside.end(), [](char c) { return is_digit(c) || c == '\\'; });
    if (in_pieces || is_time || !plain) out_.keeps_its_meaning = false;
  }

  // ---- quotes

  /// Quotes end at their own character unless it is doubled; in MariaDB's strings a backslash also
  /// hides it.
  void quoted(char quote) {
    if (kind_ == Kind::kPostgres && quote == '`') return punctuation(quote);
    const bool backslash_hides = kind_ == Kind::kMariadb && quote != '`';
    const std::size_t length = quoted_length(quote, backslash_hides);
    if (length == 0) return refuse("a quote is not closed");
    const std::string_view inside = rest_.substr(1, length - 2);
    if (quote == (kind_ == Kind::kPostgres ? '"' : '`')) {
      if (!name_allowed(inside)) return;
      note_name(inside, true);
      keep(length);
    } else if (kind_ == Kind::kPostgres && inside.find('\\') != std::string_view::npos) {
      out_.keeps_its_meaning = false;
      keep_with_backslashes(length);
    } else {
      note_constant(inside);
      before_ = {};
      keep(length);
    }
  }

  /// As an escape string with its backslashes doubled, which means the same whatever
  /// standard_conforming_strings is by now.
  void keep_with_backslashes(std::size_t length) {
    if (!out_.text.empty() && is_word(out_.text.back()))
      return refuse("write a space between a word and a quote");
    out_.text += 'E';
    for (const char c : rest_.substr(0, length)) out_.text.append(c == '\\' ? 2 : 1, c);
    rest_.remove_prefix(length);
    after_escape_string_ = true;
  }

  /// PostgreSQL's E'..', with the capital by which psqlODBC knows it. After white space with a
  /// newline in it another quote would go on with it, still as an escape string: refused, rather
  /// than read in two ways.
  void escape_quoted() {
    rest_.remove_prefix(1);
    const std::size_t length = quoted_length('\'', true);
    if (length == 0) return refuse("a quote is not closed");
    out_.text += 'E';
    out_.keeps_its_meaning = false;
    keep(length);
    before_ = {};
    after_escape_string_ = true;
  }

  /// With both quotes; 0: it is not closed.
  std::size_t quoted_length(char quote, bool backslash_hides) const {
    for (std::size_t i = 1; i < rest_.size(); ++i) {
      if (backslash_hides && rest_[i] == '\\') {
        ++i;
      } else if (rest_[i] == quote) {
        const bool doubled = i + 1 < rest_.size() && rest_[i + 1] == quote;
        if (!doubled) return i + 1;
        ++i;
      }
    }
    return 0;
  }

  void dollar() {
    if (kind_ == Kind::kMariadb) return keep(1);
    std::size_t end = 1;
    while (end < rest_.size() && rest_[end] != '$' && is_word(rest_[end])) ++end;
    const bool delimiter =
        end < rest_.size() && rest_[end] == '$' && (end == 1 || is_word_start(rest_[1]));
    if (!delimiter) return refuse("parameters are written ?, not $1");
    const std::string_view tag = rest_.substr(0, end + 1);
    const std::size_t close = rest_.find(tag, tag.size());
    if (close == std::string_view::npos) return refuse("a dollar quote is not closed");
    out_.keeps_its_meaning = false;
    keep(close + tag.size());
  }

  // ---- everything else

  void punctuation(char c) {
    if (c == ';') {
      ended_ = true;
      return drop(1);
    }
    if (c == '{' || c == '}') return refuse("ODBC escapes in braces are not taken");
    if (c == '\\') return refuse("a backslash may stand only inside quotes");
    if (c == '@' && kind_ == Kind::kMariadb)
      return refuse("variables (@) outlive the transaction: pass a parameter instead");
    if (c == '(') parenthesis();
    if (c == '.') before_.dot = true;
    if (c == '?') {
      note_marker();
      out_.markers.push_back(out_.text.size());
    }
    keep(1);
  }

  void keep(std::size_t length) {
    out_.text.append(rest_.substr(0, length));
    rest_.remove_prefix(length);
  }

  void drop(std::size_t length) {
    if (!ended_) out_.text += ' ';
    rest_.remove_prefix(length);
  }

  void refuse(const char* why) { refused_ = why; }

  static Error refusal(const char* why) {
    return {.code = ErrorCode::kStatementNotAllowed,
            .effect = Effect::kNone,
            .message = std::string("the statement is not allowed: ") + why};
  }

  /// What stands directly before, white space and comments aside.
  struct Before {
    std::string_view name;  ///< empty: something else
    bool is_plain = false;  ///< neither in quotes nor behind a dot
    bool is_into = false;   ///< the word INTO
    bool of_into = false;   ///< it, or a part of the name that follows it
    bool dot = false;       ///< behind the name
  };

  Kind kind_;
  Author author_;
  std::string_view rest_;
  LexedStatement out_;
  Before before_;
  std::string_view last_token_;  ///< before this one; of several signs the last
  bool numbers_may_name_columns_ = false;
  bool first_word_seen_ = false;
  bool after_escape_string_ = false;
  bool ended_ = false;  ///< the closing semicolon was seen
  std::optional<const char*> refused_;
};

// ---------------------------------------------------------------- literals

Error unfit(const std::string& why) {
  return {.code = ErrorCode::kInvalid, .effect = Effect::kNone, .message = why};
}

/// A minus sign never touches the text before it: `a -?` with -1 must not become the comment `--1`.
std::string number_literal(const std::string& digits) {
  return digits.front() == '-' ? "(" + digits + ")" : digits;
}

struct LiteralWriter {
  Kind kind;

  Result<std::string> operator()(std::monostate) const { return std::string("NULL"); }

  Result<std::string> operator()(bool value) const { return std::string(value ? "TRUE" : "FALSE"); }

  Result<std::string> operator()(std::int64_t value) const {
    // Without its sign the smallest is too large for bigint, and PostgreSQL would make it numeric.
    if (kind == Kind::kPostgres && value == std::numeric_limits<std::int64_t>::min())
      return "'" + std::to_string(value) + "'::bigint";
    return number_literal(std::to_string(value));
  }

  Result<std::string> operator()(double value) const {
    if (kind == Kind::kPostgres) {
      if (std::isnan(value)) return std::string("'NaN'::float8");
      if (std::isinf(value))
        return std::string(value > 0 ? "'Infinity'::float8" : "'-Infinity'::float8");
      return "'" + shortest(value) + "'::float8";
    }
    if (!std::isfinite(value)) return unfit("MariaDB holds neither NaN nor infinity");
    return number_literal(shortest(value));
  }

  Result<std::string> operator()(const std::string& value) const {
    if (!is_clean_text(value))
      return unfit("a text parameter must be UTF-8 without NUL; pass other data as bytes");
    const bool backslashes = value.find('\\') != std::string::npos;
    std::string literal = kind == Kind::kPostgres && backslashes ? "E'" : "'";
    for (const char c : value) {
      if (c == '\'' || c == '\\') literal += c;
      literal += c;
    }
    literal += '\'';
    return literal;
  }

  Result<std::string> operator()(const Bytes& value) const {
    constexpr std::string_view kHex = "0123456789abcdef";
    std::string literal = kind == Kind::kPostgres ? "'\\x" : "x'";
    for (const char c : value.data) {
      const auto byte = static_cast<unsigned char>(c);
      literal += kHex[byte >> 4U];
      literal += kHex[byte & 0xFU];
    }
    literal += kind == Kind::kPostgres ? "'::bytea" : "'";
    return literal;
  }

 private:
  /// The shortest text that reads back as the same double, with an exponent: to MariaDB a number
  /// without one is exact.
  static std::string shortest(double value) {
    std::array<char, 32> text{};
    const auto end =
        std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::scientific);
    return {text.data(), end.ptr};
  }
};

}  // namespace

Result<LexedStatement> lex_statement(Kind kind, std::string_view sql, Author author) {
  if (sql.size() > kSqlBytesMax)
    return unfit("the statement is longer than " + std::to_string(kSqlBytesMax) + " bytes");
  return Lexer(kind, sql, author).run();
}

Result<std::vector<std::string>> literals_of(Kind kind, const LexedStatement& statement,
                                             const std::vector<Value>& params) {
  if (params.size() != statement.markers.size()) {
    return unfit("the statement has " + std::to_string(statement.markers.size()) +
                 " ? markers and came with " + std::to_string(params.size()) + " parameters");
  }
  std::vector<std::string> literals;
  literals.reserve(params.size());
  for (const Value& param : params) {
    auto literal = std::visit(LiteralWriter{kind}, param);
    if (!literal) return literal.error();
    literals.push_back(std::move(*literal));
  }
  return literals;
}

std::string fill_in(const LexedStatement& statement, const std::vector<std::string>& words) {
  std::string out;
  out.reserve(statement.text.size() + 24 * words.size());
  std::size_t from = 0;
  for (std::size_t i = 0; i < words.size(); ++i) {
    out.append(statement.text, from, statement.markers[i] - from);
    out += ' ';
    out += words[i];
    out += ' ';
    from = statement.markers[i] + 1;
  }
  out.append(statement.text, from);
  return out;
}

Result<std::string> render(Kind kind, const LexedStatement& statement,
                           const std::vector<Value>& params) {
  const auto literals = literals_of(kind, statement, params);
  if (!literals) return literals.error();
  return fill_in(statement, *literals);
}

}  // namespace assent::rm
