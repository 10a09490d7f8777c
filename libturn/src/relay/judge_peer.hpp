#pragma once
/// authorize_peer without its words: what the packet path asks, since it allocates nothing.

#include <string>
#include <string_view>

#include "turn/peer_policy.hpp"
#include "turn/reason.hpp"

namespace turn {

struct peer_judgement {
    bool allowed = false;
    bool port_matters = false;
    std::string_view rule{}; ///< static text; empty: allowed
    address_prefix prefix{}; ///< the range behind the rule
    bool has_prefix = false;
    bool of_embedded = false; ///< the range is one of the IPv4 address inside a NAT64 address

    /// Denied or not: one of our relay addresses on a port that is no relay port.
    bool outside_range = false;

    /// Why a peer is refused. Precondition: it is.
    [[nodiscard]] reason why() const noexcept { return outside_range ? reason::outside_range : reason::peer_denied; }
    /// The rule in words, e.g. "private 10.0.0.0/8".
    [[nodiscard]] std::string to_string() const;
};

peer_judgement judge_peer(const peer_policy&, const transport_address& peer, bool any_port) noexcept;

} // namespace turn
