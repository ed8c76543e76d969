#include "participant_agents/rm/statement_cache.h"

#include <utility>

namespace assent::rm {

Result<ReadyStatement> StatementCache::read(const Statement& statement) {
  auto lexed = lex(statement.sql);
  if (!lexed) return lexed.error();
  auto literals = literals_of(kind_, **lexed, statement.params);
  if (!literals) return literals.error();
  return ReadyStatement{statement, std::move(*lexed), std::move(*literals)};
}

Result<std::shared_ptr<const LexedStatement>> StatementCache::lex(const std::string& sql) {
  if (const auto known = lexed_.find(sql); known != lexed_.end()) return known->second;
  auto lexed = lex_statement(kind_, sql);
  if (!lexed) return lexed.error();
  auto shared = std::make_shared<const LexedStatement>(std::move(*lexed));
  if (sql.size() > kRememberedBytesMax) return shared;
  if (lexed_.size() == kRememberedMax) lexed_.clear();
  lexed_.emplace(sql, shared);
  return shared;
}

}  // namespace assent::rm
