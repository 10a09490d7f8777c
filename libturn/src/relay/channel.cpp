/// ChannelBind: RFC 8656, 12.2.

#include "relay/state.hpp"
#include "turn/channel_data.hpp"

namespace turn {

/// Binds or refreshes a channel and installs the permission that goes with it.
outcome relay::state::channel_bind(request& r) {
    const auto number = r.message.get<stun::channel_number>();
    if (!number) return bad_request(number.error());
    const auto peer = r.message.get<stun::xor_peer_address>();
    if (!peer) return bad_request(peer.error());
    if (!is_channel_number(*number)) return bad_request(reason::bad_attribute);

    allocation& a = allocations_[r.slot];
    if (a.relays_tcp()) return bad_request(reason::unsupported_transport);
    purge_expired(a, r.now);
    channel* same_number = a.find_channel(*number);
    const channel* same_peer = a.find_channel(*peer);
    if (same_number != same_peer) return bad_request(reason::channel_in_use);
    if (const outcome o = may_reach(a, *peer, false); o.code != 0) return o;

    if (same_number == nullptr && a.channels.size() >= options_.channels_per_allocation)
        return insufficient_capacity(reason::channel_limit);
    if (a.find_permission(*peer) == nullptr && a.permissions.size() >= options_.permissions_per_allocation)
        return insufficient_capacity(reason::permission_limit);

    const time_point expires = r.now + options_.channel_lifetime;
    if (same_number != nullptr) {
        same_number->expires = expires;
    } else {
        a.permissions.reserve(a.permissions.size() + 1); // so that the channel does not stand without its permission
        a.channels.push_back({*peer, *number, expires});
        ++books_.channels;
    }
    a.remember_peer(*peer);
    install_permission(a, *peer, r.now);
    schedule(r.slot);
    return success;
}

} // namespace turn
