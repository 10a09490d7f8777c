#pragma once
/// What the kernel keeps on a UDP socket of errors: ICMP's, and its own.

#include <vector>

#include "turn/packet.hpp"

namespace turn::net {

/// Takes every pending error off the socket, so that it neither fails the next call nor keeps epoll ready.
void drain_errors(int descriptor) noexcept;

/// The same, but keeps what icmp_errors() of packet_io tells, under this id. Stops when `told` is at its capacity: what
/// is left stays on the socket. `family` is the socket's.
void take_icmp_errors(int descriptor, socket_id id, address_family family, std::vector<icmp_error>& told) noexcept;

} // namespace turn::net
