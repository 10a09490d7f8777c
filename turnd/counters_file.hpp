#pragma once
/// All counters as one JSON line, for scripts, tests and accounting. The names are a contract: only add.

#include <chrono>
#include <string>
#include <string_view>

#include "problem.hpp"
#include "turn/server.hpp"

namespace turnd {

/// One JSON object without its line end: "version", "time" (UTC, RFC 3339), "ports-in-use", "quota-in-use",
/// "reservations", "total" and "shards", whose books carry every method, result, direction and reason, zeros included.
std::string counters_json(const turn::server_totals&, std::chrono::system_clock::time_point now,
                          std::string_view version);

/// Puts `line` and a line end into the file at `path`, which is there whole or not at all: a reader never sees half of
/// it. Errors: what the operating system said.
turn::result<void, std::string> replace_file(const std::string& path, std::string_view line);

} // namespace turnd
