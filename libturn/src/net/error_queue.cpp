#include "net/error_queue.hpp"

#include <linux/errqueue.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <optional>

#include "net/socket_address.hpp"

namespace turn::net {
namespace {

constexpr int most_errors = 1024; // a bound, far above what a receive buffer's worth of them can be in practice

/// A call may fail for an error that waits beside the queue.
void clear_pending(int descriptor) noexcept {
    int pending = 0;
    socklen_t size = sizeof pending;
    ::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &pending, &size); // reading clears it
}

std::optional<sock_extended_err> extended_error(msghdr& h) noexcept {
    for (cmsghdr* c = CMSG_FIRSTHDR(&h); c != nullptr; c = CMSG_NXTHDR(&h, c)) {
        const bool v4 = c->cmsg_level == SOL_IP && c->cmsg_type == IP_RECVERR;
        const bool v6 = c->cmsg_level == SOL_IPV6 && c->cmsg_type == IPV6_RECVERR;
        if (!v4 && !v6) continue;
        sock_extended_err error{};
        std::memcpy(&error, CMSG_DATA(c), sizeof error);
        return error;
    }
    return std::nullopt;
}

/// Nothing: an error that the network had no part in.
std::optional<icmp_error> as_icmp(const sock_extended_err& e, const transport_address& peer) noexcept {
    const bool v4 = peer.is_ipv4();
    icmp_error told{.peer = peer, .type = e.ee_type, .code = e.ee_code, .mtu = e.ee_info};
    if (e.ee_origin == SO_EE_ORIGIN_ICMP || e.ee_origin == SO_EE_ORIGIN_ICMP6) return told;
    if (e.ee_origin != SO_EE_ORIGIN_LOCAL || e.ee_errno != EMSGSIZE) return std::nullopt;
    told.type = v4 ? ICMP_DEST_UNREACH : ICMP6_PACKET_TOO_BIG;
    told.code = v4 ? ICMP_FRAG_NEEDED : 0;
    return told;
}

} // namespace

void drain_errors(int descriptor) noexcept {
    for (int i = 0; i < most_errors; ++i) {
        msghdr nothing{};
        if (::recvmsg(descriptor, &nothing, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) break;
    }
    clear_pending(descriptor);
}

void take_icmp_errors(int descriptor, socket_id id, address_family family, std::vector<icmp_error>& told) noexcept {
    for (int i = 0; i < most_errors && told.size() < told.capacity(); ++i) {
        socket_address name{};
        alignas(cmsghdr) std::array<std::byte, 256> control; // the error, who reported it, and what else is switched on
        msghdr h{};
        h.msg_name = &name;
        h.msg_namelen = sizeof name;
        h.msg_control = control.data();
        h.msg_controllen = control.size();
        if (::recvmsg(descriptor, &h, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) break;
        const auto error = extended_error(h);
        if (!error || name.any.sa_family != kernel_family(family)) continue;
        if (auto icmp = as_icmp(*error, from_socket_address(name))) {
            icmp->via = id;
            told.push_back(*icmp);
        }
    }
    clear_pending(descriptor);
}

} // namespace turn::net
