#pragma once
/// GET /api/v1/status: the fields of `turnctl status`.

#include <string>

#include "admin_numbers.hpp"

namespace turnd {

/// One JSON object.
std::string status_json(const admin_numbers&);

/// "2026-11-21T20:15:00Z"
std::string iso_time(std::chrono::system_clock::time_point);

} // namespace turnd
