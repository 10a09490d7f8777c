#pragma once
/// Addresses as the sockets of the benchmark's programs want them, which are IPv4 only.

#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "turn/transport_address.hpp"

namespace turn::bench {

/// Precondition: address.is_ipv4().
inline sockaddr_in ipv4_name(const transport_address& address) noexcept {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_port = htons(address.port);
    std::memcpy(&name.sin_addr, address.ip.data(), sizeof name.sin_addr);
    return name;
}

inline transport_address from_ipv4(const sockaddr_in& name) noexcept {
    transport_address address;
    address.family = address_family::ipv4;
    address.port = ntohs(name.sin_port);
    std::memcpy(address.ip.data(), &name.sin_addr, sizeof name.sin_addr);
    return address;
}

} // namespace turn::bench
