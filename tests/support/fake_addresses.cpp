#include "support/fake_addresses.hpp"

#include <algorithm>

namespace turn::test {

using namespace std::chrono_literals;

fake_addresses::fake_addresses()
    : ipv4(*transport_address::parse_ip("203.0.113.5")), ipv6(*transport_address::parse_ip("2001:db8:f::5")) {}

bool fake_addresses::supports(address_family family) const noexcept {
    return family == address_family::ipv4 ? has_ipv4 : has_ipv6;
}

result<relay_addresses::bound> fake_addresses::bind(address_family family, transport relayed, port_wish wish,
                                                    time_point now) noexcept {
    ++binds;
    forget_expired(now);
    const bool pair = wish == port_wish::even_and_reserve_next;
    if (open_.size() + reservations_.size() + (pair ? 2 : 1) > descriptors) return errc::io;

    const transport_address& base = family == address_family::ipv4 ? ipv4 : ipv6;
    const bool even = wish != port_wish::any;
    for (unsigned port = port_min; port <= port_max; ++port) {
        if (even && port % 2 != 0) continue;
        const auto address = base.with_port(static_cast<std::uint16_t>(port));
        if (!is_free(address)) continue;
        if (!pair) return bound{open_socket(address, relayed), address};

        const auto next = base.with_port(static_cast<std::uint16_t>(port + 1));
        if (port == port_max || !is_free(next)) continue;
        bound pair_of_ports{open_socket(address), address, token{}};
        const std::uint64_t serial = ++tokens_;
        for (std::size_t i = 0; i < 8; ++i) (*pair_of_ports.reservation)[i] = std::byte(serial >> (56 - 8 * i) & 0xff);
        taken_[key_of(next)] = std::nullopt;
        reservations_.push_back({*pair_of_ports.reservation, next, now + 30s}); // RFC 8656, 7.2: at least 30 s
        return pair_of_ports;
    }
    return errc::no_capacity;
}

result<relay_addresses::bound> fake_addresses::redeem(const token& wanted, time_point now) noexcept {
    ++redeems;
    forget_expired(now);
    const auto found = std::ranges::find(reservations_, wanted, &reservation::key);
    if (found == reservations_.end()) return errc::not_found;
    const transport_address address = found->address;
    reservations_.erase(found);
    return bound{open_socket(address), address};
}

void fake_addresses::cancel(const bound& given) noexcept {
    ++cancels;
    close(given.id);
    if (!given.reservation) return;
    const auto found = std::ranges::find(reservations_, *given.reservation, &reservation::key);
    if (found == reservations_.end()) return;
    taken_.erase(key_of(found->address));
    reservations_.erase(found);
}

bool fake_addresses::close(socket_id id) {
    const auto found = open_.find(static_cast<std::uint32_t>(id));
    if (found == open_.end()) return false;
    taken_.erase(key_of(found->second));
    open_.erase(found);
    if (kind_of(id) == socket_kind::tcp_relay)
        std::erase_if(connections, [&](const auto& c) { return c.second.relay == id; });
    return true;
}

peer_connection fake_addresses::open_connection(socket_id relay, const transport_address& peer) {
    std::uint32_t id = 0;
    while (connections.contains(id)) ++id;
    connections[id] = {address_of(relay).value_or(transport_address{}), peer, relay, {}, ++connections_made_};
    return peer_connection{id};
}

result<peer_connection> fake_addresses::connect(socket_id relay, const transport_address& peer, time_point) noexcept {
    if (connect_error) return *std::exchange(connect_error, std::nullopt);
    return open_connection(relay, peer);
}

peer_traffic fake_addresses::traffic_of(peer_connection c) const noexcept {
    const auto found = connections.find(static_cast<std::uint32_t>(c));
    return found == connections.end() ? peer_traffic{} : found->second.carried;
}

std::optional<transport_address> fake_addresses::address_of(socket_id id) const {
    const auto found = open_.find(static_cast<std::uint32_t>(id));
    if (found == open_.end()) return std::nullopt;
    return found->second;
}

std::optional<socket_id> fake_addresses::socket_at(const transport_address& address) const {
    const auto found = taken_.find(key_of(address));
    if (found == taken_.end() || !found->second) return std::nullopt;
    return socket_id{*found->second};
}

std::size_t fake_addresses::reserved(time_point now) {
    forget_expired(now);
    return reservations_.size();
}

void fake_addresses::forget_expired(time_point now) {
    std::erase_if(reservations_, [&](const reservation& r) {
        if (r.expires > now) return false;
        taken_.erase(key_of(r.address));
        return true;
    });
}

socket_id fake_addresses::open_socket(const transport_address& address, transport relayed) {
    const bool tcp = relayed == transport::tcp;
    std::uint32_t id = tcp ? static_cast<std::uint32_t>(make_socket_id(socket_kind::tcp_relay, 0)) : first_socket_id;
    for (const auto& [used, where] : open_) { // the lowest free id
        if (used < id) continue;
        if (used != id) break;
        ++id;
    }
    open_[id] = address;
    taken_[key_of(address)] = id;
    return socket_id{id};
}

} // namespace turn::test
