#include "server_setup.hpp"

#include <utility>

#include "configuration.hpp"

namespace turnd {

turn::server_options server_options_of(const settings& s, turn::credential_source source, turn::observer* events) {
    turn::server_options o;
    o.realm = s.realm;
    for (const listener_setting& l : s.listeners)
        o.listeners.push_back({l.protocol, l.address, realm_of(l, s),
                               is_secure(l.protocol) ? certificates_of(l, s) : std::vector<turn::certificate_files>{}});
    o.connections = {.without_allocation = s.connections_without_allocation,
                     .per_source = s.connections_per_source,
                     .idle = s.connection_idle_timeout,
                     .handshake = s.tls_handshake_timeout,
                     .queue_bytes = s.client_queue_bytes,
                     .queue_age = s.client_queue_age};

    const service what = service_of(s);
    o.relay.software = "turnd"; // no version: operations, "Secure by default"
    o.relay.relaying = what != service::stun_only;
    o.relay.anonymous = what == service::relay_anonymously;
    o.relay.nonce_lifetime = s.stale_nonce;
    o.relay.integrity_failure_code = s.integrity_failure_code;
    // Secrets may come with a reload.
    o.relay.username_anonymity = s.username_anonymity && s.rest_secrets.empty();
    o.relay.bandwidth_per_allocation = s.bandwidth_per_allocation;
    o.relay.permissions_per_allocation = s.permissions_per_allocation;
    o.relay.channels_per_allocation = s.channels_per_allocation;
    o.relay.tcp_relay = s.tcp_relay;
    o.relay.connections_per_allocation = s.peer_connections_per_allocation;
    o.relay.unauthenticated_bytes_per_second = s.unauthenticated_bytes_per_second;
    o.relay.unauthenticated_exempt = s.unauthenticated_exempt;
    o.relay.peers.public_peers = s.public_peers;
    o.relay.peers.allow = s.allow_peers;
    o.relay.peers.deny = s.deny_peers;

    if (s.status_listen) o.relay.peers.own_services.push_back(*s.status_listen);

    o.relay_addresses = s.relay_addresses;
    o.relay_port_min = s.relay_port_min;
    o.relay_port_max = s.relay_port_max;
    o.allocations_total = s.allocations_total;
    o.allocations_per_user = s.allocations_per_user.value_or(0);
    o.threads = s.threads;
    o.io.kind = s.backend;
    o.io.traffic_class = s.copy_traffic_class;
    o.credentials = std::move(source);
    o.events = events;
    return o;
}

} // namespace turnd
