#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

// Which folder may include what: the arrows of docs/ARCHITECTURE.md, read by a test.
namespace assent::architecture {

// What one source says that it includes.
struct Include {
  int line = 0;
  bool quoted = false;  // "ours.h" rather than <theirs.h>
  std::string target;
};

// The folder a path belongs to, as the arrow table names it: "coordinator/core/events.h" ->
// "coordinator/core"; everything below tests/ is "tests".
std::string area_of(std::string_view path);

std::vector<Include> includes_of(std::string_view source);

// One sentence for each include of `source` that the rules forbid. `path` is relative to the
// repository root; `exists` tells whether a path relative to the root names a file.
std::vector<std::string> violations(std::string_view path, std::string_view source,
                                    const std::function<bool(const std::string&)>& exists);

}  // namespace assent::architecture
