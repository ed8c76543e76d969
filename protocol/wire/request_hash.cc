#include "protocol/wire/request_hash.h"

#include <openssl/evp.h>

#include <bit>
#include <string>
#include <string_view>
#include <variant>

#include "protocol/base/check.h"

namespace assent {
namespace {

constexpr std::string_view kDomain = "assent-request-1";

/// The canonical encoding of docs/PROTOCOL.md.
class Canonical {
 public:
  const std::string& bytes() const { return bytes_; }

  void raw(std::string_view text) { bytes_ += text; }
  void u8(std::uint8_t value) { bytes_ += static_cast<char>(value); }
  void flag(bool value) { u8(value ? 1 : 0); }
  void u64(std::uint64_t value) {
    for (int shift = 56; shift >= 0; shift -= 8) u8(static_cast<std::uint8_t>(value >> shift));
  }
  void i64(std::int64_t value) { u64(static_cast<std::uint64_t>(value)); }
  void text(std::string_view text) {
    u64(text.size());
    raw(text);
  }

 private:
  std::string bytes_;
};

struct AppendValue {
  Canonical& out;

  void operator()(std::monostate) const { out.u8(0); }
  void operator()(bool value) const {
    out.u8(1);
    out.flag(value);
  }
  void operator()(std::int64_t value) const {
    out.u8(2);
    out.i64(value);
  }
  void operator()(double value) const {
    out.u8(3);
    out.u64(std::bit_cast<std::uint64_t>(value));
  }
  void operator()(const std::string& value) const {
    out.u8(4);
    out.text(value);
  }
  void operator()(const Bytes& value) const {
    out.u8(5);
    out.text(value.data);
  }
};

void append(const Step& step, Canonical& out) {
  out.text(step.participant);
  out.text(step.statement.sql);
  out.flag(step.read_only);
  out.flag(step.shared_reads);
  out.flag(step.statement.expect_rows.has_value());
  if (step.statement.expect_rows) out.i64(*step.statement.expect_rows);
  out.u64(step.statement.params.size());
  for (const auto& param : step.statement.params) std::visit(AppendValue{out}, param);
}

RequestHash sha256(std::string_view bytes) {
  // Fetched once: EVP_sha256() would look the algorithm up in the provider's tables at each use.
  static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  ASSENT_CHECK(algorithm != nullptr);
  RequestHash hash{};
  unsigned int written = 0;
  const int ok = EVP_Digest(bytes.data(), bytes.size(), hash.data(), &written, algorithm, nullptr);
  ASSENT_CHECK(ok == 1 && written == hash.size());
  return hash;
}

}  // namespace

RequestHash request_hash(const std::vector<Step>& steps, std::optional<WallTime> not_after) {
  Canonical canonical;
  canonical.raw(kDomain);
  canonical.u64(steps.size());
  for (const auto& step : steps) append(step, canonical);
  canonical.flag(not_after.has_value());
  if (not_after) canonical.i64(not_after->ms_since_epoch);
  return sha256(canonical.bytes());
}

}  // namespace assent
