#include "net/probe.hpp"

#include <netinet/udp.h>

#include <array>
#include <cstddef>
#include <initializer_list>

#include "net/socket_address.hpp"
#include "net/socket_option.hpp"
#include "net/udp_socket.hpp"

namespace turn::net {
namespace {

transport_address loopback() noexcept {
    transport_address address;
    address.ip = {127, 0, 0, 1};
    return address;
}

bool accepts(int socket, int option, int value) noexcept {
    return set_option(socket, SOL_UDP, option, value);
}

/// Sends itself one train of one-byte segments. The socket's UDP_SEGMENT is 1.
bool takes_train(int socket, const transport_address& self, unsigned segments) noexcept {
    const std::array<std::byte, 128> train{};
    socket_address name{};
    const socklen_t size = to_socket_address(self, name);
    return ::sendto(socket, train.data(), segments, MSG_DONTWAIT, &name.any, size) == static_cast<ssize_t>(segments);
}

} // namespace

abilities probe_abilities() noexcept {
    abilities found;
    const auto bound = open_udp_socket(loopback(), {});
    // Without a loopback address the options alone have to tell.
    const file_descriptor unbound(bound ? -1 : ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP));
    const int socket = bound ? (*bound).number() : unbound.number();
    if (socket < 0) return found;

    found.gro = accepts(socket, UDP_GRO, 1);
    if (!accepts(socket, UDP_SEGMENT, 1)) return found;
    if (!bound) {
        found.gso = true;
        found.max_segments = 64;
        return found;
    }
    const auto self = bound_address(socket);
    if (!self) return found;
    for (const unsigned segments : {128U, 64U}) { // 128 since Linux 6.9
        if (!takes_train(socket, *self, segments)) continue;
        found.gso = true;
        found.max_segments = segments;
        break;
    }
    return found;
}

} // namespace turn::net
