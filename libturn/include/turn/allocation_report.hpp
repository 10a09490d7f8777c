#pragma once
/// What is known of an allocation that is alive, as a copy: for status pages, diagnosis and tests.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "turn/counters.hpp"
#include "turn/observer.hpp"
#include "turn/packet.hpp"
#include "turn/reason.hpp"

namespace turn {

struct permission_report {
    transport_address peer{}; ///< port 0
    std::chrono::seconds expires_in{0};
};

struct channel_report {
    std::uint16_t number = 0;
    transport_address peer{};
    std::chrono::seconds expires_in{0};
};

/// A connection with a peer of a TCP allocation (RFC 6062).
struct peer_connection_report {
    transport_address peer{};
    bool bound = false; ///< false: under way, or waiting for its ConnectionBind
    peer_traffic carried{};
};

/// Packets of one allocation that were dropped.
struct drop_report {
    direction way{};
    reason why{};
    std::uint32_t packets = 0;
};

/// Requests of one allocation that were answered with an error.
struct refusal_report {
    reason why{};
    std::uint32_t requests = 0;
};

struct allocation_report {
    allocation_id id{};
    transport_address client{};
    transport_address server{};             ///< the listener the client speaks to
    transport_address relayed{};            ///< as advertised; the IPv4 one of a dual allocation
    transport_address relayed_additional{}; ///< port 0: none
    std::string username{};
    std::string account{}; ///< whom it counts for: the user in a time-limited credential, else the username
    std::string realm{};
    transport protocol = transport::udp;         ///< between client and server
    transport relayed_protocol = transport::udp; ///< between server and peers: udp, or tcp (RFC 6062)
    usage used{};                                ///< with the verdict so far
    std::chrono::seconds expires_in{0};          ///< unless refreshed
    std::vector<permission_report> permissions{};
    std::vector<channel_report> channels{};
    std::vector<peer_connection_report> connections{};
    std::vector<transport_address> peers{}; ///< as allocation_info::peers
    /// Answered with success.
    std::array<std::uint32_t, static_cast<std::size_t>(request_method::count_)> requests{};
    std::vector<refusal_report> refused{};
    std::vector<drop_report> dropped{};
};

/// Which allocations are meant: those that fit all that is set.
struct allocation_filter {
    std::optional<allocation_id> id{};
    std::string user{};                        ///< the username, or the account behind it; empty: anybody
    std::string realm{};                       ///< empty: any
    std::optional<transport_address> client{}; ///< by IP address; the port does not matter
};

/// How far a walk over a relay's allocations has come. An allocation that is there all the time is met once.
struct allocation_cursor {
    std::uint32_t next = 0;
    bool done = false; ///< there is nothing left to look at
};

} // namespace turn
