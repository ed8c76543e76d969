#include "chaos/sandbox/host.h"

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <string>

#include <catch2/catch.hpp>

#include "chaos/sandbox/process.h"
#include "tests/support/temporary_folder.h"

using namespace assent;
using namespace assent::live;
using namespace assent::testing;

namespace {

std::chrono::seconds since_epoch() {
  return std::chrono::floor<std::chrono::seconds>(
      std::chrono::system_clock::now().time_since_epoch());
}

/// What a process on that host takes for the time.
std::chrono::seconds told_to(const Host& host) {
  ProcessSpec spec;
  spec.argv = {"date", "+%s"};
  spec.environment = host.environment();
  const CommandResult result = run_command(spec, "", std::chrono::seconds(20));
  INFO(result.standard_error);
  REQUIRE(result.end.succeeded());
  return std::chrono::seconds(std::stoll(result.standard_output));
}

}  // namespace

TEST_CASE("A process sees the host's clock as it was set") {
  const TemporaryFolder folder;
  Host host(folder.path() / "host");
  for (const std::chrono::nanoseconds off :
       {std::chrono::nanoseconds(std::chrono::days(10)), std::chrono::nanoseconds(0),
        std::chrono::nanoseconds(-std::chrono::days(10)),
        std::chrono::nanoseconds(-std::chrono::hours(3))}) {
    host.set_clock(off);
    const auto whole = std::chrono::duration_cast<std::chrono::seconds>(off);
    const auto before = since_epoch() + whole;
    const auto told = told_to(host);
    CHECK(told >= before);
    CHECK(told <= since_epoch() + whole);
  }
}

TEST_CASE("A host's disk takes long for a sync, or fails at it") {
  const TemporaryFolder folder;
  Host host(folder.path() / "host");
  ProcessSpec spec;
  spec.argv = {"sync", "--data", folder.path() / "host"};
  spec.environment = host.environment();
  const auto syncs = [&] {
    return run_command(spec, "", std::chrono::seconds(20)).end.succeeded();
  };
  CHECK(syncs());
  host.fail_syncs(2);
  CHECK_FALSE(syncs());
  CHECK_FALSE(syncs());
  CHECK(syncs());
  host.slow_syncs(std::chrono::milliseconds(100));
  const auto began = Clock::now();
  CHECK(syncs());
  CHECK(Clock::now() - began >= std::chrono::milliseconds(100));
}

TEST_CASE("A host knows when which log was synced") {
  const TemporaryFolder folder;
  Host host(folder.path() / "host");
  const auto sync = [&](const std::string& name) {
    std::ofstream(folder.path() / name) << "content";
    ProcessSpec spec;
    spec.argv = {"sync", "--data", folder.path() / name};
    spec.environment = host.environment();
    return run_command(spec, "", std::chrono::seconds(20)).end.succeeded();
  };
  const auto ns = [](Clock::time_point at) {
    return std::chrono::nanoseconds(at.time_since_epoch()).count();
  };
  CHECK(sync("000003.ldb"));
  CHECK(host.syncs_of_logs().empty());
  const auto before = Clock::now();
  CHECK(sync("000004.log"));
  const auto between = Clock::now();
  CHECK(sync("000004.log"));
  const auto syncs = host.syncs_of_logs();
  REQUIRE(syncs.size() == 2);
  CHECK(syncs[0].began_ns >= ns(before));
  CHECK(syncs[0].ended_ns >= syncs[0].began_ns);
  CHECK(syncs[0].ended_ns <= ns(between));
  CHECK(syncs[1].began_ns >= ns(between));
  host.fail_syncs(1);
  CHECK_FALSE(sync("000004.log"));
  CHECK(host.syncs_of_logs().size() == 2);
}

TEST_CASE("An offset of a clock is read, and what is none is refused") {
  CHECK(parse_clock_offset("+10d") == std::chrono::days(10));
  CHECK(parse_clock_offset("-3h") == std::chrono::hours(-3));
  CHECK(parse_clock_offset("+5m") == std::chrono::minutes(5));
  CHECK(parse_clock_offset("-90s") == std::chrono::seconds(-90));
  CHECK(parse_clock_offset("+0") == std::chrono::seconds(0));
  CHECK(parse_clock_offset("+36500d") == std::chrono::days(36'500));
  for (const char* wrong : {"", "+", "10d", "+10", "+d", "+1w", "+1dd", "+-1d", "+36501d",
                            "+99999999999999999999s", "+0x"}) {
    INFO(wrong);
    CHECK_THROWS_AS(parse_clock_offset(wrong), SandboxError);
  }
}
