#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "protocol/base/outcome.h"
#include "protocol/base/result.h"
#include "protocol/base/time.h"
#include "protocol/message/admin.h"

/// The small pieces of what --json prints.

namespace assent::tools {

boost::json::string text(std::string_view from);
std::int64_t ms(Duration duration);

template <typename Items, typename Convert>
boost::json::array array_of(const Items& items, Convert convert) {
  boost::json::array made;
  made.reserve(items.size());
  for (const auto& item : items) made.emplace_back(convert(item));
  return made;
}

boost::json::array texts(const std::vector<std::string>& items);
boost::json::object object_of(const Error& error);
boost::json::object object_of(const Damage& damage);
boost::json::value value_of(const std::optional<Error>& error);      ///< null: none
boost::json::value value_of(const std::optional<Outcome>& outcome);  ///< null: none

}  // namespace assent::tools
