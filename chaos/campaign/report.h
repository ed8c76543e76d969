#pragma once

#include <string>

#include "chaos/campaign/campaign.h"

namespace assent::live {

// All of a campaign as one JSON object; times in seconds since its load began. Whatever draws a
// report needs nothing else.
std::string to_json(const Campaign& campaign);

// What a person needs to know, in lines: counts, faults by kind, skipped ones, violations.
std::string to_text(const Campaign& campaign);

// The command that runs it again.
std::string command_of(const CampaignOptions& options);

}  // namespace assent::live
