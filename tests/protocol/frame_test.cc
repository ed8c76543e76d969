#include "protocol/wire/frame.h"

#include <cstring>
#include <vector>

#include <catch2/catch.hpp>

namespace assent {
namespace {

std::string frame_of(std::string_view body) {
  std::string out;
  const std::size_t begun = begin_frame(out);
  out += body;
  REQUIRE(end_frame(out, begun).has_value());
  return out;
}

void feed(FrameReader& reader, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto room = reader.room();
    const std::size_t count = std::min(room.size(), bytes.size());
    std::memcpy(room.data(), bytes.data(), count);
    reader.filled(count);
    bytes.remove_prefix(count);
  }
}

/// All bodies that `bytes` hold when they come in pieces of `piece`; "!<sentence>" for an error.
std::vector<std::string> read_all(std::string_view bytes, std::size_t piece,
                                  std::size_t body_bytes_max = kFrameBytesMax) {
  std::vector<std::string> bodies;
  FrameReader reader(body_bytes_max);
  for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size()))) {
    feed(reader, bytes.substr(0, piece));
    for (auto body = reader.next();; body = reader.next()) {
      if (!body) {
        bodies.push_back("!" + body.error().message);
        return bodies;
      }
      if (!*body) break;
      bodies.emplace_back(**body);
    }
  }
  return bodies;
}

TEST_CASE("bodies come back however the stream is cut") {
  const std::vector<std::string> bodies = {"one", "", std::string(20000, 'x'), "four"};
  std::string stream;
  for (const auto& body : bodies) stream += frame_of(body);
  for (const std::size_t piece : {1, 2, 7, 11, 12, 13, 1000, 16384, 100000}) {
    INFO("pieces of " << piece);
    CHECK(read_all(stream, piece) == bodies);
  }
}

TEST_CASE("a frame that is appended leaves what stands before it") {
  std::string out = frame_of("one");
  const std::size_t begun = begin_frame(out);
  out += "two";
  REQUIRE(end_frame(out, begun).has_value());
  CHECK(out == frame_of("one") + frame_of("two"));
}

TEST_CASE("every flipped bit of a frame is noticed") {
  const std::string frame = frame_of("Assent");
  for (std::size_t bit = 0; bit < frame.size() * 8; ++bit) {
    INFO("bit " << bit);
    std::string damaged = frame;
    damaged[bit / 8] ^= static_cast<char>(1U << bit % 8);
    // A longer length leaves the frame unfinished here; the link's deadline ends that.
    const auto read = read_all(damaged, damaged.size());
    CHECK((read.empty() || read.front().front() == '!'));
    CHECK(read != std::vector<std::string>{"Assent"});
  }
}

TEST_CASE("a longer length than was sent is noticed when the next frame completes it") {
  std::string stream = frame_of("one");
  stream[7] = 4;
  stream += frame_of("two");
  CHECK(read_all(stream, stream.size()) ==
        std::vector<std::string>{
            "!A frame's checksum does not match: its bytes were damaged on the way."});
}

TEST_CASE("a stranger's bytes are refused at the first header") {
  CHECK(
      read_all("GET / HTTP/1.1\r\n", 1) ==
      std::vector<std::string>{"!What came is not a frame of Assent: who connects here must speak "
                               "its protocol."});
}

TEST_CASE("a frame of another version is refused") {
  std::string frame = frame_of("one");
  frame[3] = 2;
  FrameReader reader(kFrameBytesMax);
  feed(reader, frame);
  CHECK(reader.next().error().code == ErrorCode::kUnsupportedVersion);
}

TEST_CASE("a body over the limit is refused by its header alone") {
  const std::string frame = frame_of(std::string(kHelloBytesMax + 1, 'x'));
  const auto read = read_all(frame.substr(0, kFrameHeaderBytes), 100, kHelloBytesMax);
  REQUIRE(read.size() == 1);
  CHECK(read.front().starts_with("!A message of 65537 bytes is longer than the 65536 allowed"));
  CHECK(read_all(frame_of(std::string(kHelloBytesMax, 'x')), 5000, kHelloBytesMax).size() == 1);
}

TEST_CASE("the limit can be raised between frames") {
  FrameReader reader(10);
  feed(reader, frame_of("hello"));
  REQUIRE(reader.next().value() == "hello");
  reader.set_body_bytes_max(20);
  feed(reader, frame_of("more than ten bytes"));
  CHECK(reader.next().value() == "more than ten bytes");
}

TEST_CASE("the longest body travels, a longer one is not begun") {
  CHECK(read_all(frame_of(std::string(kFrameBytesMax, 'x')), 1 << 20).front().size() ==
        kFrameBytesMax);
  std::string out = "before";
  const std::size_t begun = begin_frame(out);
  out.append(kFrameBytesMax + 1, 'x');
  const auto ended = end_frame(out, begun);
  REQUIRE(ended.has_error());
  CHECK(ended.error().code == ErrorCode::kInvalid);
  CHECK(out == "before");
}

TEST_CASE("mid_frame tells a rest from none") {
  FrameReader reader(kFrameBytesMax);
  CHECK_FALSE(reader.mid_frame());
  const std::string frame = frame_of("one");
  feed(reader, frame + frame.substr(0, 5));
  REQUIRE(reader.next().value() == "one");
  REQUIRE(reader.next().value() == std::nullopt);
  CHECK(reader.mid_frame());
  feed(reader, frame.substr(5));
  REQUIRE(reader.next().value() == "one");
  CHECK_FALSE(reader.mid_frame());
}

}  // namespace
}  // namespace assent
