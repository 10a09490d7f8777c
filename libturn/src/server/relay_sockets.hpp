#pragma once
/// Where a shard's relay gets its relayed transport addresses: a port of the pool and a socket of the shard's
/// packet_io, or one that listens for peers. RFC 8656, 7.2 and RFC 6062, 5.1.

#include <array>
#include <cstdint>
#include <vector>

#include "base/few.hpp"
#include "net/peer_connections.hpp"
#include "server/shared.hpp"
#include "turn/net/packet_io.hpp"
#include "turn/relay.hpp"

namespace turn {

/// Used by the shard's thread only.
class relay_sockets final : public relay_addresses {
public:
    /// `peers`: null, then there are no TCP allocations.
    relay_sockets(shared_state& shared, net::packet_io& io, net::peer_connections* peers = nullptr) noexcept
        : shared_(shared), io_(io), peers_(peers) {}

    [[nodiscard]] bool supports(address_family) const noexcept override;
    result<bound> bind(address_family, transport relayed, port_wish, time_point now) noexcept override;
    result<bound> redeem(const token&, time_point now) noexcept override;
    void cancel(const bound&) noexcept override;
    result<peer_connection> connect(socket_id relay, const transport_address& peer, time_point now) noexcept override;
    [[nodiscard]] peer_traffic traffic_of(peer_connection) const noexcept override;

    /// Marks a socket to be closed by settle(). Not at once: packets of the batch in progress may still carry its id,
    /// and must not meet a new allocation that got the id again.
    void close_later(socket_id) noexcept;
    /// Closes what is to be closed, connections with peers of a TCP relayed transport address included, and gives the
    /// ports back. Call between batches.
    void settle() noexcept;

    /// A peer has connected to `relay`: the connection ends with it. False: no memory for it; close the connection.
    [[nodiscard]] bool keep_connection(peer_connection, socket_id relay) noexcept;
    /// It is closed, or has ended.
    void forget_connection(peer_connection) noexcept;

    /// Frees reservations that expired by `now`, of any shard.
    void tick(time_point now) noexcept;
    /// When tick() is due for the reservations made here; time_point::max() when there are none.
    [[nodiscard]] time_point next_deadline() const noexcept { return reservation_deadline_; }

private:
    static constexpr std::uint32_t not_closing = 0xffffffffU;
    static constexpr std::uint32_t last_closing = 0xfffffffeU;
    /// What belongs to a socket id, and its place in the list of those to be closed (a list without allocations).
    struct slot {
        port_lease lease{};
        few<peer_connection> connections{};
        std::uint32_t next = not_closing;
    };

    [[nodiscard]] slot& slot_of(socket_id id) noexcept {
        return slots_[static_cast<std::size_t>(kind_of(id))][index_of(id)];
    }
    result<socket_id> open(const transport_address&, transport relayed);
    void close(socket_id) noexcept;
    result<bound> bind_at(relay_place&, transport relayed, port_wish, time_point now);
    result<token> reserve(relay_place&, port_lease, time_point now);
    result<socket_id> keep(socket_id, port_lease);

    shared_state& shared_;
    net::packet_io& io_;
    net::peer_connections* peers_;
    std::array<std::vector<slot>, 2> slots_{}; ///< by kind (udp, tcp_relay) and index of the socket id
    std::vector<socket_id> relay_of_{};        ///< by connection with a peer; no_socket: there is none
    std::uint32_t closing_ = last_closing;
    time_point reservation_deadline_ = time_point::max();
};

} // namespace turn
