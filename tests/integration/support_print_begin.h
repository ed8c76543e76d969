#pragma once

#include <string>

#include <catch2/catch.hpp>

#include "coordinator/client/begin_result.h"

/// Lets Catch2 show what begin gives: `REQUIRE(begun)` then prints why when it fails, as
/// tests/support/print_result.h does for a Result.

namespace Catch {

template <typename T>
struct StringMaker<assent::BeginResult<T>> {
  static std::string convert(const assent::BeginResult<T>& result) {
    if (result) return "a transaction";
    const assent::Answer& answer = result.error();
    return std::string(assent::to_string(answer.outcome)) +
           (answer.error ? ": " + answer.error->message : "");
  }
};

}  // namespace Catch
