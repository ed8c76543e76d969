#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "protocol/base/time.h"

// What a proxy does to frames. Pure, and drawn from a seed.
namespace assent::live {

// How a link carries one direction. As it is made: everything, at once.
struct Conduct {
  Duration delay{};                    // everything is under way for so long at least ...
  Duration jitter{};                   // ... and up to so much longer, in its order
  std::uint64_t bytes_per_second = 0;  // 0: no limit
  bool stands_still = false;  // nothing passes; what is held goes on when this is over, unharmed

  // Of each frame the chance, from 0 to 1, that it ... Bytes for a database are spared: the kernel
  // guards them, and they have no checksum that could tell.
  double duplicate = 0;  // comes once more, up to kLateMax later
  double reorder = 0;    // is overtaken by those behind it, for up to kLateMax
  double flip = 0;       // comes with one bit changed
  double truncate = 0;   // lacks its end, behind which the link ends or goes on with the next frame
};

inline constexpr Duration kLateMax = std::chrono::milliseconds(200);

struct Mangled {
  enum class Kind { kWhole, kDuplicate, kReordered, kFlipped, kTruncated, kTruncatedLast };

  Kind kind = Kind::kWhole;
  std::string bytes;
  Duration late{};  // of a duplicate, and of one that others overtake; behind the link's own delay
};

class Mangler {
 public:
  explicit Mangler(std::uint64_t seed) : random_(seed) {}

  // What arrives of a frame, in this order but for what is late.
  std::vector<Mangled> pass(std::string frame, const Conduct& conduct);

  Duration draw_up_to(Duration most);

 private:
  bool happens(double chance);
  std::size_t draw_below(std::size_t limit);
  Mangled flipped(std::string frame);
  Mangled truncated(std::string frame);

  std::mt19937_64 random_;
};

}  // namespace assent::live
