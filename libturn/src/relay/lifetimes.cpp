/// What ends when: allocations family by family, permissions, channels, pending look-ups.

#include "relay/judge_allocation.hpp"
#include "relay/state.hpp"

namespace turn {

/// Precondition: deadlines_.reserve() was called for the slot when the allocation was made.
void relay::state::schedule(slot s) noexcept {
    deadlines_.set(deadline_of(s), allocations_[s].next_deadline());
}

allocation_info relay::state::describe(const allocation& a) const noexcept {
    const auto& ipv4 = a.relays[family_index(address_family::ipv4)];
    const auto& ipv6 = a.relays[family_index(address_family::ipv6)];
    const listener_options& listener = listeners_[a.listener];
    return {.id = a.id,
            .client = a.client.client,
            .server = listener.local,
            .relayed = ipv4.exists() ? ipv4.advertised : ipv6.advertised,
            .relayed_additional = ipv4.exists() && ipv6.exists() ? ipv6.advertised : transport_address{},
            .username = a.username,
            .realm = listener.realm,
            .protocol = listener.protocol,
            .relayed_protocol = a.relays_tcp() ? transport::tcp : transport::udp,
            .peers = {a.peers.begin(), a.peers.end()}};
}

usage relay::state::usage_of(const allocation& a, time_point now) const noexcept {
    usage used = a.used;
    const peer_traffic alive = traffic_of_links(a);
    used.bytes_up += alive.bytes_up;
    used.bytes_down += alive.bytes_down;
    used.held_back += alive.held_back;
    used.age = std::chrono::duration_cast<std::chrono::seconds>(now - a.created);
    used.verdict = judge_allocation(used, a.books);
    return used;
}

/// RFC 8656, 8.1: what belongs to this family goes, what belongs to the other stays.
void relay::state::end_family(slot s, address_family f, outbox& out) noexcept {
    allocation& a = allocations_[s];
    relayed_transport_address& relayed = a.relayed(f);
    if (!relayed.exists()) return;
    const auto of_family = [f](const auto& x) { return x.peer.family == f; };
    books_.permissions.subtract(a.permissions.erase_if(of_family));
    books_.channels.subtract(a.channels.erase_if(of_family));
    forget_links(a, f);
    set_entry(relayed.id, {});
    books_.relayed_addresses[transport_of(a.listener)][family_index(f)].subtract(1);
    out.ask(close_socket{relayed.id});
    const bool relayed_tcp = a.relays_tcp();
    relayed.id = no_socket;
    if (relayed_tcp && !a.relays_tcp()) books_.tcp_allocations.subtract(1);
}

/// Precondition: out.has_room() when this step began.
void relay::state::end_allocation(slot s, allocation_end why, time_point now, outbox& out) noexcept {
    allocation& a = allocations_[s];
    const std::size_t transport = transport_of(a.listener);
    if (services_.events != nullptr) services_.events->allocation_ended(describe(a), usage_of(a, now), why);
    end_family(s, address_family::ipv4, out);
    end_family(s, address_family::ipv6, out);
    deadlines_.remove(deadline_of(s));
    by_tuple_.erase(hash_(a.client), s);
    if (is_connection(a.client.via)) out.ask(connection_claimed{a.client.via, false});
    services_.quota.release(listeners_[a.listener].realm, a.account);
    allocations_.erase(s);
    books_.allocations.subtract(1);
    books_.allocations_over[transport].subtract(1);
    ++books_.allocations_ended;
    try {
        by_tuple_.shrink();
    } catch (const std::bad_alloc&) { // then it stays as large as it is
    }
}

void relay::state::expire(slot s, time_point now, outbox& out) noexcept {
    allocation& a = allocations_[s];
    const auto expired = [now](const relayed_transport_address& r) { return r.exists() && r.expires <= now; };
    const bool nothing_left =
        (!a.relays[0].exists() || expired(a.relays[0])) && (!a.relays[1].exists() || expired(a.relays[1]));
    if (nothing_left) return end_allocation(s, allocation_end::expired, now, out);
    for (const auto f : {address_family::ipv4, address_family::ipv6})
        if (expired(a.relayed(f))) end_family(s, f, out);
    purge_expired(a, now);
    schedule(s);
}

void relay::state::reserve_entry(socket_id id) {
    auto& table = sockets_[static_cast<std::size_t>(kind_of(id))];
    if (index_of(id) >= table.size()) table.resize(index_of(id) + 1);
}

void relay::state::serve_clients(socket_id id, listener_id listener) {
    reserve_entry(id);
    set_entry(id, {.what = socket_entry::kind::clients, .index = static_cast<std::uint32_t>(listener)});
}

/// A connection has one client, so at most one allocation.
void relay::state::disconnected(socket_id id, const transport_address& client, time_point now, outbox& out) noexcept {
    if (entry_of(id).what != socket_entry::kind::clients) return;
    if (const slot s = find({id, client}); s != request::no_slot)
        end_allocation(s, allocation_end::disconnected, now, out);
    forget_client(id);
}

/// Answers to its look-ups would meet whoever gets its id next.
void relay::state::forget_client(socket_id id) noexcept {
    for (lookup_table::index i = 0; lookups_.size() != 0 && i < lookups_.end(); ++i) {
        if (!lookups_.is_parked(i) || lookups_[i].key.tuple.via != id) continue;
        deadlines_.remove(deadline_of_lookup(i));
        (void)lookups_.take(i);
        books_.pending.subtract(1);
        drop(direction::up, reason::socket_closed);
    }
    set_entry(id, {});
}

/// Nobody told us the key in time: 500, so that the client need not wait for its own time-out.
void relay::state::lookup_timed_out(lookup_table::index i, time_point now, outbox& out) noexcept {
    const auto parked = lookups_.take(i);
    books_.pending.subtract(1);
    const auto message = stun::message_view::parse(parked.request);
    assert(message); // it was parsed before it was parked
    const request r{.message = *message,
                    .tuple = parked.key.tuple,
                    .listener = entry_of(parked.key.tuple.via).index,
                    .now = now,
                    .proven = true,
                    .username = message->get<stun::username>().value_or("")};
    answer(r, {.code = 500, .why = reason::credential_timeout}, {}, out);
}

void relay::state::tick(time_point now, outbox& out) noexcept {
    while (deadlines_.next() <= now && out.has_room()) {
        const deadline_queue::id id = deadlines_.front();
        if (id < lookups_.max()) {
            deadlines_.remove(id);
            lookup_timed_out(id, now, out);
            continue;
        }
        const deadline_queue::id rest = id - static_cast<deadline_queue::id>(lookups_.max());
        if (rest % 2 == 0)
            expire(rest / 2, now, out);
        else
            expire(peer_connection{rest / 2}, now, out);
    }
}

} // namespace turn
