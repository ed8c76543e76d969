#include "protocol/wire/utf8.h"

#include <catch2/catch.hpp>

namespace assent {
namespace {

TEST_CASE("well-formed UTF-8 (RFC 3629, section 4)") {
  for (const std::string text :
       {"", "plain ASCII of more than eight bytes", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80",
        "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf",
        "12345678é12345678€12345678𝄞"}) {
    INFO(text);
    CHECK(is_utf8(text));
    CHECK(made_utf8(text, 100) == text);
  }
  CHECK(is_utf8(std::string(20, '\0')));
}

TEST_CASE("ill-formed UTF-8") {
  for (const std::string text :
       {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x41", "\xe0\x9f\xbf", "\xe0\xa0",
        "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff",
        "12345678\xff", "1234567\xff", "é\xa9", "\xf0\x90\x80"}) {
    INFO(text);
    CHECK_FALSE(is_utf8(text));
    CHECK(is_utf8(made_utf8(text, 100)));
  }
}

TEST_CASE("text is cut between characters") {
  CHECK(made_utf8("a€b", 5) == "a€b");
  CHECK(made_utf8("a€b", 4) == "a€");
  CHECK(made_utf8("a€b", 3) == "a");
  CHECK(made_utf8("\xff\xff", 1) == "?");
  CHECK(made_utf8("abc", 0).empty());
}

}  // namespace
}  // namespace assent
