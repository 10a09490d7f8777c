#pragma once
/// Whether and where turnd's HTTP service is, and what the log says of it.

#include <optional>

#include "admin_http.hpp"
#include "admin_service.hpp"
#include "log.hpp"
#include "settings.hpp"

namespace turnd {

/// Starts what the settings want, and logs where it is. False: a place that the operator has chosen cannot be opened,
/// and turnd must not start. The default socket is not chosen: then turnd goes on without it.
bool start_admin(const settings&, admin_world, logger&, std::optional<http_service>& service);

} // namespace turnd
