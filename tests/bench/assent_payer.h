#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "tests/bench/load.h"

namespace assent::bench {

/// The same payment by way of Assent: one submit, answered when both databases have applied it.
std::unique_ptr<Payer> make_assent_payer(const std::string& coordinator, std::int64_t rows);

}  // namespace assent::bench
