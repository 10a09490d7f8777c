#pragma once
/// GET /api/v1/status: the fields of `turnctl status`.

#include <string>

#include "admin_numbers.hpp"

namespace turnd {

/// One JSON object.
std::string status_json(const admin_numbers&);

} // namespace turnd
