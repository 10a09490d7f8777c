/// What the outside may know of allocations that are alive, and ending one by its name.

#include <algorithm>

#include "relay/state.hpp"

namespace turn {

namespace {

std::chrono::seconds left(time_point expires, time_point now) noexcept {
    return std::max(std::chrono::seconds(0), std::chrono::ceil<std::chrono::seconds>(expires - now));
}

} // namespace

bool relay::state::fits(const allocation& a, const allocation_filter& f) const noexcept {
    if (f.id && a.id != *f.id) return false;
    if (f.client && !a.client.client.same_ip(*f.client)) return false;
    if (!f.user.empty() && a.username != f.user && a.account != f.user) return false;
    return f.realm.empty() || listeners_[a.listener].realm == f.realm;
}

allocation_report relay::state::report_of(const allocation& a, time_point now) const {
    const allocation_info info = describe(a);
    allocation_report r{.id = info.id,
                        .client = info.client,
                        .server = info.server,
                        .relayed = info.relayed,
                        .relayed_additional = info.relayed_additional,
                        .username = a.username,
                        .account = a.account,
                        .realm = std::string(info.realm),
                        .protocol = info.protocol,
                        .relayed_protocol = info.relayed_protocol,
                        .used = usage_of(a, now),
                        .expires_in = left(a.expires(), now),
                        .peers = {info.peers.begin(), info.peers.end()},
                        .requests = a.books.requests};
    for (const permission& p : a.permissions)
        if (p.expires > now) r.permissions.push_back({p.peer, left(p.expires, now)});
    for (const channel& c : a.channels)
        if (c.expires > now) r.channels.push_back({c.number, c.peer, left(c.expires, now)});
    for (const peer_connection c : a.links) {
        const peer_link& link = links_[c];
        r.connections.push_back({link.peer, link.what == peer_link::state::bound, services_.addresses.traffic_of(c)});
    }
    a.books.refused.for_each([&](reason why, std::uint32_t n) { r.refused.push_back({why, n}); });
    a.books.dropped_up.for_each([&](reason why, std::uint32_t n) { r.dropped.push_back({direction::up, why, n}); });
    a.books.dropped_down.for_each([&](reason why, std::uint32_t n) { r.dropped.push_back({direction::down, why, n}); });
    return r;
}

void relay::report(const allocation_filter& filter, allocation_cursor& at, std::size_t places, std::size_t most,
                   time_point now, std::vector<allocation_report>& found) const {
    const state::slot end = state_->allocations_.end();
    for (; places != 0 && at.next < end && found.size() < most; --places, ++at.next) {
        const allocation* a = state_->allocations_.find(at.next);
        if (a != nullptr && state_->fits(*a, filter)) found.push_back(state_->report_of(*a, now));
    }
    at.done = at.next >= end || found.size() >= most;
}

bool relay::end_allocation(allocation_id id, allocation_cursor& at, std::size_t places, time_point now,
                           outbox& out) noexcept {
    const state::slot end = state_->allocations_.end();
    for (; places != 0 && at.next < end; --places, ++at.next) {
        const allocation* a = state_->allocations_.find(at.next);
        if (a == nullptr || a->id != id) continue;
        state_->end_allocation(at.next, allocation_end::kicked, now, out);
        at.done = true;
        return true;
    }
    at.done = at.next >= end;
    return false;
}

} // namespace turn
