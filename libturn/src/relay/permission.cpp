/// CreatePermission: RFC 8656, 10.2, and what permissions are made of (9).

#include <algorithm>
#include <new>

#include "relay/judge_peer.hpp"
#include "relay/state.hpp"

namespace turn {

void allocation::remember_peer(const transport_address& peer) noexcept try {
    for (transport_address& known : peers) {
        if (!known.same_ip(peer) || (known.port != 0 && peer.port != 0 && known.port != peer.port)) continue;
        if (known.port == 0) known = peer;
        return;
    }
    if (peers.size() < allocation_info::most_peers) return peers.push_back(peer);
    peers.begin()[oldest_peer] = peer;
    oldest_peer = static_cast<std::uint8_t>((oldest_peer + 1U) % allocation_info::most_peers);
} catch (const std::bad_alloc&) { // then the log does not name it
}

outcome relay::state::may_reach(const allocation& a, const transport_address& peer, bool any_port) {
    if (!a.relays[family_index(peer.family)].exists()) return {.code = 443, .why = reason::wrong_family, .peer = peer};
    const peer_judgement judgement = judge_peer(options_.peers, peer, any_port);
    if (!judgement.allowed) {
        rule_ = judgement.to_string();
        return {.code = 403, .why = judgement.why(), .peer = peer, .rule = rule_};
    }
    if (services_.events != nullptr && !services_.events->may_reach(describe(a), peer))
        return {.code = 403, .why = reason::peer_denied, .peer = peer, .rule = "observer"};
    return success;
}

void relay::state::purge_expired(allocation& a, time_point now) noexcept {
    const auto dead = [now](const auto& x) { return x.expires <= now; };
    books_.permissions.subtract(a.permissions.erase_if(dead));
    books_.channels.subtract(a.channels.erase_if(dead));
}

/// 300 s from now, not from the old expiry: RFC 8656, 9. Precondition: room for one more.
void relay::state::install_permission(allocation& a, const transport_address& peer, time_point now) {
    const time_point expires = now + options_.permission_lifetime;
    a.remember_peer(peer.with_port(0));
    if (permission* known = a.find_permission(peer)) {
        known->expires = expires;
        return;
    }
    const transport_address ip = peer.with_port(0);
    a.permissions.push_back({ip, judge_peer(options_.peers, ip, true).port_matters, expires});
    ++books_.permissions;
}

/// The policy has changed since they were installed.
bool relay::state::judge_peers_again(slot s, time_point now, outbox& out) noexcept {
    allocation& a = allocations_[s];
    books_.channels.subtract(
        a.channels.erase_if([&](const channel& c) { return !judge_peer(options_.peers, c.peer, false).allowed; }));
    books_.permissions.subtract(
        a.permissions.erase_if([&](const permission& p) { return !judge_peer(options_.peers, p.peer, true).allowed; }));
    for (permission& p : a.permissions) p.port_matters = judge_peer(options_.peers, p.peer, true).port_matters;
    schedule(s);
    return judge_links_again(a, now, out);
}

/// All or nothing; all 400s first, then 443, 403 and 508.
outcome relay::state::create_permission(request& r) {
    allocation& a = allocations_[r.slot];
    purge_expired(a, r.now);

    outcome malformed = bad_request(reason::missing_attribute); // until there is one
    r.message.for_each<stun::xor_peer_address>([&](const result<transport_address>& peer) {
        malformed = peer ? success : bad_request(peer.error());
        return malformed.code == 0;
    });
    if (malformed.code != 0) return malformed;

    outcome wrong_family = success;
    outcome denied = success;
    std::vector<transport_address> fresh; // addresses without a permission so far, at most as many as may be added
    const std::size_t limit = options_.permissions_per_allocation; // may be lower than it was
    const std::size_t free = limit > a.permissions.size() ? limit - a.permissions.size() : 0;
    bool too_many = false;
    r.message.for_each<stun::xor_peer_address>([&](const result<transport_address>& peer) {
        const outcome o = may_reach(a, *peer, true);
        if (o.code == 443) wrong_family = o;
        if (o.code == 403 && denied.code == 0) denied = o;
        const auto same = [&](const transport_address& other) { return other.same_ip(*peer); };
        const bool known = a.find_permission(*peer) != nullptr || std::any_of(fresh.begin(), fresh.end(), same);
        if (!known && fresh.size() == free) too_many = true;
        if (!known && !too_many) fresh.push_back(*peer);
        return wrong_family.code == 0;
    });
    if (wrong_family.code != 0) return wrong_family;
    if (denied.code != 0) return denied;
    if (too_many) return insufficient_capacity(reason::permission_limit);

    a.permissions.reserve(a.permissions.size() + fresh.size());
    r.message.for_each<stun::xor_peer_address>([&](const result<transport_address>& peer) {
        install_permission(a, *peer, r.now);
        return true;
    });
    schedule(r.slot);
    return success;
}

} // namespace turn
