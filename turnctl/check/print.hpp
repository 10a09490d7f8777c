#pragma once
/// Reports for people and for scripts.

#include <iosfwd>

#include <nlohmann/json_fwd.hpp>

#include "turnctl/check/report.hpp"

namespace turnctl::check {

/// Some lines, safe for a terminal.
void print(std::ostream&, const report&);

/// Field names as the media server's API has them; fields that are not known are left out.
nlohmann::ordered_json to_json(const report&);

} // namespace turnctl::check
