#include "protocol/base/crc32c.h"

#include <string>

#include <catch2/catch.hpp>

namespace assent {
namespace {

std::string ascending_bytes() {
  std::string bytes;
  for (int i = 0; i < 32; ++i) bytes += static_cast<char>(i);
  return bytes;
}

// RFC 3720 B.4, and the check value that every table of CRCs gives for "123456789".
TEST_CASE("crc32c gives the values of RFC 3720") {
  for (const auto function : {crc32c, crc32c_by_table}) {
    CHECK(function("123456789", 0) == 0xE3069283);
    CHECK(function(std::string(32, '\0'), 0) == 0x8A9136AA);
    CHECK(function(std::string(32, '\xff'), 0) == 0x62A8AB43);
    CHECK(function(ascending_bytes(), 0) == 0x46DD794E);
    CHECK(function("", 0) == 0);
  }
}

TEST_CASE("crc32c of pieces is that of the whole, with and without the processor's help") {
  std::string bytes;
  for (int i = 0; i < 100; ++i) bytes += static_cast<char>(i * 37);
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    const std::string_view whole(bytes);
    CHECK(crc32c(whole.substr(cut), crc32c(whole.substr(0, cut))) == crc32c_by_table(whole));
  }
}

}  // namespace
}  // namespace assent
