#pragma once
/// What a relay remembers: allocations with their permissions and channels. RFC 8656, 6, 9 and 12.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/bandwidth_limit.hpp"
#include "base/few.hpp"
#include "base/index_table.hpp"
#include "base/mix.hpp"
#include "relay/allocation_books.hpp"
#include "turn/observer.hpp"
#include "turn/packet.hpp"
#include "turn/relay.hpp"
#include "turn/stun/credentials.hpp"
#include "turn/stun/message.hpp"

namespace turn {

/// RFC 8656, 2: client address and server address; the socket stands for the latter and for the protocol.
struct five_tuple {
    socket_id via{};
    transport_address client{};
    friend bool operator==(const five_tuple&, const five_tuple&) = default;
};

struct five_tuple_hash {
    seeded_mix mix;
    index_table::hash operator()(const five_tuple& t) const noexcept {
        return static_cast<index_table::hash>(mix(t.client, static_cast<std::uint64_t>(t.via)));
    }
};

/// RFC 8656, 9: by IP address alone.
struct permission {
    transport_address peer{};  ///< port 0
    bool port_matters = false; ///< authorize_peer's answer depends on the port: ask it again for each one named
    time_point expires{};
};

/// RFC 8656, 12.
struct channel {
    transport_address peer{};
    std::uint16_t number = 0;
    time_point expires{};
};

/// One relayed transport address of an allocation with its own time-to-expiry (RFC 8656, 6).
struct relayed_transport_address {
    socket_id id = no_socket; ///< no_socket: the allocation has none of this family
    transport_address advertised{};
    time_point expires{};

    [[nodiscard]] bool exists() const noexcept { return id != no_socket; }
};

constexpr std::size_t family_index(address_family f) noexcept {
    return f == address_family::ipv6 ? 1 : 0;
}

/// What every packet reads and writes comes first and together.
struct alignas(64) allocation {
    five_tuple client{};
    std::array<relayed_transport_address, 2> relays{}; ///< by family_index()
    few<permission> permissions{};
    few<channel> channels{};
    usage used{};
    std::array<bandwidth_limit::bucket, 2> bandwidth{}; ///< by direction::up, direction::down
    static constexpr std::size_t read_by_packets = 256; ///< bytes: all above

    allocation_id id{};

    // For authentication and for rebuilding the success response of a retransmitted Allocate.
    std::uint32_t listener = 0; ///< index; its realm is the allocation's
    stun::credential_key key{};
    stun::password_algorithm_number algorithm{}; ///< that made the key
    std::string username{};
    std::unique_ptr<const std::array<std::byte, 32>> userhash{}; ///< null: the client told its name
    std::string account{};
    stun::transaction_id created_by{};
    time_point created{};
    std::optional<relay_addresses::token> reservation{};
    std::uint16_t additional_family_error = 0; ///< ADDRESS-ERROR-CODE of a dual request that was half met
    address_family additional_family_missing{};

    // For diagnosis.
    allocation_books books{};
    few<peer_connection> links{};   ///< connections with peers of a TCP allocation
    few<transport_address> peers{}; ///< see allocation_info::peers
    std::uint8_t oldest_peer = 0;   ///< index: the one that makes room when there are most_peers

    [[nodiscard]] relayed_transport_address& relayed(address_family f) noexcept { return relays[family_index(f)]; }
    [[nodiscard]] bool relays_family(address_family f) const noexcept { return relays[family_index(f)].exists(); }
    /// RFC 6062: a TCP allocation.
    [[nodiscard]] bool relays_tcp() const noexcept {
        return kind_of(relays[0].id) == socket_kind::tcp_relay || kind_of(relays[1].id) == socket_kind::tcp_relay;
    }
    [[nodiscard]] bool relays_anything() const noexcept { return relays[0].exists() || relays[1].exists(); }

    permission* find_permission(const transport_address& peer) noexcept {
        for (permission& p : permissions)
            if (p.peer.same_ip(peer)) return &p;
        return nullptr;
    }
    channel* find_channel(std::uint16_t number) noexcept {
        for (channel& c : channels)
            if (c.number == number) return &c;
        return nullptr;
    }
    channel* find_channel(const transport_address& peer) noexcept {
        for (channel& c : channels)
            if (c.peer == peer) return &c;
        return nullptr;
    }
    [[nodiscard]] time_point expires() const noexcept {
        time_point last = time_point::min();
        for (const auto& r : relays)
            if (r.exists()) last = std::max(last, r.expires);
        return last;
    }
    /// Remembers a peer for diagnosis; one with a port (a channel's) replaces the mere address.
    void remember_peer(const transport_address& peer) noexcept;
    /// When the first of all its timers ends.
    [[nodiscard]] time_point next_deadline() const noexcept {
        time_point next = time_point::max();
        for (const auto& r : relays)
            if (r.exists()) next = std::min(next, r.expires);
        for (const auto& p : permissions) next = std::min(next, p.expires);
        for (const auto& c : channels) next = std::min(next, c.expires);
        return next;
    }
};

static_assert(offsetof(allocation, id) <= allocation::read_by_packets);

} // namespace turn
