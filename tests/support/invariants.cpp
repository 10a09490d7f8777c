#include "support/invariants.hpp"

#include <numeric>
#include <string>

namespace turn::test {
namespace {

void must_equal(std::uint64_t counted, std::uint64_t truth, const char* what) {
    if (counted == truth) return;
    throw invariant_violation(std::string(what) + ": the relay says " + std::to_string(counted) + ", it is " +
                              std::to_string(truth));
}

template <std::size_t N>
std::uint64_t sum(const std::array<counter, N>& numbers) {
    return std::accumulate(numbers.begin(), numbers.end(), std::uint64_t{0},
                           [](std::uint64_t s, const counter& c) { return s + c.value(); });
}

constexpr std::size_t at(direction way) {
    return static_cast<std::size_t>(way);
}

} // namespace

request_method counted_as(stun::method method) noexcept {
    switch (method) {
    case stun::method::binding:
        return request_method::binding;
    case stun::method::allocate:
        return request_method::allocate;
    case stun::method::refresh:
        return request_method::refresh;
    case stun::method::create_permission:
        return request_method::create_permission;
    case stun::method::channel_bind:
        return request_method::channel_bind;
    case stun::method::connect:
        return request_method::connect;
    case stun::method::connection_bind:
        return request_method::connection_bind;
    case stun::method::send:
    case stun::method::data:
    case stun::method::connection_attempt:
        break;
    }
    return request_method::count_;
}

void check_books(const relay_counters& c, const tally& t) {
    must_equal(c.from_clients.packets.value(), t.from_clients.packets, "packets from clients");
    must_equal(c.from_clients.bytes.value(), t.from_clients.bytes, "bytes from clients");
    must_equal(c.from_peers.packets.value(), t.from_peers.packets, "packets from peers");
    must_equal(c.from_peers.bytes.value(), t.from_peers.bytes, "bytes from peers");
    for (const direction way : {direction::up, direction::down}) {
        const bool up = way == direction::up;
        must_equal(c.relayed[at(way)].packets.value(), t.relayed[at(way)].packets,
                   up ? "packets relayed up" : "packets relayed down");
        must_equal(c.relayed[at(way)].bytes.value(), t.relayed[at(way)].bytes,
                   up ? "bytes relayed up" : "bytes relayed down");
        must_equal(c.dropped[at(way)][static_cast<std::size_t>(reason::none)].value(), 0, "drops without a reason");
    }
    must_equal(c.refused[static_cast<std::size_t>(reason::none)].value(), 0, "refusals without a reason");

    std::uint64_t answers = 0, errors = 0;
    for (std::size_t m = 0; m < c.requests.size(); ++m) {
        const auto& row = c.requests[m];
        const auto success = row[static_cast<std::size_t>(request_result::success)].value();
        must_equal(success, t.answered[m].success, "requests counted as success");
        must_equal(sum(row) - success, t.answered[m].error, "requests counted as challenged or refused");
        answers += sum(row);
        errors += sum(row) - success;
    }
    for (std::size_t result = 0; result < static_cast<std::size_t>(request_result::count_); ++result) {
        std::uint64_t over_all_transports = 0;
        for (const auto& row : c.allocates) over_all_transports += row[result].value();
        must_equal(over_all_transports, c.requests[static_cast<std::size_t>(request_method::allocate)][result].value(),
                   "Allocate requests by transport");
    }
    must_equal(sum(c.refused), errors, "reasons of error answers");
    must_equal(c.relayed[at(direction::up)].packets.value() + sum(c.dropped[at(direction::up)]) + answers +
                   c.absorbed.value() + c.pending.value(),
               t.from_clients.packets, "conservation of packets from clients");
    must_equal(c.relayed[at(direction::down)].packets.value() + sum(c.dropped[at(direction::down)]),
               t.from_peers.packets, "conservation of packets from peers");
    must_equal(c.icmp.received.value(), t.icmp_errors, "ICMP errors");
    must_equal(c.icmp.relayed.value(), t.icmp_told, "ICMP errors that clients were told of");
    must_equal(c.icmp.relayed.value() + sum(c.icmp.dropped), t.icmp_errors, "conservation of ICMP errors");
    must_equal(c.allocations_created.value() - c.allocations_ended.value(), c.allocations.value(),
               "allocations created less ended");
}

void check_holdings(const relay_counters& c, const model& m, fake_addresses& addresses, const allocation_quota& quota,
                    time_point) {
    must_equal(c.allocations.value(), m.allocations(), "allocations");
    must_equal(sum(c.allocations_over), m.allocations(), "allocations by transport");
    std::uint64_t relayed_addresses = 0;
    for (const auto& row : c.relayed_addresses) relayed_addresses += sum(row);
    must_equal(relayed_addresses, m.relayed().size(), "relayed addresses by transport");
    must_equal(c.permissions.value(), m.permissions(), "permissions");
    must_equal(c.channels.value(), m.channels(), "channels");
    must_equal(quota.in_use(), m.allocations(), "quota units");

    const auto relayed = m.relayed();
    for (const auto& [id, address] : addresses.open())
        if (!relayed.contains(address))
            throw invariant_violation("socket " + std::to_string(id) + " at " + address.to_string() +
                                      " belongs to no allocation");
    for (const auto& address : relayed)
        if (!addresses.socket_at(address)) throw invariant_violation("no socket is open at " + address.to_string());
}

void check_nothing_left(const relay_counters& c, fake_addresses& addresses, const allocation_quota& quota,
                        time_point now) {
    must_equal(c.allocations.value(), 0, "allocations after a drain");
    must_equal(sum(c.allocations_over), 0, "allocations by transport after a drain");
    must_equal(c.tcp_allocations.value(), 0, "TCP allocations after a drain");
    for (const auto& row : c.relayed_addresses) must_equal(sum(row), 0, "relayed addresses after a drain");
    must_equal(c.permissions.value(), 0, "permissions after a drain");
    must_equal(c.channels.value(), 0, "channels after a drain");
    must_equal(c.pending.value(), 0, "pending look-ups after a drain");
    must_equal(quota.in_use(), 0, "quota units after a drain");
    must_equal(addresses.open().size(), 0, "sockets after a drain");
    must_equal(addresses.reserved(now), 0, "reserved ports after a drain");
}

} // namespace turn::test
