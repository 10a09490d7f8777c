#pragma once
/// transport_address to the kernel's sockaddr and back.

#include <netinet/in.h>
#include <sys/socket.h>

#include "turn/transport_address.hpp"

namespace turn::net {

/// Room for either family, without sockaddr_storage's 128 bytes.
union socket_address {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
};

/// Writes `address` and returns the length the kernel wants with it. Scope ids are 0.
socklen_t to_socket_address(const transport_address& address, socket_address& out) noexcept;

/// Precondition: the family is AF_INET or AF_INET6.
transport_address from_socket_address(const socket_address& address) noexcept;

/// Where a socket is bound; errors: io (no socket, or not one of IP).
result<transport_address> bound_address(int descriptor) noexcept;

/// AF_INET or AF_INET6.
int kernel_family(address_family family) noexcept;

} // namespace turn::net
