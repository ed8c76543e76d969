#pragma once

#include <boost/system/result.hpp>

#include "protocol/message/client.h"

namespace assent {

/// The transaction that begin opened or, as error(), the Answer that says why there is none:
///   kCommitted, kRolledBack   the key belongs to a transaction that is over: this is its outcome
///   kInProgress, kUnknown     the key belongs to one that is not decided: ask outcome_of(key)
///   later kRefused                  nothing was opened, the key stays as it was (kBusy,
///   kKeyReused,
///                             kConnectionLost, kTimeout ...)
template <typename T>
using BeginResult = boost::system::result<T, Answer>;

}  // namespace assent
