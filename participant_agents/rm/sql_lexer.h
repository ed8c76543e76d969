#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "participant_agents/rm/resource_manager.h"
#include "protocol/base/result.h"
#include "protocol/message/statement.h"

/// Decides what may reach a database as a step, and writes parameters into it (design section 8). Not a parser: it
/// knows quotes, comments and words, and no more. Pure; any thread.

namespace assent::rm {

struct LexedStatement {
  std::string text;                   ///< without a closing semicolon and what follows it
  std::vector<std::size_t> markers;   ///< offsets of the `?` markers in `text`
  bool returns_rows = false;          ///< SELECT, VALUES, or a RETURNING clause seen as a word
};

/// One statement whose first word is SELECT, INSERT, UPDATE, DELETE, WITH, VALUES or REPLACE. Refuses with
/// kStatementNotAllowed, no effect: other first words, a semicolon before the end, unclosed quotes and comments,
/// executable comments (`/*!`, `/*M!`), NUL bytes, and words that end or hide a transaction in that database.
Result<LexedStatement> lex_statement(Kind kind, std::string_view sql);

/// The statement with each marker replaced by its parameter as a literal of that database. kInvalid, no effect: another
/// number of parameters than markers, a value that the database cannot hold (NUL in text, NaN in MariaDB, text that is
/// not UTF-8).
Result<std::string> render(Kind kind, const LexedStatement& statement, const std::vector<Value>& params);

}  // namespace assent::rm
