#include "protocol/wire/convert_place.h"

#include <fmt/format.h>

namespace assent::wire {

void Place::refuse(std::string_view why, ErrorCode code) const {
  if (refusal_.is_set()) return;
  refusal_.set(code, fmt::format("{} {}.", path(), why));
}

std::string Place::path() const {
  std::string path = parent_ == nullptr ? std::string() : parent_->path() + ".";
  path += name_;
  if (index_ != kNoIndex) path += fmt::format("[{}]", index_);
  return path;
}

}  // namespace assent::wire
