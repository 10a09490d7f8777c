#pragma once
/// Which shard hears a client: a program in the kernel that keeps one source address and port on one socket.

#include <cstdint>

#include "turn/result.hpp"
#include "turn/transport_address.hpp"

namespace turn::net {

/// Gives the SO_REUSEPORT group that `descriptor` belongs to its steering program: a datagram goes to the socket whose
/// place in bind order is hash(source address, source port) modulo `sockets`. An IPv6 packet whose next header is not
/// UDP counts by its address alone. Bind all `sockets` sockets of the group first, and keep them: a group that loses
/// a member is renumbered by the kernel. `seed`: some random bits, so that nobody outside can aim at one shard.
/// With fewer than two sockets there is nothing to steer, and nothing is done. Needs no privilege.
/// Errors: io, with the cause in errno.
result<void> steer_by_source(int descriptor, unsigned sockets, std::uint32_t seed = 0) noexcept;

/// Whether some UDP socket, of this or any other process, is bound to `local`. SO_REUSEPORT would silently share the
/// port with another server of the same user, so ask before the group's first socket is opened. False for port 0 and
/// for what cannot be bound for another reason.
bool port_is_taken(const transport_address& local) noexcept;

} // namespace turn::net
