#include "protocol/base/xid.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace assent {
namespace {

constexpr std::string_view kGidPrefix = "assent_";
constexpr std::size_t kLogIdDigits = 16;
constexpr std::size_t kParticipantNameMax = 32;

bool is_lower_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

void append_hex(std::string& out, std::uint64_t value) {
  std::array<char, 16> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, 16).ptr;
  out.append(digits.data(), end);
}

/// Reads hex digits from the front of `text`. Refuses leading zeros (unless `fixed_width`), so that
/// one value has one spelling.
template <typename Unsigned>
std::optional<Unsigned> take_hex(std::string_view& text, bool fixed_width) {
  const auto end = std::find_if_not(text.begin(), text.end(), is_lower_hex);
  const std::string_view digits = text.substr(0, static_cast<std::size_t>(end - text.begin()));
  if (digits.empty() || (!fixed_width && digits.front() == '0')) return std::nullopt;
  if (fixed_width && digits.size() != kLogIdDigits) return std::nullopt;
  Unsigned value = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  if (parsed.ec != std::errc()) return std::nullopt;
  text.remove_prefix(digits.size());
  return value;
}

bool take_char(std::string_view& text, char expected) {
  if (text.empty() || text.front() != expected) return false;
  text.remove_prefix(1);
  return true;
}

/// Reads a gtrid from the front of `text` and leaves the rest.
std::optional<Gtrid> take_gtrid(std::string_view& text) {
  const auto log_id = take_hex<std::uint64_t>(text, true);
  if (!log_id || !take_char(text, '-')) return std::nullopt;
  const auto epoch = take_hex<std::uint32_t>(text, false);
  if (!epoch || !take_char(text, '-')) return std::nullopt;
  const auto sequence = take_hex<std::uint64_t>(text, false);
  if (!sequence) return std::nullopt;
  return Gtrid{LogId{*log_id}, Epoch{*epoch}, Sequence{*sequence}};
}

}  // namespace

bool is_participant_name(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  return !name.empty() && name.size() <= kParticipantNameMax && name.front() >= 'a' &&
         name.front() <= 'z' && std::all_of(name.begin(), name.end(), allowed);
}

std::string to_string(LogId id) {
  std::string digits;
  append_hex(digits, static_cast<std::uint64_t>(id));
  return std::string(kLogIdDigits - digits.size(), '0') + digits;
}

std::optional<LogId> parse_log_id(std::string_view text) {
  const auto id = take_hex<std::uint64_t>(text, true);
  return id && text.empty() ? std::optional(LogId{*id}) : std::nullopt;
}

std::string to_string(const Gtrid& gtrid) {
  std::string out = to_string(gtrid.log_id);
  out += '-';
  append_hex(out, static_cast<std::uint32_t>(gtrid.epoch));
  out += '-';
  append_hex(out, static_cast<std::uint64_t>(gtrid.sequence));
  return out;
}

std::optional<Gtrid> parse_gtrid(std::string_view text) {
  const auto gtrid = take_gtrid(text);
  return text.empty() ? gtrid : std::nullopt;
}

std::string to_string(const Xid& xid) {
  return to_string(xid.gtrid) + "/" + xid.bqual;
}

std::string to_gid(const Xid& xid) {
  std::string gid(kGidPrefix);
  gid += to_string(xid.gtrid);
  gid += '_';
  gid += xid.bqual;
  return gid;
}

std::optional<Xid> parse_gid(std::string_view gid) {
  if (!gid.starts_with(kGidPrefix)) return std::nullopt;
  gid.remove_prefix(kGidPrefix.size());
  const auto gtrid = take_gtrid(gid);
  if (!gtrid || !take_char(gid, '_') || !is_participant_name(gid)) return std::nullopt;
  return Xid{*gtrid, Bqual(gid)};
}

}  // namespace assent
