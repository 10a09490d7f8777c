#include "server/relay_places.hpp"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <system_error>

#include "net/interfaces.hpp"

namespace turn {

namespace {

using family_relay = server_description::family_relay;

start_error not_usable(const family_relay& place, const std::string& why, int system_error = 0) {
    return {"relay address " + place.bind.ip_to_string() + ": " + why, system_error};
}

std::vector<family_relay> from_options(const server_options& options) {
    std::vector<family_relay> places;
    for (const auto& a : options.relay_addresses)
        places.push_back({a.bind.with_port(0), a.advertised.value_or(a.bind).with_port(0), false});
    return places;
}

std::vector<family_relay> from_default_routes() {
    std::vector<family_relay> places;
    for (const auto family : {address_family::ipv4, address_family::ipv6})
        if (const auto source = net::default_source_address(family))
            places.push_back({source->with_port(0), source->with_port(0), true});
    return places;
}

std::optional<start_error> check(const family_relay& place, net::packet_io& probe) {
    if (place.bind.is_unspecified()) return not_usable(place, "name one address of this machine, not all of them");
    if (place.advertised.is_unspecified()) return not_usable(place, "the advertised address is none");
    if (place.advertised.family != place.bind.family)
        return not_usable(place, "advertised as " + place.advertised.ip_to_string() + ", which is another family");
    const auto id = probe.open(place.bind, {.role = net::socket_role::relay});
    if (!id && errno == EADDRNOTAVAIL)
        return not_usable(place, "no interface of this machine has this address; behind NAT write ADDR=ADVERTISED",
                          EADDRNOTAVAIL);
    if (!id) return not_usable(place, std::generic_category().message(errno), errno);
    probe.close(*id);
    return std::nullopt;
}

/// A server in a private network usually has its peers there too, and those are refused unless allowed.
void warn_of_private(const family_relay& place, const peer_policy& peers, std::vector<std::string>& warnings) {
    if (!peers.allow.empty() || authorize_peer(peer_policy{}, place.advertised, true).allowed) return;
    warnings.push_back("relay address " + place.advertised.ip_to_string() +
                       " is not a public one and no peer prefix is allowed: peers in private networks will be refused "
                       "(403) unless the peer policy allows them");
}

} // namespace

result<std::vector<family_relay>, start_error> find_relay_places(const server_options& options, net::packet_io& probe,
                                                                 std::vector<std::string>& warnings) {
    auto places = options.relay_addresses.empty() ? from_default_routes() : from_options(options);
    if (places.empty())
        return start_error{"no relay address: this machine has no default route; name the address relays are bound to",
                           0};
    for (auto place = places.begin(); place != places.end(); ++place) {
        const auto same = [&](const family_relay& other) { return other.bind == place->bind; };
        if (std::any_of(places.begin(), place, same)) return not_usable(*place, "named twice");
        if (auto error = check(*place, probe)) return *error;
        warn_of_private(*place, options.relay.peers, warnings);
    }
    return places;
}

} // namespace turn
