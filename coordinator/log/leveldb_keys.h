#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/xid.h"

/// What stands where in our LevelDB (docs/LOG_FORMAT.md):
///   r<number>          -> the record                      in their order, last in the database
///   g<epoch><sequence> -> number of the transaction's commit or rollback record
///   k<hash of the key> -> numbers of records whose idempotency key has this hash
/// Numbers are big-endian, so that LevelDB's order is theirs. Pure functions: any thread.

namespace assent::coordinator {

std::string record_key(std::uint64_t number);
/// nullopt: not such a key.
std::optional<std::uint64_t> parse_record_key(std::string_view key);

/// The id of a log is not part of its own transactions' keys.
std::string gtrid_key(LogId log_id, const Gtrid& gtrid);

std::string idempotency_index_key(std::uint64_t hash);
/// SipHash-2-4 (Aumasson, Bernstein 2012) with the log id in its key. Hashes collide: the record
/// has the key itself.
std::uint64_t idempotency_hash(LogId log_id, std::string_view key);

void append_number(std::uint64_t number, std::string& out);
/// Any count of numbers; nullopt: not a whole number of them.
std::optional<std::vector<std::uint64_t>> parse_numbers(std::string_view bytes);

}  // namespace assent::coordinator
