#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// Names of global transactions and their branches (X/Open XA: xid = {format id, gtrid, bqual};
/// R2).

namespace assent {

/// Marks a branch as ours among all that a database lists: the letters "ASNT". Within 0 ..
/// 2147483647 (F 14).
inline constexpr std::int32_t kFormatId = 0x41534E54;

/// Identity of one decision log: 64 random bits made with the log, never configured (R2). Never 0.
enum class LogId : std::uint64_t {};
/// Which opening of the log; raised durably before anything is served. The first is 1.
enum class Epoch : std::uint32_t {};
/// Number of a global transaction within its epoch. The first is 1.
enum class Sequence : std::uint64_t {};

/// Name of a global transaction. Ordered by log, epoch, sequence: within one log a lower gtrid
/// began earlier.
struct Gtrid {
  LogId log_id{};
  Epoch epoch{};
  Sequence sequence{};

  friend auto operator<=>(const Gtrid&, const Gtrid&) = default;
};

/// Name of a branch: which participant's. At most 32 bytes of [a-z0-9_-], see
/// `is_participant_name`. It is the participant's configured name, because MariaDB lists the
/// branches of all databases of a server and lets any account finish them (F 14): a branch has to
/// say whose it is.
using Bqual = std::string;

struct Xid {
  Gtrid gtrid;
  Bqual bqual;

  friend auto operator<=>(const Xid&, const Xid&) = default;
};

/// 1 to 32 of [a-z0-9_-], beginning with a letter.
bool is_participant_name(std::string_view name);

/// `0123456789abcdef-1-2a`: log id as 16 hex digits, epoch and sequence in hex without leading
/// zeros. At most 42 bytes, all of them shown plainly by XA RECOVER FORMAT='SQL' (F 14).
std::string to_string(const Gtrid& gtrid);
/// Exactly what `to_string` writes, nothing else: nullopt for any other text.
std::optional<Gtrid> parse_gtrid(std::string_view text);

/// `0123456789abcdef-1-2a/points`, for logs and people.
std::string to_string(const Xid& xid);

/// The PostgreSQL gid: `assent_<gtrid>_<bqual>`. At most 82 bytes (F 3 allows 199).
std::string to_gid(const Xid& xid);
/// nullopt: not a name that we give, so a foreign branch, never to be touched (R3).
std::optional<Xid> parse_gid(std::string_view gid);

std::string to_string(LogId id);  ///< 16 hex digits
/// Exactly what `to_string` writes, nothing else: nullopt for any other text.
std::optional<LogId> parse_log_id(std::string_view text);

}  // namespace assent
