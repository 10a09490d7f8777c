#pragma once
/// GET /api/v1/why as JSON.

#include <string>

#include "why.hpp"

namespace turnd {

std::string why_json(const why_answer&);

} // namespace turnd
