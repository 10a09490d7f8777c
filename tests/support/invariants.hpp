#pragma once
/// What must be true of a relay after every step: conservation of packets as turn/counters.hpp states it, gauges that
/// agree with a second book-keeper, nothing left after a drain.

#include <array>
#include <cstdint>

#include "support/fake_addresses.hpp"
#include "support/model.hpp"
#include "turn/counters.hpp"

namespace turn::test {

/// What the world itself put into the relay and took out of it.
struct tally {
    struct traffic {
        std::uint64_t packets = 0, bytes = 0;
    };
    struct answers {
        std::uint64_t success = 0, error = 0;
    };
    traffic from_clients{}, from_peers{};
    std::array<traffic, 2> relayed{}; ///< by direction::up, direction::down; bytes of application data
    std::array<answers, static_cast<std::size_t>(request_method::count_)> answered{};
    std::uint64_t icmp_errors = 0; ///< put in
    std::uint64_t icmp_told = 0;   ///< Data indications with ICMP that came out
};

/// The row of counters.hpp a method belongs to; count_: none.
request_method counted_as(stun::method) noexcept;

/// Conservation, to the packet and the byte. Cheap. Throws invariant_violation.
void check_books(const relay_counters&, const tally&);
/// Gauges, sockets, ports and quota against the model, which has forgotten what expired by `now`.
void check_holdings(const relay_counters&, const model&, fake_addresses&, const allocation_quota&, time_point now);
/// After a drain: everything is zero.
void check_nothing_left(const relay_counters&, fake_addresses&, const allocation_quota&, time_point now);

} // namespace turn::test
