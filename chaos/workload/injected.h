#pragma once

#include <string>
#include <vector>

/// What was done to the house behind its back. The checker excuses what follows from it, and asks
/// that it was noticed.

namespace assent::workload {

/// A prepared branch of somebody else, which Assent must never touch (R3).
struct ForeignBranch {
  std::string participant;
  std::string name;         ///< as the database lists it
  bool taken_back = false;  ///< whoever prepared it found it there, and ended it
};

/// A prepared branch of ours that a person rolled back in the database.
struct HandMade {
  std::string participant;
  std::string gtrid;  ///< of its transaction
};

/// What a part has stored was put back to a copy for a while, and then to what it should be.
struct PutBack {
  std::string of;        ///< a participant: its database; or "coordinator": its log
  bool noticed = false;  ///< no new work was taken until a person said that all is right
};

struct Injected {
  std::vector<ForeignBranch> foreign;
  std::vector<HandMade> rolled_back;
  std::vector<PutBack> put_back;
};

}  // namespace assent::workload
