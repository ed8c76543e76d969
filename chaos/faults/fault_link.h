#pragma once

#include <string>
#include <vector>

#include "chaos/proxy/proxy.h"

// What befalls a link, as fault_link.cc makes faults of it.
namespace assent::live {

struct LinkFault {
  std::string name;
  bool of_frames;  // of a link of ours only
  // Which of two ways: FIN or reset, who is not heard, who is left alone.
  void (*inject)(ProxyLink& link, bool other_way);
};

// All are over with ProxyLink::heal().
const std::vector<LinkFault>& link_faults();

}  // namespace assent::live
