#include "admin_host.hpp"

#include <optional>

namespace turnd {
namespace {

std::optional<turn::transport_address> address_of(std::string_view host) {
    if (const auto with_port = turn::transport_address::parse(host)) return *with_port;
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    if (const auto bare = turn::transport_address::parse_ip(host)) return *bare;
    return {};
}

bool is_localhost(std::string_view host) {
    host = host.substr(0, host.find(':'));
    constexpr std::string_view name = "localhost";
    if (host.size() != name.size()) return false;
    for (std::size_t i = 0; i < name.size(); ++i)
        if ((host[i] | 0x20) != name[i]) return false;
    return true;
}

} // namespace

bool is_own_host(std::string_view host, const turn::transport_address& own) {
    if (is_localhost(host)) return true;
    const auto address = address_of(host);
    return address && (address->is_loopback() || own.is_unspecified() || address->same_ip(own));
}

} // namespace turnd
