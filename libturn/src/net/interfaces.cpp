#include "net/interfaces.hpp"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "net/file_descriptor.hpp"
#include "net/socket_address.hpp"
#include "net/udp_socket.hpp"

namespace turn::net {
namespace {

bool is_link_local_ipv6(const transport_address& a) noexcept {
    return !a.is_ipv4() && a.ip[0] == 0xfe && (a.ip[1] & 0xc0) == 0x80;
}

/// Somewhere far away, so that the default route is what leads there: the DNS root server a.root-servers.net, which is
/// in no private, documentation or otherwise special range that a host may route differently. It never hears of it.
transport_address far_away(address_family family) noexcept {
    transport_address a;
    a.family = family;
    a.port = 53;
    if (family == address_family::ipv4)
        a.ip = {198, 41, 0, 4};
    else
        a.ip = {0x20, 0x01, 0x05, 0x03, 0xba, 0x3e, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0x30};
    return a;
}

} // namespace

result<std::vector<transport_address>> interface_addresses(address_family family) {
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) return errc::io;
    const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, &::freeifaddrs);

    std::vector<transport_address> found;
    for (const ifaddrs* i = list; i != nullptr; i = i->ifa_next) {
        if (i->ifa_addr == nullptr || i->ifa_addr->sa_family != kernel_family(family)) continue;
        socket_address name{};
        std::memcpy(&name, i->ifa_addr, family == address_family::ipv4 ? sizeof name.v4 : sizeof name.v6);
        const transport_address address = from_socket_address(name).with_port(0);
        if (std::find(found.begin(), found.end(), address) != found.end()) continue;
        // getifaddrs does not tell what cannot be used: tentative addresses, those of interfaces that are down, IPv6
        // link-local ones (which need a scope). bind does.
        if (!open_udp_socket(address, {})) continue;
        found.push_back(address);
    }
    return found;
}

result<transport_address> default_source_address(address_family family) noexcept {
    const file_descriptor socket(::socket(kernel_family(family), SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP));
    if (!socket) return errc::not_found;
    socket_address name{};
    const socklen_t size = to_socket_address(far_away(family), name);
    if (::connect(socket.number(), &name.any, size) != 0) return errc::not_found; // chooses the route, sends nothing
    const auto source = bound_address(socket.number());
    if (!source || is_link_local_ipv6(*source)) return errc::not_found;
    return source->with_port(0);
}

std::size_t raise_descriptor_limit() noexcept {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
    const rlim_t before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    return ::setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : before;
}

} // namespace turn::net
