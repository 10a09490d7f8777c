#pragma once
/// What a turnd on this machine says of itself, for the reports that are about it.

#include <span>

#include <nlohmann/json_fwd.hpp>

#include "turnctl/check/report.hpp"

namespace turnctl::check {

/// `status`: what it answers to GET /api/v1/status. Reports about an address and port it listens on get its number of
/// allocations; nothing happens to the others, nor when the status has no such fields.
void add_allocations(std::span<report>, const nlohmann::ordered_json& status);

} // namespace turnctl::check
