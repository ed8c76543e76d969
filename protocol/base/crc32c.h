#pragma once

#include <cstdint>
#include <string_view>

/// CRC32C (Castagnoli polynomial, RFC 3720 B.4): what frames on the wire and records in the log are
/// checked by. Finds every error burst of 32 bits or less; it is no protection against intent.

namespace assent {

/// Checksum of `bytes`. For data in pieces hand the result of the earlier pieces in as `earlier`:
/// crc32c("ab") == crc32c("b", crc32c("a")). Any thread.
std::uint32_t crc32c(std::string_view bytes, std::uint32_t earlier = 0);

/// The same without the processor's help; crc32c uses it where SSE 4.2 is missing. Any thread.
std::uint32_t crc32c_by_table(std::string_view bytes, std::uint32_t earlier = 0);

}  // namespace assent
