#pragma once
/// Relays as JSON: /api/v1/relays and /api/v1/relays/ID.

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "turn/allocation_report.hpp"

namespace turnd {

/// A line of the table.
nlohmann::ordered_json relay_json(const turn::allocation_report&);

/// {"relays": [...], "more": whether there are others}, by id. Shows `limit` of them.
std::string relays_json(std::vector<turn::allocation_report>, std::size_t limit);

/// One relay with its permissions, channels, requests, refusals and drops.
std::string relay_details_json(const turn::allocation_report&);

} // namespace turnd
