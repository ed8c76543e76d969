#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "participant_agents/rm/sql_lexer.h"
#include "protocol/base/result.h"
#include "protocol/message/statement.h"

/// What a session remembers of the statements that it has seen. One thread at a time.

namespace assent::rm {

/// How many statements a session remembers, and how long each may be (R14). Beyond the first limit
/// it forgets all and begins anew; longer ones are read each time.
constexpr std::size_t kRememberedMax = 64;
constexpr std::size_t kRememberedBytesMax = 4096;

/// A statement that may be run, with its parameters as literals. As long as `statement` lives.
struct ReadyStatement {
  const Statement& statement;
  std::shared_ptr<const LexedStatement> lexed;
  std::vector<std::string> literals;  ///< one for each marker

  std::string at_length() const { return fill_in(*lexed, literals); }
};

/// The same statements come again and again, with other parameters: each is lexed once.
class StatementCache {
 public:
  explicit StatementCache(Kind kind) : kind_(kind) {}

  /// Errors of `lex_statement` and `literals_of`.
  Result<ReadyStatement> read(const Statement& statement);

 private:
  Result<std::shared_ptr<const LexedStatement>> lex(const std::string& sql);

  Kind kind_;
  std::unordered_map<std::string, std::shared_ptr<const LexedStatement>> lexed_;
};

}  // namespace assent::rm
