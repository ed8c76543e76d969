#pragma once

#include <string>

namespace assent::live {

// A page of its own, with nothing to be loaded from elsewhere, that draws a campaign: `report` is
// what to_json() made of it (report.h). What it looks like is in report_page.html.
std::string to_page(const std::string& report);

}  // namespace assent::live
