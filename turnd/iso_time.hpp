#pragma once
/// Times as operators and programs read them: ISO 8601, UTC, whole seconds.

#include <chrono>
#include <string>

namespace turnd {

/// "2026-11-21T20:15:00Z"
std::string iso_time(std::chrono::system_clock::time_point);

} // namespace turnd
