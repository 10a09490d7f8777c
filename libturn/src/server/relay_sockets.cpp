#include "server/relay_sockets.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <new>

#include "base/crypto.hpp"

namespace turn {

namespace {

constexpr net::socket_options relay_socket{.role = net::socket_role::relay};

} // namespace

bool relay_sockets::supports(address_family family) const noexcept {
    for (const auto& place : shared_.places)
        if (place->bind.family == family) return true;
    return false;
}

result<relay_addresses::bound> relay_sockets::bind(address_family family, transport relayed, port_wish wish,
                                                   time_point now) noexcept try {
    assert(relayed == transport::udp || peers_ != nullptr); // or the relay does not offer it
    const std::size_t count = shared_.places.size();
    const std::size_t first = count == 0 ? 0 : crypto::random64() % count; // spreads over several relay addresses
    for (std::size_t i = 0; i < count; ++i) {
        auto& place = *shared_.places[(first + i) % count];
        if (place.bind.family != family) continue;
        auto made = bind_at(place, relayed, wish, now);
        if (made || made.error() != errc::no_capacity) return made;
    }
    return errc::no_capacity;
} catch (const std::bad_alloc&) {
    return errc::io;
}

result<socket_id> relay_sockets::open(const transport_address& local, transport relayed) {
    if (relayed == transport::udp) return io_.open(local, relay_socket);
    auto handle = net::peer_connections::bind(local);
    if (!handle) return handle.error();
    return peers_->listen(std::move(*handle));
}

void relay_sockets::close(socket_id id) noexcept {
    if (kind_of(id) == socket_kind::udp) return io_.close(id);
    peers_->close(id);
}

result<relay_addresses::bound> relay_sockets::bind_at(relay_place& place, transport relayed, port_wish wish,
                                                      time_point now) {
    // Ports that turn out to belong to another program stay leased until we are done, so that none is tried twice.
    std::array<port_pool::taken, 16> occupied{};
    for (auto& ports : occupied) {
        auto taken = place.ports.take(wish);
        if (!taken) return errc::no_capacity;
        ports = std::move(*taken);

        const auto id = open(place.bind.with_port(ports.port.port()), relayed);
        if (!id && errno == EADDRINUSE) continue;
        if (!id) return errc::io;
        bound b{*id, place.advertised.with_port(ports.port.port()), {}};
        if (wish == port_wish::even_and_reserve_next) {
            const auto reserved = reserve(place, std::move(ports.next), now);
            const int why = errno;
            if (!reserved) io_.close(*id);
            if (!reserved && reserved.error() == errc::io && why == EADDRINUSE) continue;
            if (!reserved) return reserved.error();
            b.reservation = *reserved;
        }
        if (const auto kept = keep(*id, std::move(ports.port)); !kept) {
            if (b.reservation) shared_.held.cancel(*b.reservation);
            return kept.error();
        }
        return b;
    }
    return errc::no_capacity;
}

/// Binds the next higher port and hands the socket to all shards.
result<relay_addresses::token> relay_sockets::reserve(relay_place& place, port_lease lease, time_point now) {
    const auto port = lease.port();
    const auto id = io_.open(place.bind.with_port(port), relay_socket);
    if (!id) return id.error();
    const auto name = shared_.held.hold(
        {std::move(lease), place.advertised.with_port(port), net::file_descriptor(io_.release(*id))}, now);
    if (!name) return errc::no_capacity;
    reservation_deadline_ = std::min(reservation_deadline_, now + reservations::lifetime);
    return *name;
}

result<relay_addresses::bound> relay_sockets::redeem(const token& name, time_point now) noexcept try {
    auto held = shared_.held.redeem(name, now);
    if (!held) return errc::not_found;
    const auto id = io_.adopt(held->socket.release(), relay_socket);
    if (!id) return errc::io;
    if (const auto kept = keep(*id, std::move(held->lease)); !kept) return kept.error();
    return bound{*id, held->advertised, {}};
} catch (const std::bad_alloc&) {
    return errc::io;
}

result<socket_id> relay_sockets::keep(socket_id id, port_lease lease) try {
    auto& slots = slots_[static_cast<std::size_t>(kind_of(id))];
    if (index_of(id) >= slots.size()) slots.resize(index_of(id) + 1);
    slots[index_of(id)].lease = std::move(lease);
    return id;
} catch (const std::bad_alloc&) {
    close(id);
    return errc::io;
}

void relay_sockets::cancel(const bound& b) noexcept {
    close_later(b.id);
    if (b.reservation) shared_.held.cancel(*b.reservation);
}

result<peer_connection> relay_sockets::connect(socket_id relay, const transport_address& peer, time_point now) noexcept
    try {
    const auto begun = peers_->connect(relay, peer, now);
    if (!begun) return errc::no_capacity;
    if (keep_connection(*begun, relay)) return begun;
    peers_->close(*begun);
    return errc::no_capacity;
} catch (const std::bad_alloc&) {
    return errc::no_capacity;
}

peer_traffic relay_sockets::traffic_of(peer_connection c) const noexcept {
    return peers_->traffic_of(c);
}

bool relay_sockets::keep_connection(peer_connection c, socket_id relay) noexcept try {
    const auto i = static_cast<std::size_t>(c);
    if (i >= relay_of_.size()) relay_of_.resize(i + 1, no_socket);
    slot_of(relay).connections.push_back(c);
    relay_of_[i] = relay;
    return true;
} catch (const std::bad_alloc&) {
    return false;
}

void relay_sockets::forget_connection(peer_connection c) noexcept {
    const auto i = static_cast<std::size_t>(c);
    if (i >= relay_of_.size() || relay_of_[i] == no_socket) return;
    slot_of(relay_of_[i]).connections.erase_if([c](peer_connection other) { return other == c; });
    relay_of_[i] = no_socket;
}

void relay_sockets::close_later(socket_id id) noexcept {
    auto& s = slot_of(id);
    if (s.next != not_closing) return;
    s.next = std::exchange(closing_, static_cast<std::uint32_t>(id));
}

void relay_sockets::settle() noexcept {
    while (closing_ != last_closing) {
        const auto id = socket_id{closing_};
        auto& s = slot_of(id);
        closing_ = std::exchange(s.next, not_closing);
        close(id);
        while (s.connections.size() != 0) {
            const peer_connection c = *s.connections.begin();
            peers_->close(c);
            forget_connection(c);
        }
        s.lease = port_lease{}; // after the close: only now may another shard bind the port
    }
}

void relay_sockets::tick(time_point now) noexcept {
    if (now < reservation_deadline_) return;
    shared_.held.retire(now);
    reservation_deadline_ = shared_.held.next_expiry();
}

} // namespace turn
