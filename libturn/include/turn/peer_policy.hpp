#pragma once
/// Which peers may be reached: the one check behind every way to name a peer.

#include <cstdint>
#include <string>
#include <vector>

#include "turn/transport_address.hpp"

namespace turn {

/// Who may be a peer. Plain data; build it once, share it read-only.
struct peer_policy {
    /// false ("allow-list"): only what `allow` names.
    bool public_peers = true;
    std::vector<address_prefix> allow{}; ///< exceptions to the built-in list of special-purpose ranges
    std::vector<address_prefix> deny{};  ///< beats `allow`
    /// Listener, administration and database addresses of this server: never a peer, whatever `allow` says.
    std::vector<transport_address> own_services{};
    /// Our own relay addresses, bound and advertised: a peer there is allowed on the relay ports, whatever range
    /// it is in, and refused on other ports unless `allow` names it.
    std::vector<transport_address> own_relays{};
    std::uint16_t relay_port_min = 49152;
    std::uint16_t relay_port_max = 65535;
};

/// The answer, and the rule that gave it ("deny 10.0.0.0/8", "private 10.0.0.0/8", "own service").
/// An empty rule: allowed.
struct peer_verdict {
    bool allowed = false;
    /// Whether the answer for this IP address depends on the port.
    bool port_matters = false;
    std::string rule{};
};

/// Whether data may be exchanged with `peer`. `any_port`: judge the IP address alone (CreatePermission names no
/// port): allowed when at least one port is. IPv6 forms that embed an IPv4 address are refused, but NAT64
/// (64:ff9b::/96), whose embedded address is judged.
peer_verdict authorize_peer(const peer_policy&, const transport_address& peer, bool any_port = false);

} // namespace turn
