#pragma once
/// What this kernel's UDP sockets can do, found out by trying.

#include "turn/net/packet_io.hpp"

namespace turn::net {

/// Tries UDP_GRO and UDP_SEGMENT on sockets of its own, on loopback. Never fails: what does not work is false.
abilities probe_abilities() noexcept;

} // namespace turn::net
