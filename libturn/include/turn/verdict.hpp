#pragma once
/// What an allocation's traffic says about the call it was for, in one word.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace turn {

/// Found by one function from usage, drops and refusals of the allocation (relay/judge_allocation.cpp). Only data that
/// was not relayed makes anything but `ok`: calls refuse and drop much that does no harm.
enum class verdict : std::uint8_t {
    ok,            ///< data went both ways
    client_silent, ///< the client asked for an allocation and sent no data
    peer_silent,   ///< the client sent, and nothing came from any peer
    no_permission, ///< data was there, but the client had not allowed the address it came from or went to
    no_channel,    ///< the client sent on channels it had not bound, or no longer
    wrong_family,  ///< the peers are IPv4 and the relayed address is IPv6, or the other way round
    outside_range, ///< the peer is this server's own address, on a port outside its relay ports
    peer_denied,   ///< the policy refuses the peers
    malformed,     ///< what the client sent could not be used
    bandwidth, ///< more than one packet in a hundred was over the allocation's bandwidth; of TCP, data waited for it
    count_     ///< how many there are
};

inline constexpr std::size_t verdict_count = static_cast<std::size_t>(verdict::count_);

/// The stable code, e.g. "peer-silent": a contract with operators, like name(reason).
std::string_view name(verdict) noexcept;

} // namespace turn
