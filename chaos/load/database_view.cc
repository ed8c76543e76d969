#include "chaos/load/database_view.h"

#include <utility>

namespace assent::live {

ServerView::ServerView(DatabaseServer& server, std::string database)
    : server_(server), database_(std::move(database)) {}

std::vector<DatabaseView::Rows> ServerView::ask(const std::vector<std::string>& statements) {
  const Row end{"end of answer"};
  std::string sql;
  for (const auto& statement : statements) sql += statement + "; SELECT '" + end.front() + "';\n";
  std::vector<Rows> answers(1);
  for (Row& row : server_.query(database_, sql)) {
    if (row == end) {
      answers.emplace_back();
    } else {
      answers.back().push_back(std::move(row));
    }
  }
  answers.pop_back();  // behind the last end
  return answers;
}

}  // namespace assent::live
