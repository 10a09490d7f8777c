#pragma once
/// What happens inside a relay, for logs, accounting and policy.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "turn/packet.hpp"
#include "turn/reason.hpp"
#include "turn/stun/message.hpp"
#include "turn/verdict.hpp"

namespace turn {

/// Names an allocation for as long as the server runs (never used again). 0 names none.
enum class allocation_id : std::uint64_t {};

struct allocation_info {
    allocation_id id{};
    transport_address client{};
    transport_address server{};             ///< the listener the client speaks to
    transport_address relayed{};            ///< as advertised; the IPv4 one of a dual allocation
    transport_address relayed_additional{}; ///< port 0: none
    std::string_view username{};
    std::string_view realm{};
    transport protocol = transport::udp;         ///< between client and server
    transport relayed_protocol = transport::udp; ///< between server and peers: udp, or tcp (RFC 6062)
    /// Peers the client has named, with a port if it bound a channel to them: the last `most_peers` of them.
    std::span<const transport_address> peers{};
    static constexpr std::size_t most_peers = 8;
};

struct usage {
    /// Client to peers, application data; of a TCP allocation there are bytes only.
    std::uint64_t packets_up = 0, bytes_up = 0;
    std::uint64_t packets_down = 0, bytes_down = 0; ///< peers to client
    std::chrono::seconds age{0};
    turn::verdict verdict{};     ///< when an allocation ends, and in reports
    std::uint32_t held_back = 0; ///< times that a TCP allocation's data waited for its bandwidth
};

enum class allocation_end : std::uint8_t {
    refreshed_to_zero,
    expired,
    user_removed,
    shutdown,
    disconnected,
    kicked ///< server::end_allocation()
};

struct refusal {
    transport_address client{};
    stun::method method{};
    std::uint16_t code = 0; ///< ERROR-CODE on the wire
    reason why{};
    std::string_view username{}; ///< as claimed; empty when the request named none
    std::string_view realm{};
    transport_address peer{};            ///< peer_denied, wrong_family; port 0 otherwise
    std::string_view rule{};             ///< peer_denied: which rule
    std::chrono::seconds expired_for{0}; ///< expired
    allocation_id allocation{};          ///< of the client's 5-tuple; 0: it has none
    bool authenticated = false;          ///< the request was signed with `username`'s key: the name is not invented
};

/// Called on shard threads, never per relayed packet: do not block. Views live until the call returns.
/// Every member has an empty default, so an observer overrides only what it wants.
class observer {
public:
    virtual ~observer() = default;
    virtual void allocation_created(const allocation_info&) noexcept {}
    virtual void allocation_ended(const allocation_info&, const usage&, allocation_end) noexcept {}
    virtual void request_refused(const refusal&) noexcept {}
    /// The certificate files of a TLS listener changed and are in use now, or cannot be used (then `error` says why,
    /// and the listener goes on with what it has). Called on a thread of its own; an error that stays is told once.
    virtual void certificates_changed(const transport_address& /*listener*/, std::string_view /*error*/) noexcept {}
    /// A further say over peers that authorize_peer allows; false: 403 Forbidden, reason peer-denied.
    virtual bool may_reach(const allocation_info&, const transport_address& /*peer*/) noexcept { return true; }
};

} // namespace turn
