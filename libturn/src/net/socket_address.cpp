#include "net/socket_address.hpp"

#include <arpa/inet.h>

#include <cerrno>
#include <cstring>

namespace turn::net {

socklen_t to_socket_address(const transport_address& address, socket_address& out) noexcept {
    if (address.is_ipv4()) {
        out.v4 = {};
        out.v4.sin_family = AF_INET;
        out.v4.sin_port = htons(address.port);
        std::memcpy(&out.v4.sin_addr, address.ip.data(), sizeof out.v4.sin_addr);
        return sizeof out.v4;
    }
    out.v6 = {};
    out.v6.sin6_family = AF_INET6;
    out.v6.sin6_port = htons(address.port);
    std::memcpy(&out.v6.sin6_addr, address.ip.data(), sizeof out.v6.sin6_addr);
    return sizeof out.v6;
}

transport_address from_socket_address(const socket_address& address) noexcept {
    transport_address out;
    if (address.any.sa_family == AF_INET) {
        out.family = address_family::ipv4;
        out.port = ntohs(address.v4.sin_port);
        std::memcpy(out.ip.data(), &address.v4.sin_addr, sizeof address.v4.sin_addr);
    } else {
        out.family = address_family::ipv6;
        out.port = ntohs(address.v6.sin6_port);
        std::memcpy(out.ip.data(), &address.v6.sin6_addr, sizeof address.v6.sin6_addr);
    }
    return out;
}

result<transport_address> bound_address(int descriptor) noexcept {
    socket_address name{};
    socklen_t size = sizeof name;
    if (::getsockname(descriptor, &name.any, &size) != 0) return errc::io;
    if (name.any.sa_family != AF_INET && name.any.sa_family != AF_INET6) {
        errno = EAFNOSUPPORT;
        return errc::io;
    }
    return from_socket_address(name);
}

int kernel_family(address_family family) noexcept {
    return family == address_family::ipv4 ? AF_INET : AF_INET6;
}

} // namespace turn::net
