#include "coordinator/log/high_water_mark.h"

#include <catch2/catch.hpp>

#include "tests/log/golden.h"
#include "tests/log/log_fixture.h"
#include "tests/support/temporary_folder.h"

namespace assent::coordinator {
namespace {

using assent::testing::read_file;
using assent::testing::read_golden;
using assent::testing::to_hex;
using assent::testing::write_file;

constexpr LogId kLog{0x0123456789abcdef};
constexpr std::size_t kSlotDistance = 4096;
constexpr std::size_t kSlotSize = 32;

// A mark in a folder of its own.
struct MarkFixture {
  testing::TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "mark";
  std::unique_ptr<HighWaterMark> mark;

  MarkFixture() {
    REQUIRE(HighWaterMark::create(path, kLog).has_value());
    open();
  }

  void open() {
    mark.reset();
    auto opened = HighWaterMark::open(path, [](const Error& error) { FAIL(error.message); });
    REQUIRE(opened.has_value());
    mark = std::move(*opened);
  }

  void write(std::uint64_t number) { REQUIRE(mark->write(number).has_value()); }
  void sync() { REQUIRE(mark->sync().has_value()); }

  std::uint64_t read() const {
    const auto content = HighWaterMark::read(path);
    REQUIRE(content.has_value());
    REQUIRE(content->has_value());
    CHECK((*content)->log_id == kLog);
    return (*content)->number;
  }

  std::string slot(std::size_t i) const {
    return read_file(path).substr(i * kSlotDistance, kSlotSize);
  }

  void damage(std::size_t i) const {
    auto bytes = read_file(path);
    bytes[i * kSlotDistance + 20] = static_cast<char>(bytes[i * kSlotDistance + 20] ^ 1);
    write_file(path, bytes);
  }
};

TEST_CASE("a mark is read as it was written", "[log][mark]") {
  MarkFixture f;
  CHECK(f.read() == 0);
  f.write(7);
  CHECK(f.read() == 7);  // not synced, but nobody may die without it
  f.write(8);
  CHECK(f.read() == 8);
  f.open();
  CHECK(f.read() == 8);
  f.write(900);
  f.sync();
  CHECK(f.read() == 900);
}

TEST_CASE("a slot of the mark is as the golden file has it", "[log][mark][golden]") {
  MarkFixture f;
  f.write(0x1122334455667788);
  CHECK(to_hex(f.slot(1)) == to_hex(read_golden("mark_slot")));
}

TEST_CASE("no mark is told from a mark", "[log][mark]") {
  testing::TemporaryFolder folder;
  const auto content = HighWaterMark::read(folder.path() / "mark");
  REQUIRE(content.has_value());
  CHECK(!content->has_value());
}

TEST_CASE("a slot that was synced is not written until another one is", "[log][mark]") {
  MarkFixture f;
  f.write(1);
  f.sync();
  const auto synced = f.slot(1);
  f.write(2);
  f.write(3);
  CHECK(f.slot(1) == synced);
  f.sync();
  f.write(4);
  CHECK(f.slot(1) == synced);
}

TEST_CASE("a torn slot leaves the ones before it", "[log][mark]") {
  MarkFixture f;
  for (std::uint64_t number = 1; number <= 3; ++number) {
    f.write(number);
    f.sync();
  }
  f.mark.reset();
  f.damage(0);  // the third write's
  CHECK(f.read() == 2);
  f.damage(2);
  CHECK(f.read() == 1);
  f.damage(1);
  const auto content = HighWaterMark::read(f.path);
  REQUIRE(!content.has_value());
  CHECK(content.error().code == ErrorCode::kLogUnavailable);
  CHECK(content.error().message.find("has no intact slot") != std::string::npos);
}

TEST_CASE("slots of two logs are refused", "[log][mark]") {
  MarkFixture f;
  MarkFixture other;
  REQUIRE(HighWaterMark::create(other.path, LogId{99}).has_value());
  auto bytes = read_file(f.path);
  bytes.replace(0, kSlotSize, other.slot(0));
  f.mark.reset();
  write_file(f.path, bytes);
  const auto content = HighWaterMark::read(f.path);
  REQUIRE(!content.has_value());
  CHECK(content.error().message.find("has slots of two logs") != std::string::npos);
}

TEST_CASE("a truncated mark keeps what is left of it", "[log][mark]") {
  MarkFixture f;
  f.write(5);
  f.mark.reset();
  std::filesystem::resize_file(f.path, kSlotDistance + kSlotSize);
  CHECK(f.read() == 5);
  std::filesystem::resize_file(f.path, kSlotDistance + kSlotSize - 1);
  CHECK(f.read() == 0);
}

TEST_CASE("numbers written while others are synced are all read", "[log][mark]") {
  MarkFixture f;
  for (std::uint64_t number = 1; number <= 20'000; ++number) f.write(number);
  CHECK(f.read() == 20'000);
  f.open();
  CHECK(f.read() == 20'000);
}

}  // namespace
}  // namespace assent::coordinator
