#include "admin_status.hpp"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "iso_time.hpp"
#include "json_text.hpp"

namespace turnd {
namespace {

using json = nlohmann::ordered_json;

constexpr std::array transports{turn::transport::udp, turn::transport::tcp, turn::transport::tls,
                                turn::transport::dtls};

json listeners(const turn::server_description& d) {
    json list = json::array();
    for (const auto& l : d.listeners)
        list.push_back({{"address", l.local.ip_to_string()},
                        {"port", l.local.port},
                        {"transport", turn::name(l.protocol)},
                        {"realm", l.realm}});
    return list;
}

json relay_addresses(const turn::server_description& d) {
    json list = json::array();
    for (const auto& r : d.relays)
        list.push_back({{"address", r.bind.ip_to_string()}, {"advertised", r.advertised.ip_to_string()}});
    return list;
}

json relays_by_transport(const turn::relay_totals& books) {
    json object;
    for (const auto t : transports)
        object[std::string(turn::name(t))] = books.allocations_over[static_cast<std::size_t>(t)];
    return object;
}

json connections(const turn::stream_totals& books) {
    json object;
    for (const auto t : {turn::transport::tcp, turn::transport::tls, turn::transport::dtls})
        object[std::string(turn::name(t))] = books.connections[static_cast<std::size_t>(t)];
    object["withoutAllocation"] = books.without_allocation;
    return object;
}

/// RFC 6062: what they carry is no packets, and not in the traffic.
json tcp_relays(const turn::server_totals& totals) {
    const turn::relay_totals& books = totals.relay;
    const std::uint64_t open = std::min(books.peer_connections, books.peer_connections_bound);
    return {{"relays", books.tcp_allocations},
            {"openPeerConnections", open},
            {"pendingPeerConnections", books.peer_connections - open},
            {"bytesUp", totals.peers.relayed_bytes[static_cast<std::size_t>(turn::direction::up)]},
            {"bytesDown", totals.peers.relayed_bytes[static_cast<std::size_t>(turn::direction::down)]}};
}

json ports(const admin_numbers& n) {
    const std::size_t all = ports_of(n.description), used = n.totals.ports_in_use;
    return {{"min", n.description.relay_port_min},
            {"max", n.description.relay_port_max},
            {"used", used},
            {"free", all > used ? all - used : 0},
            {"peak", n.totals.ports_peak}};
}

json traffic(const turn::relay_totals::traffic& t) {
    return {{"packets", t.packets}, {"bytes", t.bytes}};
}

/// Those that happened, by reason.
json drops(const turn::server_totals& totals, turn::direction way) {
    json object = json::object();
    for (std::size_t i = 0; i < turn::reason_count; ++i) {
        const auto why = static_cast<turn::reason>(i);
        if (const auto packets = dropped(totals, way, why); packets != 0)
            object[std::string(turn::name(why))] = packets;
    }
    return object;
}

json refusals(const turn::relay_totals& books) {
    json object = json::object();
    for (std::size_t i = 0; i < turn::reason_count; ++i)
        if (books.refused[i] != 0) object[std::string(turn::name(static_cast<turn::reason>(i)))] = books.refused[i];
    return object;
}

} // namespace

std::string status_json(const admin_numbers& n) {
    const turn::relay_totals& relay = n.totals.relay;
    json object;
    object["version"] = n.version;
    object["time"] = iso_time(n.now);
    object["started"] = iso_time(n.started);
    object["uptimeSeconds"] = std::chrono::duration_cast<std::chrono::seconds>(n.now - n.started).count();
    object["draining"] = n.draining;
    object["listeners"] = listeners(n.description);
    object["relayAddresses"] = relay_addresses(n.description);
    object["activeClients"] = n.active_clients;
    object["numAllocations"] = relay.allocations;
    object["relays"] = relays_by_transport(relay);
    object["tcpRelays"] = tcp_relays(n.totals);
    object["permissions"] = relay.permissions;
    object["channels"] = relay.channels;
    object["capacity"] = n.totals.capacity;
    object["capacityBoundBy"] = n.description.capacity_bound_by;
    object["ports"] = ports(n);
    object["connections"] = connections(n.totals.streams);
    object["traffic"] = {{"fromClients", traffic(relay.from_clients)},
                         {"fromPeers", traffic(relay.from_peers)},
                         {"relayedUp", traffic(relay.relayed[static_cast<std::size_t>(turn::direction::up)])},
                         {"relayedDown", traffic(relay.relayed[static_cast<std::size_t>(turn::direction::down)])}};
    object["drops"] = {{"up", drops(n.totals, turn::direction::up)},
                       {"down", drops(n.totals, turn::direction::down)},
                       {"control", drops(n.totals, turn::direction::control)}};
    object["refused"] = refusals(relay);
    object["threads"] = n.description.shards;
    return json_text(object);
}

} // namespace turnd
