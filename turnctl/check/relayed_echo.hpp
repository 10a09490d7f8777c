#pragma once
/// A datagram to a peer and back, by permission and channel: RFC 8656, 9 to 12.

#include <chrono>
#include <functional>
#include <optional>

#include "turnctl/check/conversation.hpp"
#include "turnctl/check/report.hpp"

namespace turnctl::check {

/// How far an echo came, and what stopped it.
struct echo_result {
    step reached = step::permission; ///< where the trouble was; step::echo without trouble: it came back
    std::optional<trouble> stopped{};

    [[nodiscard]] bool good() const noexcept { return !stopped; }
};

/// The peer is a UDP socket of ours. It writes to the relay first, which opens the NATs between, so that works from
/// behind those, too. `mapped` is our address as the server sees it.
echo_result echo_by_own_socket(conversation& client, const turn::transport_address& relayed,
                               const turn::transport_address& mapped, std::chrono::milliseconds patience);

/// The peer is the relay of a second client of the same server; servers let their own relays be peers.
echo_result echo_by_second_relay(conversation& client, const turn::transport_address& relayed, conversation& second,
                                 const turn::transport_address& second_relayed, std::chrono::milliseconds patience);

} // namespace turnctl::check
