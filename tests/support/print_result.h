#pragma once

#include <string>

#include <catch2/catch.hpp>

#include "protocol/base/result.h"

/// Lets Catch2 show a Result: `REQUIRE(result)` then prints the error's sentence when it fails.
/// Boost's own operator<< would ask the same of T.

namespace Catch {

template <typename T>
struct StringMaker<assent::Result<T>> {
  static std::string convert(const assent::Result<T>& result) {
    if (result) return "a value";
    const assent::Error& error = result.error();
    return std::string(assent::to_string(error.code)) + ": " + error.message;
  }
};

}  // namespace Catch
