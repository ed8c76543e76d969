#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "protocol/base/time.h"
#include "protocol/base/xid.h"

namespace assent {

/// An interactive transaction as AsyncClient::begin gives it; belongs to the connection it was
/// begun on. Copies are the same transaction.
struct OpenTransaction {
  Gtrid gtrid;
  std::string key;               ///< empty: none
  Duration timeout{};            ///< of the whole until its commit is asked for
  std::uint64_t connection = 0;  ///< the library's number of its connection
  /// Set by the library when it sends the commit: from then on only the coordinator knows the
  /// outcome. Shared by the copies.
  std::shared_ptr<bool> commit_sent = std::make_shared<bool>(false);
};

}  // namespace assent
