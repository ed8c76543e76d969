#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/base/result.h"

/// Part of convert: what decode says when it refuses.

namespace assent::wire {

/// The first thing that was found wrong with a message. Decoding goes on after it with harmless
/// values, so that its code is one straight line; the message is then thrown away.
class Refusal {
 public:
  void set(ErrorCode code, std::string sentence) {
    if (!error_) error_ = Error{.code = code, .message = std::move(sentence)};
  }
  bool is_set() const { return error_.has_value(); }
  const Error& error() const { return *error_; }

 private:
  std::optional<Error> error_;
};

/// Where in a message decode stands. Costs a few words of stack; the path is put into words only
/// when something is refused.
class Place {
 public:
  Place(Refusal& refusal, std::string_view name) : refusal_(refusal), name_(name) {}

  /// A field of the message here. The result must not outlive this.
  Place in(std::string_view field) const { return Place(this, field, kNoIndex); }
  /// One of a repeated field.
  Place at(std::string_view field, std::size_t index) const { return Place(this, field, index); }

  /// "submit.steps[3].statement.sql <why>"
  void refuse(std::string_view why, ErrorCode code = ErrorCode::kInvalid) const;

 private:
  static constexpr std::size_t kNoIndex = static_cast<std::size_t>(-1);

  Place(const Place* parent, std::string_view name, std::size_t index)
      : refusal_(parent->refusal_), parent_(parent), name_(name), index_(index) {}
  std::string path() const;

  Refusal& refusal_;
  const Place* parent_ = nullptr;
  std::string_view name_;
  std::size_t index_ = kNoIndex;
};

}  // namespace assent::wire
