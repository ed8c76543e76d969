#include "chaos/sandbox/loop_disk.h"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include <catch2/catch.hpp>

#include "chaos/sandbox/process.h"
#include "tests/support/skip.h"
#include "tests/support/temporary_folder.h"

using namespace assent;
using namespace assent::live;
using namespace assent::testing;

namespace {

constexpr int kMib = 16;

void write(const std::filesystem::path& file, const std::string& text, bool synced) {
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  REQUIRE(fd >= 0);
  CHECK(::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  if (synced) CHECK(::fsync(fd) == 0);
  ::close(fd);
}

std::string content(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("A disk whose power is cut keeps what was synced, and nothing else") {
  if (const auto why = LoopDisk::why_not()) return skip(*why);
  const TemporaryFolder place;
  const auto folder = place.path() / "data";
  std::filesystem::create_directory(folder);
  write(folder / "before", "was there", false);
  {
    LoopDisk disk(folder, kMib);
    CHECK(content(folder / "before") == "was there");
    write(folder / "synced", "stays", true);
    write(folder / "unsynced", "goes", false);
    disk.cut_power();
    CHECK(::open((folder / "more").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600) == -1);
    CHECK(errno == EIO);
    disk.restore_power();
    CHECK(content(folder / "synced") == "stays");
    CHECK(content(folder / "unsynced").empty());
    write(folder / "more", "again", true);

    const int open = ::open((folder / "more").c_str(), O_RDONLY | O_CLOEXEC);
    disk.cut_power();
    CHECK_THROWS_AS(disk.restore_power(), SandboxError);
    ::close(open);
    disk.restore_power();
    CHECK(content(folder / "more") == "again");
  }
  CHECK(content(folder / "before") == "was there");
  CHECK_FALSE(std::filesystem::exists(folder / "synced"));
  CHECK_FALSE(std::filesystem::exists(place.path() / "data.disk"));
}

TEST_CASE("A disk can be full and have room again") {
  if (const auto why = LoopDisk::why_not()) return skip(*why);
  const TemporaryFolder place;
  LoopDisk disk(place.path(), kMib);
  disk.fill();
  std::ofstream(place.path() / "one") << std::string(8192, 'x');
  CHECK(content(place.path() / "one").size() < 8192);
  disk.free();
  std::ofstream(place.path() / "two") << std::string(8192, 'x');
  CHECK(content(place.path() / "two").size() == 8192);
}
