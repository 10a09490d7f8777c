#include "net/udp_socket.hpp"

#include <fcntl.h>
#include <linux/sock_diag.h>
#include <netinet/udp.h>

#include <array>

#include "net/socket_address.hpp"
#include "net/socket_option.hpp"

namespace turn::net {
namespace {

// A listener hears all clients of its shard; a relay socket one client's peers, who may send what a TCP connection held
// back all at once. The memory is only taken while packets wait.
constexpr int listener_buffer = 4 * 1024 * 1024;
constexpr int relay_buffer = 512 * 1024;

/// The kernel grants at most net.core.rmem_max or wmem_max, unless we may go beyond. Listeners are few, so asking twice
/// costs nothing.
bool set_buffer(int descriptor, int option, int forced, int asked, socket_role role) noexcept {
    const bool listens = role == socket_role::listener;
    const int size = asked > 0 ? asked : listens ? listener_buffer : relay_buffer;
    return (listens && set_option(descriptor, SOL_SOCKET, forced, size)) ||
           set_option(descriptor, SOL_SOCKET, option, size);
}

bool allow_fragments(int descriptor, address_family family) noexcept {
    return family == address_family::ipv4 ? set_option(descriptor, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)
                                          : set_option(descriptor, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT);
}

bool report_traffic_class(int descriptor, address_family family) noexcept {
    return family == address_family::ipv4 ? set_option(descriptor, IPPROTO_IP, IP_RECVTOS, 1)
                                          : set_option(descriptor, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
}

/// ICMP errors are queued on the socket: RFC 8656, 11.5.
bool report_errors(int descriptor, address_family family) noexcept {
    return family == address_family::ipv4 ? set_option(descriptor, IPPROTO_IP, IP_RECVERR, 1)
                                          : set_option(descriptor, IPPROTO_IPV6, IPV6_RECVERR, 1);
}

} // namespace

result<file_descriptor> open_udp_socket(const transport_address& local, const socket_options& options) noexcept {
    const int family = kernel_family(local.family);
    file_descriptor opened(::socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP));
    if (!opened) return errc::io;
    if (family == AF_INET6 && !set_option(opened.number(), IPPROTO_IPV6, IPV6_V6ONLY, 1)) return errc::io;

    // Asked for any port, the kernel also picks those of this user's other SO_REUSEPORT groups: then, the option
    // comes after bind, and the port is ours alone until the group's next member joins.
    const bool any_port = local.port == 0;
    if (options.reuse_port && !any_port && !set_option(opened.number(), SOL_SOCKET, SO_REUSEPORT, 1)) return errc::io;

    socket_address name{};
    const socklen_t size = to_socket_address(local, name);
    if (::bind(opened.number(), &name.any, size) != 0) return errc::io;

    if (options.reuse_port && any_port && !set_option(opened.number(), SOL_SOCKET, SO_REUSEPORT, 1)) return errc::io;
    return opened;
}

result<void> tame_descriptor(int descriptor) noexcept {
    const int flags = ::fcntl(descriptor, F_GETFL);
    if (flags < 0 || ::fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) != 0) return errc::io;
    if (::fcntl(descriptor, F_SETFD, FD_CLOEXEC) != 0) return errc::io;
    return {};
}

result<void> configure_udp_socket(int descriptor, address_family family, const socket_options& options,
                                  const receive_reports& reports) noexcept {
    if (!set_buffer(descriptor, SO_RCVBUF, SO_RCVBUFFORCE, options.receive_buffer, options.role)) return errc::io;
    if (!set_buffer(descriptor, SO_SNDBUF, SO_SNDBUFFORCE, options.send_buffer, options.role)) return errc::io;

    // Linux sets DF unless told otherwise; RFC 8656, 14 assumes it unset.
    if (!allow_fragments(descriptor, family)) return errc::io;
    if (!set_option(descriptor, SOL_SOCKET, SO_RXQ_OVFL, 1)) return errc::io;
    if (reports.gro && !set_option(descriptor, SOL_UDP, UDP_GRO, 1)) return errc::io;
    if (reports.traffic_class && !report_traffic_class(descriptor, family)) return errc::io;
    // Not at a listener: nobody is told of ICMP about clients, and there one client's errors would meet another's
    // sends.
    if (options.role == socket_role::relay && !report_errors(descriptor, family)) return errc::io;
    return {};
}

bool set_dont_fragment(int descriptor, address_family family, bool on) noexcept {
    // PROBE, not DO: what the kernel believes about the path must not refuse what the client wants to find out. And
    // OMIT afterwards, not DONT: both leave DF unset, but with DONT the answer "fragmentation needed" is thrown away.
    if (family == address_family::ipv4)
        return set_option(descriptor, IPPROTO_IP, IP_MTU_DISCOVER, on ? IP_PMTUDISC_PROBE : IP_PMTUDISC_OMIT);
    return set_option(descriptor, IPPROTO_IPV6, IPV6_MTU_DISCOVER, on ? IPV6_PMTUDISC_PROBE : IPV6_PMTUDISC_DONT);
}

std::uint32_t kernel_drop_count(int descriptor) noexcept {
    std::array<std::uint32_t, SK_MEMINFO_VARS> info{};
    socklen_t size = sizeof info;
    if (::getsockopt(descriptor, SOL_SOCKET, SO_MEMINFO, info.data(), &size) != 0) return 0;
    return info[SK_MEMINFO_DROPS];
}

} // namespace turn::net
