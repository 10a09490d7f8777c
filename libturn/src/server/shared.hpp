#pragma once
/// All that crosses shards: the relay ports, reservations, the quota, the nonce secret and the application's callbacks.

#include <cstddef>
#include <memory>
#include <vector>

#include "server/port_pool.hpp"
#include "server/reservations.hpp"
#include "turn/quota.hpp"
#include "turn/server.hpp"

namespace turn {

/// An address relays are bound to, what clients are told instead (port 0 in both), and its ports.
struct relay_place {
    transport_address bind;
    transport_address advertised;
    port_pool ports;

    relay_place(const transport_address& bound_to, const transport_address& told, std::uint16_t min, std::uint16_t max,
                port_usage& usage)
        : bind(bound_to), advertised(told), ports(min, max, usage) {}
};

class shard;

/// One per server, outliving its shards. Only what locks itself (ports, held, quota) changes after construction.
struct shared_state {
    shared_state(allocation_quota::limits limits, std::size_t reservation_limit)
        : held(reservation_limit), quota(limits) {}

    port_usage ports{};
    std::vector<std::unique_ptr<relay_place>> places{}; ///< before `held`, whose leases return to them
    reservations held;
    allocation_quota quota;
    const stun::nonce_secret nonce_secret = stun::make_nonce_secret();
    credential_source credentials{};
    observer* events = nullptr;
    /// For connections that move; complete before the first shard starts. They end after all of them have stopped.
    std::vector<shard*> shards{};
};

} // namespace turn
