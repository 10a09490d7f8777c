#pragma once
/// Whether a browser was led here by a name that somebody else owns: DNS rebinding.

#include <string_view>

#include "turn/transport_address.hpp"

namespace turnd {

/// Whether a request for this Host (RFC 9110, 7.2) is meant for the listener at `own`: "localhost", a loopback address,
/// the address itself, or any address when `own` is a wildcard. No other name is, since only names can be made to point
/// here; who asks by an address meant it. The port does not matter.
bool is_own_host(std::string_view host, const turn::transport_address& own);

} // namespace turnd
