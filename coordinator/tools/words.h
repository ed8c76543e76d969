#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/outcome.h"
#include "protocol/base/result.h"
#include "protocol/base/time.h"

/// The small pieces of what people read.

namespace assent::tools {

using Row = std::vector<std::string>;

/// Columns as wide as their widest cell; the last is left as it is. Every line begins with `indent`
/// and ends.
std::string table_of(const std::vector<Row>& rows, std::string_view indent = "");

std::string age_of(Duration age);             ///< 450ms, 12.3s, 4m12s, 3h07m, 5d02h
std::string time_of(WallTime when);           ///< 2026-02-01T03:04:05Z
std::string bytes_of(std::uint64_t bytes);    ///< 12.3 MiB
std::string sentence_of(const Error& error);  ///< "timeout: ..., at points"
std::string words_of(std::string_view name);  ///< still_prepared: still prepared
std::string or_dash(std::string text);
std::string or_dash(const std::optional<Error>& error);
std::string or_dash(const std::optional<Outcome>& outcome);

}  // namespace assent::tools
