#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "participant_agents/rm/resource_manager.h"
#include "protocol/base/result.h"
#include "protocol/message/statement.h"

/// Decides what may reach a database as a step, and writes parameters into it (design section 8).
/// Not a parser: it knows quotes, comments and words, and no more. It relies on settings that the
/// sessions pin: MariaDB without ANSI_QUOTES and NO_BACKSLASH_ESCAPES; UTF-8 in both. In PostgreSQL
/// no literal with a backslash is left whose meaning depends on standard_conforming_strings: a
/// function could have changed it. Pure; any thread.

namespace assent::rm {

struct LexedStatement {
  /// Without comments (each becomes a space) and without a closing semicolon: what can be mistaken
  /// for something else by a driver or a server never gets there.
  std::string text;
  std::vector<std::size_t> markers;  ///< offsets of the `?` markers in `text`, ascending
  bool may_return_rows = false;      ///< SELECT, VALUES, WITH, or the word RETURNING seen
  /// It may call a function that is not known to leave its session as it was: one that takes
  /// session locks or changes settings, whatever it is called.
  bool may_change_session = false;
  /// PostgreSQL: prepared on the server with parameters for its markers it means, each time, what
  /// it would mean with literals. Not so when a constant of its own may be a date, which the server
  /// reads once ('now'!), or a marker may stand where a number names a column (ORDER BY ?).
  bool keeps_its_meaning = true;
};

/// Who wrote a statement: only our own touch our own tables.
enum class Author { kCaller, kAssent };

/// One statement whose first word is SELECT, INSERT, UPDATE, DELETE, WITH, VALUES or REPLACE.
/// Refuses with kStatementNotAllowed, no effect: other first words, a semicolon before the end,
/// unclosed quotes and comments, executable comments (`/*!`, `/*M!`), `{` and `\` outside quotes
/// (ODBC escapes, \N), text that is not UTF-8 or has a NUL, what two lexers could read in two ways,
/// a caller's use of our own tables (names that are or begin with `assent`), of a session's
/// settings (PostgreSQL: set_config, pg_settings) or variables (MariaDB: `@`).
Result<LexedStatement> lex_statement(Kind kind, std::string_view sql,
                                     Author author = Author::kCaller);

/// The parameters as literals of that database, one for each marker. kInvalid, no effect: another
/// number of parameters than markers, a value that the database cannot hold (NUL in text, NaN or
/// infinity in MariaDB, text that is not UTF-8).
Result<std::vector<std::string>> literals_of(Kind kind, const LexedStatement& statement,
                                             const std::vector<Value>& params);

/// The statement with each marker replaced by what stands for it.
std::string fill_in(const LexedStatement& statement, const std::vector<std::string>& words);

/// The statement with its parameters as literals; errors as in `literals_of`.
Result<std::string> render(Kind kind, const LexedStatement& statement,
                           const std::vector<Value>& params);

}  // namespace assent::rm
