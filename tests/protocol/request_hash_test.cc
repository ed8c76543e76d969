#include "protocol/wire/request_hash.h"

#include <cmath>
#include <functional>
#include <set>

#include <catch2/catch.hpp>

namespace assent {
namespace {

std::vector<Step> steps() {
  Statement statement{"UPDATE a SET b = ?", {std::string("12"), std::int64_t{1}}, std::nullopt};
  return {{"accounts", statement, false, false}, {"points", statement, false, false}};
}

RequestHash after(const std::function<void(std::vector<Step>&)>& change) {
  std::vector<Step> changed = steps();
  change(changed);
  return request_hash(changed, std::nullopt);
}

Statement& first(std::vector<Step>& steps) {
  return steps.front().statement;
}

TEST_CASE("the same request has the same hash") {
  CHECK(request_hash(steps(), std::nullopt) == request_hash(steps(), std::nullopt));
  CHECK(request_hash(steps(), WallTime{5}) == request_hash(steps(), WallTime{5}));
}

TEST_CASE("whatever changes what a request does changes its hash") {
  const std::vector<RequestHash> hashes = {
      after([](auto&) {}),
      request_hash(steps(), WallTime{0}),
      request_hash(steps(), WallTime{1}),
      after([](auto& s) { std::swap(s[0], s[1]); }),
      after([](auto& s) { s.pop_back(); }),
      after([](auto& s) { s[0].participant = "account"; }),
      after([](auto& s) { first(s).sql += " "; }),
      after([](auto& s) { s[0].read_only = true; }),
      after([](auto& s) { s[0].shared_reads = true; }),
      after([](auto& s) { first(s).expect_rows = 0; }),
      after([](auto& s) { first(s).expect_rows = 1; }),
      after([](auto& s) { first(s).params.pop_back(); }),
      after([](auto& s) { first(s).params[0] = Bytes{"12"}; }),
      after([](auto& s) { first(s).params[0] = std::monostate(); }),
      after([](auto& s) { first(s).params[1] = true; }),
      after([](auto& s) { first(s).params[1] = 1.0; }),
      after([](auto& s) { first(s).params[1] = std::string("1"); }),
      // A byte moved from one field to its neighbour.
      after([](auto& s) { s[0].participant = "accountsU", first(s).sql.erase(0, 1); }),
      after([](auto& s) { first(s).params[0] = std::string("1"), first(s).sql += "2"; }),
      after([](auto& s) { first(s).params[1] = 0.0; }),
      after([](auto& s) { first(s).params[1] = -0.0; }),
  };
  CHECK(std::set<RequestHash>(hashes.begin(), hashes.end()).size() == hashes.size());
}

}  // namespace
}  // namespace assent
