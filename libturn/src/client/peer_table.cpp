#include "client/peer_table.hpp"

namespace turn {

void peer_table::asked_permission(const transport_address& peer) {
    if (permission* p = find(peer)) {
        p->refresh = time_point::max();
    } else {
        permissions_.push_back({peer.with_port(0), time_point::max(), time_point::max()});
    }
}

void peer_table::asked_channel(std::uint16_t number, const transport_address& peer) {
    asked_permission(peer);
    if (channel* c = find(number, peer)) {
        c->refresh = time_point::max();
        return;
    }
    // A number or peer that is bound otherwise will be refused: 400 by RFC 8656, 12.2.
    const auto clashes = [&](const channel& c) { return c.number == number || c.peer == peer; };
    if (std::ranges::none_of(channels_, clashes))
        channels_.push_back({peer, time_point::max(), time_point::max(), number});
}

void peer_table::permitted(const transport_address& peer, time_point now) {
    asked_permission(peer);
    *find(peer) = {peer.with_port(0), now + permission_lifetime, now + permission_refresh_after};
}

void peer_table::bound(std::uint16_t number, const transport_address& peer, time_point now) {
    permitted(peer, now);
    // The server knows best: what we thought of this number or peer is outdated.
    std::erase_if(channels_, [&](const channel& c) { return c.number == number || c.peer == peer; });
    channels_.push_back({peer, now + channel_lifetime, now + channel_refresh_after, number});
}

void peer_table::not_permitted(const transport_address& peer, time_point again) {
    permission* p = find(peer);
    if (p == nullptr) return;
    p->refresh = again;
    if (p->expires == time_point::max()) permissions_.erase(permissions_.begin() + (p - permissions_.data()));
}

void peer_table::not_bound(std::uint16_t number, const transport_address& peer, time_point again) {
    not_permitted(peer, again);
    channel* c = find(number, peer);
    if (c == nullptr) return;
    c->refresh = again;
    if (!c->bound()) channels_.erase(channels_.begin() + (c - channels_.data()));
}

bool peer_table::may_hear(const transport_address& peer) const noexcept {
    return std::ranges::any_of(permissions_, [&](const permission& p) { return p.peer.same_ip(peer); });
}

const peer_table::channel* peer_table::by_number(std::uint16_t number) const noexcept {
    const auto found = std::ranges::find(channels_, number, &channel::number);
    return found == channels_.end() ? nullptr : &*found;
}

const peer_table::channel* peer_table::by_peer(const transport_address& peer) const noexcept {
    const auto found = std::ranges::find_if(channels_, [&](const channel& c) { return c.bound() && c.peer == peer; });
    return found == channels_.end() ? nullptr : &*found;
}

std::vector<transport_address> peer_table::take_due_permissions(time_point now, std::size_t most) {
    std::vector<transport_address> due;
    for (permission& p : permissions_) {
        if (p.refresh > now || due.size() >= most) continue;
        p.refresh = time_point::max();
        due.push_back(p.peer);
    }
    return due;
}

const peer_table::channel* peer_table::take_due_channel(time_point now) {
    const auto found = std::ranges::find_if(channels_, [&](const channel& c) { return c.refresh <= now; });
    if (found == channels_.end()) return nullptr;
    found->refresh = time_point::max();
    return &*found;
}

void peer_table::forget_expired(time_point now) {
    std::erase_if(permissions_, [&](const permission& p) { return p.expires <= now; });
    std::erase_if(channels_, [&](const channel& c) { return c.expires <= now; });
}

void peer_table::forget(address_family family) {
    std::erase_if(permissions_, [&](const permission& p) { return p.peer.family == family; });
    std::erase_if(channels_, [&](const channel& c) { return c.peer.family == family; });
}

void peer_table::clear() noexcept {
    permissions_.clear();
    channels_.clear();
}

time_point peer_table::next_expiry() const noexcept {
    time_point next = time_point::max();
    for (const permission& p : permissions_) next = std::min(next, p.expires);
    for (const channel& c : channels_) next = std::min(next, c.expires);
    return next;
}

time_point peer_table::next_refresh() const noexcept {
    time_point next = time_point::max();
    for (const permission& p : permissions_) next = std::min(next, p.refresh);
    for (const channel& c : channels_) next = std::min(next, c.refresh);
    return next;
}

peer_table::permission* peer_table::find(const transport_address& peer) noexcept {
    const auto found = std::ranges::find_if(permissions_, [&](const permission& p) { return p.peer.same_ip(peer); });
    return found == permissions_.end() ? nullptr : &*found;
}

peer_table::channel* peer_table::find(std::uint16_t number, const transport_address& peer) noexcept {
    const auto found =
        std::ranges::find_if(channels_, [&](const channel& c) { return c.number == number && c.peer == peer; });
    return found == channels_.end() ? nullptr : &*found;
}

} // namespace turn
