#pragma once

#include <string>

#include "protocol/base/time.h"
#include "protocol/base/xid.h"

namespace assent {

/// An interactive transaction as AsyncClient::begin gives it; belongs to the connection it was
/// begun on.
struct OpenTransaction {
  Gtrid gtrid;
  std::string key;     ///< empty: none
  Duration timeout{};  ///< of the whole until its commit is asked for
};

}  // namespace assent
