#pragma once
/// Bulk over TCP relays (RFC 6062): so many bytes each way, at once, each of them checked.

#include "outcome.hpp"

namespace turn::bench {

/// Throws trouble.
outcome measure_tcp_relay(const load_options&);

} // namespace turn::bench
