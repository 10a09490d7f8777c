#pragma once
/// One UDP socket of the kernel: how it is opened, which options it runs with, how its pending errors are taken.

#include <cstdint>

#include "net/file_descriptor.hpp"
#include "turn/net/packet_io.hpp"

namespace turn::net {

/// UDP over IPv4 carries 65535 - 20 - 8 bytes. The same limit serves IPv6, so that what passes does not depend on it.
inline constexpr std::size_t largest_payload = 65507;

/// A socket as packet_io keeps it: in one line of the processor's cache.
struct alignas(64) udp_socket {
    file_descriptor handle{};
    transport_address local{};
    std::uint32_t drops_seen = 0;      ///< the kernel's drop count (SO_RXQ_OVFL) that is in our books already
    std::uint32_t largest_segment = 0; ///< trains of larger segments failed here; 0: no GSO on this socket
    /// How many datagrams a receive call asks for. Asking for more than wait costs a look at an empty queue, which a
    /// relay socket with one packet at a time would pay for each.
    std::uint32_t expected = 1;
    std::uint32_t least_expected = 1;
    std::uint32_t most_expected = 1;
    std::uint32_t last_full = 0;   ///< the round in which the last call brought as many as it asked for
    std::uint32_t first_train = 0; ///< what send() is about to send through it, while it runs
    std::uint32_t last_train = 0;

    /// Only listeners are asked for many at once from the first time on.
    [[nodiscard]] bool listens() const noexcept { return least_expected > 1; }
};
static_assert(sizeof(udp_socket) == 64);

/// Opens and binds; IPV6_V6ONLY, non-blocking, closed on exec. Errors: io, with the cause in errno.
result<file_descriptor> open_udp_socket(const transport_address& local, const socket_options& options) noexcept;

/// Makes a socket that somebody else opened as open_udp_socket() does: non-blocking, closed on exec. Errors: io.
result<void> tame_descriptor(int descriptor) noexcept;

/// What the kernel tells beside each packet.
struct receive_reports {
    bool gro = false;           ///< merged trains and their stride
    bool traffic_class = false; ///< DSCP and ECN
};

/// Everything that may also be set on a bound socket: buffers, fragmentation, drop reports, ICMP errors at a relay
/// socket, and these reports. Errors: io, with the cause in errno.
result<void> configure_udp_socket(int descriptor, address_family family, const socket_options& options,
                                  const receive_reports& reports) noexcept;

/// Whether datagrams leave with DF set (IPv4) or unfragmented (IPv6) from now on: RFC 8656, 14.
bool set_dont_fragment(int descriptor, address_family family, bool on) noexcept;

/// How many datagrams the kernel dropped on this socket since it exists, modulo 2^32; 0 when it does not say.
std::uint32_t kernel_drop_count(int descriptor) noexcept;

} // namespace turn::net
