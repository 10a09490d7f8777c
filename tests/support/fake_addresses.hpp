#pragma once
/// Relayed transport addresses without sockets: a port pool with the parity and reservation rules of RFC 8656, 7.2.

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "turn/relay.hpp"

namespace turn::test {

/// Stands in for the server's port pool. Closed ports and socket ids are given out again at once, because that is
/// where mistakes show.
class fake_addresses final : public relay_addresses {
public:
    // What a test may change at any time.
    transport_address ipv4;             ///< where IPv4 relays are
    transport_address ipv6;             ///< where IPv6 relays are
    bool has_ipv4 = true;               ///< false: 440 for this family
    bool has_ipv6 = true;               ///< false: 440 for this family
    std::uint16_t port_min = 50'000;    ///< the pool, both ends included
    std::uint16_t port_max = 59'999;    ///< the pool, both ends included
    std::size_t descriptors = 100'000;  ///< how many sockets may be open, reserved ones included
    std::uint32_t first_socket_id = 16; ///< ids below belong to listeners

    fake_addresses();

    [[nodiscard]] bool supports(address_family) const noexcept override;
    result<bound> bind(address_family, transport relayed, port_wish, time_point now) noexcept override;
    result<bound> redeem(const token&, time_point now) noexcept override;
    void cancel(const bound&) noexcept override;
    /// The lowest free id, or `connect_error`. What becomes of it is the test's business.
    result<peer_connection> connect(socket_id relay, const transport_address& peer, time_point now) noexcept override;
    [[nodiscard]] peer_traffic traffic_of(peer_connection) const noexcept override;

    /// A connection with a peer, as the test's network has it.
    struct connection {
        transport_address from{}, peer{};
        socket_id relay{};
        peer_traffic carried{};
        std::uint64_t serial = 0; ///< no two have the same
    };
    std::map<std::uint32_t, connection> connections{}; ///< by peer_connection
    std::optional<errc> connect_error{};               ///< of the next connect()
    /// One more connection: the lowest free id.
    peer_connection open_connection(socket_id relay, const transport_address& peer);

    /// The relay closed this socket. False: it was not open. Connections of a TCP relayed transport address end, too.
    bool close(socket_id);
    [[nodiscard]] std::optional<transport_address> address_of(socket_id) const;
    [[nodiscard]] std::optional<socket_id> socket_at(const transport_address&) const;
    /// Sockets that allocations hold.
    [[nodiscard]] const std::map<std::uint32_t, transport_address>& open() const noexcept { return open_; }
    /// Ports that wait behind a RESERVATION-TOKEN.
    [[nodiscard]] std::size_t reserved(time_point now);

    std::size_t binds = 0, redeems = 0, cancels = 0; ///< calls so far

private:
    struct reservation {
        token key;
        transport_address address;
        time_point expires;
    };
    struct key {
        std::array<std::uint8_t, 16> ip;
        std::uint16_t port;
        friend auto operator<=>(const key&, const key&) = default;
    };
    static key key_of(const transport_address& a) { return {a.ip, a.port}; }
    [[nodiscard]] bool is_free(const transport_address& a) const { return !taken_.contains(key_of(a)); }
    void forget_expired(time_point now);
    socket_id open_socket(const transport_address&, transport relayed = transport::udp);

    std::map<std::uint32_t, transport_address> open_{};
    std::map<key, std::optional<std::uint32_t>> taken_{}; ///< the socket; none: reserved
    std::vector<reservation> reservations_{};
    std::uint64_t tokens_ = 0;
    std::uint64_t connections_made_ = 0;
};

} // namespace turn::test
