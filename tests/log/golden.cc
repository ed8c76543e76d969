#include "tests/log/golden.h"

#include <fmt/format.h>

#include <cctype>
#include <fstream>

#include <catch2/catch.hpp>

namespace assent::testing {

std::string read_golden(std::string_view name) {
  const auto path = fmt::format("{}/tests/log/testdata/{}.hex", ASSENT_SOURCE_DIR, name);
  INFO(path);
  std::ifstream in(path);
  REQUIRE(in.good());
  std::string digits;
  for (std::string line; std::getline(in, line);) {
    for (const char c : line.substr(0, line.find('#'))) {
      if (std::isxdigit(static_cast<unsigned char>(c)) != 0) digits += c;
    }
  }
  REQUIRE(digits.size() % 2 == 0);
  std::string bytes;
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

std::string to_hex(std::string_view bytes) {
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    out += fmt::format("{:02x}{}", static_cast<unsigned char>(bytes[i]),
                       i % 16 == 15 || i + 1 == bytes.size() ? '\n' : ' ');
  }
  return out;
}

}  // namespace assent::testing
