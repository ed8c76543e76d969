#pragma once

#include "tests/core/story.h"

namespace assent::testing {

// Tells stories of one agent core (participant points, incarnation 7). Commands, with what they
// take unless told; tx is a sequence, or a list of them:
//
//   connect link=1 ..            hello and fence-raised at once
//   hello link=1 coordinator=pay log=1 epoch=1 nonce=1 top=0
//   fence-raised link=1 [error=fenced]
//   gone link=1
//   work link=1 tx=1 index=0 n=1 [open]; prepare link=1 tx=1 statements=1
//   commit link=1 tx=1 xid8=100+tx; rollback link=1 tx=1
//   list link=1 scan=1 top=0; forget link=1 tx=1; ping link=1
//       all of these: log=1 epoch=1 participant=points incarnation=7 lowest=1
//   work-ended tx=1 open|prepared|read_only|rolled_back|unknown [error=..] [rows=n]
//   finish-ended tx=1 completion=committed evidence=none [error=..]
//   list-ended link=1 scan=1 tx= foreign=0 [error=..]
//   time ms=1000                 lets so much time pass, and says so when something was due
StoryTeller make_agent_teller();

}  // namespace assent::testing
