#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include <catch2/catch.hpp>

#include "tests/architecture/include_rules.h"

namespace assent::architecture {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = ASSENT_SOURCE_DIR;

std::string read(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  REQUIRE(in);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

bool in_tree(const std::string& path) {
  return fs::exists(kRoot / path);
}

// Every header and source of ours, relative to the root and in a fixed order.
std::set<std::string> sources() {
  std::set<std::string> found;
  for (const char* folder : {"protocol", "coordinator", "participant_agents", "chaos", "tests"}) {
    for (const auto& entry : fs::recursive_directory_iterator(kRoot / folder)) {
      const auto extension = entry.path().extension();
      if (extension == ".h" || extension == ".cc") {
        found.insert(entry.path().lexically_relative(kRoot).string());
      }
    }
  }
  return found;
}

std::vector<std::string> judge(std::string_view path, std::string_view source) {
  return violations(path, source, [](const std::string&) { return true; });
}

}  // namespace

TEST_CASE("no include goes against the arrows") {
  const auto files = sources();
  REQUIRE(files.contains("tests/architecture/include_test.cc"));
  for (const auto& file : files) {
    for (const auto& violation : violations(file, read(kRoot / file), in_tree)) {
      FAIL_CHECK(violation);
    }
  }
}

TEST_CASE("an area may include what its arrows lead to") {
  CHECK(judge("coordinator/server/driver.cc", R"(#include "coordinator/core/events.h")").empty());
  CHECK(judge("coordinator/server/driver.cc", R"(#include "protocol/base/xid.h")").empty());
  CHECK(judge("tests/core/x_test.cc", R"(#include "participant_agents/core/agent.h")").empty());
}

TEST_CASE("an include against the arrows is found") {
  CHECK(judge("coordinator/core/x.h", R"(#include "coordinator/log/record.h")").size() == 1);
  CHECK(judge("coordinator/server/x.cc", R"(#include "participant_agents/core/a.h")").size() == 1);
  CHECK(judge("participant_agents/rm/x.cc", R"(  #  include "protocol/channel/c.h")").size() == 1);
  CHECK(judge("protocol/base/x.h", R"(#include "tests/support/clock.h")").size() == 1);
}

TEST_CASE("foreign headers stay behind what wraps them") {
  CHECK(judge("participant_agents/rm/odbc.cc", "#include <sqlext.h>").empty());
  CHECK(judge("participant_agents/rm/postgres.cc", "#include <sql.h>").size() == 1);
  CHECK(judge("coordinator/log/leveldb_log.cc", "#include <leveldb/db.h>").empty());
  CHECK(judge("chaos/sim/leveldb_memory.h", "#include <leveldb/db.h>").empty());
  CHECK(judge("coordinator/log/decision_log.h", "#include <leveldb/db.h>").size() == 1);
  CHECK(judge("protocol/wire/convert.cc", R"(#include "protocol/proto/client.pb.h")").empty());
  CHECK(judge("protocol/wire/frame.cc", R"(#include "protocol/proto/client.pb.h")").size() == 1);
  CHECK(judge("protocol/channel/channel.h", "#include <boost/asio/post.hpp>").empty());
  CHECK(judge("protocol/wire/frame.h", "#include <boost/asio/buffer.hpp>").size() == 1);
}

TEST_CASE("a core includes no clock, socket or thread") {
  CHECK(judge("coordinator/core/x.cc", "#include <map>").empty());
  CHECK(judge("coordinator/core/x.cc", "#include <mutex>").size() == 1);
  CHECK(judge("participant_agents/core/x.cc", "#include <thread>").size() == 1);
}

TEST_CASE("an include that names no file is found") {
  const auto nothing_exists = [](const std::string&) { return false; };
  CHECK(violations("protocol/base/x.cc", R"(#include "xid.h")", nothing_exists).size() == 1);
}

TEST_CASE("a folder without a row in the table is found") {
  CHECK(judge("coordinator/extras/x.cc", "").size() == 1);
}

}  // namespace assent::architecture
