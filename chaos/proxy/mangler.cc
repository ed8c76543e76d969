#include "chaos/proxy/mangler.h"

#include <utility>

namespace assent::live {

std::vector<Mangled> Mangler::pass(std::string frame, const Conduct& conduct) {
  std::vector<Mangled> arriving;
  if (happens(conduct.duplicate))
    arriving.push_back({Mangled::Kind::kDuplicate, frame, draw_up_to(kLateMax)});
  if (happens(conduct.truncate)) {
    arriving.push_back(truncated(std::move(frame)));
  } else if (happens(conduct.flip)) {
    arriving.push_back(flipped(std::move(frame)));
  } else if (happens(conduct.reorder)) {
    arriving.push_back({Mangled::Kind::kReordered, std::move(frame), draw_up_to(kLateMax)});
  } else {
    arriving.push_back({Mangled::Kind::kWhole, std::move(frame), {}});
  }
  return arriving;
}

Mangled Mangler::flipped(std::string frame) {
  const std::size_t bit = draw_below(frame.size() * 8);
  frame[bit / 8] = static_cast<char>(static_cast<unsigned char>(frame[bit / 8]) ^ 1U << bit % 8);
  return {Mangled::Kind::kFlipped, std::move(frame), {}};
}

Mangled Mangler::truncated(std::string frame) {
  frame.resize(draw_below(frame.size()));
  const bool last = happens(0.5);
  return {last ? Mangled::Kind::kTruncatedLast : Mangled::Kind::kTruncated, std::move(frame), {}};
}

bool Mangler::happens(double chance) {
  return chance > 0 && std::bernoulli_distribution(chance)(random_);
}

std::size_t Mangler::draw_below(std::size_t limit) {
  return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random_);
}

Duration Mangler::draw_up_to(Duration most) {
  return Duration(std::uniform_int_distribution<Duration::rep>(0, most.count())(random_));
}

}  // namespace assent::live
