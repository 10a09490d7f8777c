#pragma once
/// Made-up numbers for turnd's HTTP service.

#include <string>

#include "admin_service.hpp"

namespace turnd::test {

inline admin_numbers some_numbers() {
    admin_numbers n;
    n.version = "1.2.3";
    n.started = std::chrono::system_clock::time_point{std::chrono::seconds{1'795'224'874}};
    n.now = n.started + std::chrono::seconds{90};
    n.active_clients = 3;
    n.description.listeners = {
        {*turn::transport_address::parse("192.0.2.1:3478"), turn::transport::udp, "example.org"},
        {*turn::transport_address::parse("[2001:db8::1]:5349"), turn::transport::tls, "we \"love\" <b>\\"}};
    n.description.relays = {
        {*turn::transport_address::parse("10.0.0.5:0"), *turn::transport_address::parse("192.0.2.1:0"), false}};
    n.description.relay_port_min = 24000;
    n.description.relay_port_max = 29999;
    n.totals.capacity = 6000;
    n.description.capacity_bound_by = "relay ports";
    n.description.shards = 2;
    auto& relay = n.totals.relay;
    relay.allocations = 5;
    relay.allocations_over = {3, 1, 1};
    relay.tcp_allocations = 1;
    relay.peer_connections = 5;
    relay.peer_connections_bound = 3;
    n.totals.peers.relayed_bytes = {4000, 5000};
    relay.relayed_addresses = {{{3, 1}, {1, 0}, {1, 0}}};
    relay.allocates[0] = {7, 8, 9};
    relay.permissions = 11;
    relay.channels = 12;
    relay.from_clients = {100, 10'000};
    relay.from_peers = {200, 20'000};
    relay.relayed = {{{90, 9000}, {180, 18'000}}};
    relay.dropped[0][static_cast<std::size_t>(turn::reason::no_permission)] = 4;
    n.totals.net.dropped[0][static_cast<std::size_t>(turn::reason::send_refused)] = 2;
    n.totals.net.dropped[2][static_cast<std::size_t>(turn::reason::socket_buffer_full)] = 1;
    n.totals.streams.dropped[1][static_cast<std::size_t>(turn::reason::slow_reader)] = 6;
    n.totals.streams.connections = {0, 13, 14, 2};
    n.totals.dtls.dropped[static_cast<std::size_t>(turn::reason::no_session)] = 3;
    n.totals.dtls.challenged = 7;
    n.totals.dtls.for_sessions = 8;
    n.totals.streams.handshakes = 15;
    n.totals.streams.closed[static_cast<std::size_t>(turn::reason::handshake_failed)] = 16;
    relay.icmp.relayed = 21;
    relay.icmp.dropped[static_cast<std::size_t>(turn::reason::no_permission)] = 22;
    relay.refused[static_cast<std::size_t>(turn::reason::bad_password)] = 17;
    relay.requests[1] = {7, 8, 9};
    n.totals.ports_in_use = 6;
    n.totals.ports_peak = 50;
    n.totals.net.kernel_drops_of = {10, 8};
    n.process = {.cpu_seconds = 1.5, .resident_bytes = 4096, .open_descriptors = 21, .descriptor_limit = 1024};
    return n;
}

inline admin_answer asked(const admin_world& world, std::string target, std::string method = "GET") {
    return answer(world, {.method = std::move(method), .target = std::move(target), .may_write = true});
}

} // namespace turnd::test
