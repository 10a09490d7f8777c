#pragma once
/// From settings to what turn::server is started with.

#include "settings.hpp"
#include "turn/server.hpp"

namespace turnd {

/// `source` and `events` must outlive the server.
turn::server_options server_options_of(const settings&, turn::credential_source source, turn::observer* events);

} // namespace turnd
