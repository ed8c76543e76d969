#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "protocol/base/outcome.h"
#include "protocol/base/result.h"
#include "protocol/base/time.h"
#include "protocol/base/xid.h"
#include "protocol/message/proof.h"
#include "protocol/message/statement.h"
#include "protocol/wire/convert_place.h"

/// Part of convert: what agents' and clients' messages share. `put` writes into a protobuf message,
/// `take` reads, doubts, and may leave the protobuf message emptied.

namespace assent::v1 {
class BranchProof;
class DatabaseIdentity;
class Error;
class Gtrid;
class Statement;
class StatementResult;
class Step;
class Xid;
}  // namespace assent::v1

namespace assent::wire {

/// Names, versions, states and the like.
inline constexpr std::size_t kShortTextBytesMax = 256;
inline constexpr std::size_t kColumnNameBytesMax = 1024;
inline constexpr std::size_t kErrorTextBytesMax = 4096;
inline constexpr std::size_t kTokenBytesMax = 4096;
inline constexpr Duration kDurationMax = std::chrono::hours(24 * 366);

enum class Empty { kAllowed, kRefused };

/// Refuses text that is longer than `bytes_max` or not UTF-8. Moved out of `text`.
std::string take_text(std::string& text, std::size_t bytes_max, Empty empty, const Place& here);
/// The same, copied.
std::string take_text(const std::string& text, std::size_t bytes_max, Empty empty,
                      const Place& here);
/// A name, version, state or the like; it may be empty.
std::string take_short_text(const std::string& text, const Place& here);
std::string take_participant_name(const std::string& name, const Place& here);
std::string take_key(const std::string& key, Empty empty, const Place& here);

/// kUnsupportedVersion unless it is ours. To be asked before anything else of a message.
std::uint32_t take_version(std::uint32_t version, const Place& here);
Duration take_duration(std::int64_t us, const Place& here);
/// For durations that people are told: what is outside the range becomes its end.
std::int64_t clamped_us(Duration told);

/// Every limit on a count is refused by this.
void check_count(std::size_t count, std::size_t max, const Place& here);

/// All of a repeated field, each by `one`.
template <typename To, typename Repeated>
std::vector<To> take_each(const Repeated& from, std::string_view field, const Place& here,
                          std::size_t max,
                          To (*one)(const typename Repeated::value_type&, const Place&)) {
  check_count(static_cast<std::size_t>(from.size()), max, here.in(field));
  std::vector<To> to;
  to.reserve(static_cast<std::size_t>(from.size()));
  for (const auto& element : from) to.push_back(one(element, here.at(field, to.size())));
  return to;
}

/// Enumerators here are dense, from `first` to `last`.
template <typename Enum>
Enum take_enum(int number, Enum first, Enum last, const Place& here) {
  using Number = std::underlying_type_t<Enum>;
  if (number >= static_cast<Number>(first) && number <= static_cast<Number>(last)) {
    return static_cast<Enum>(number);
  }
  here.refuse("is a number that this version does not know");
  return first;
}

void put(const Error& from, v1::Error& to);
void put(const Gtrid& from, v1::Gtrid& to);
void put(const Xid& from, v1::Xid& to);
void put(const Statement& from, v1::Statement& to);
void put(const StatementResult& from, v1::StatementResult& to);
void put(const Step& from, v1::Step& to);
void put(const DatabaseIdentity& from, v1::DatabaseIdentity& to);
void put(const BranchProof& from, v1::BranchProof& to);

Error take(const v1::Error& from, const Place& here);
/// Of a transaction: no part of it is 0.
Gtrid take(const v1::Gtrid& from, const Place& here);
Xid take(const v1::Xid& from, const Place& here);
Statement take(v1::Statement& from, const Place& here);
StatementResult take(v1::StatementResult& from, const Place& here);
Step take(v1::Step& from, const Place& here);
DatabaseIdentity take(const v1::DatabaseIdentity& from, const Place& here);
BranchProof take(const v1::BranchProof& from, const Place& here);

}  // namespace assent::wire
