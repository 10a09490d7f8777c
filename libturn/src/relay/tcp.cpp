/// TCP allocations: Connect, ConnectionBind and ConnectionAttempt. RFC 6062, 5.

#include <algorithm>
#include <cassert>
#include <new>
#include <utility>

#include "relay/judge_peer.hpp"
#include "relay/state.hpp"

namespace turn {

namespace {

constexpr std::chrono::seconds time_to_connect{30}; ///< RFC 6062, 5.2: at least
constexpr std::chrono::seconds time_to_bind{30};    ///< RFC 6062, 5.2 and 5.3
/// A Connect that is kept for its answer; larger ones are refused, as those that wait for a look-up.
constexpr std::size_t largest_connect = 4096;

} // namespace

// --- requests --------------------------------------------------------------------------------------------------------

/// RFC 6062, 5.2. All 400s, then 446, 443, 403 and 508.
outcome relay::state::connect(request& r, reply& content, outbox& out) {
    allocation& a = allocations_[r.slot];
    if (!a.relays_tcp()) return bad_request(reason::unsupported_transport);
    const auto peer = r.message.get<stun::xor_peer_address>();
    if (!peer) return bad_request(peer.error());
    if (r.message.raw().size() > largest_connect) return bad_request(reason::too_big);

    const auto same_peer = [&](peer_connection c) { return links_[c].peer == *peer; };
    if (std::any_of(a.links.begin(), a.links.end(), same_peer))
        return {.code = 446, .why = reason::connection_exists, .peer = *peer};
    if (const outcome o = may_reach(a, *peer, false); o.code != 0) return o;
    if (a.links.size() >= options_.connections_per_allocation) return insufficient_capacity(reason::connection_limit);

    const auto begun = services_.addresses.connect(a.relayed(peer->family).id, *peer, r.now);
    if (!begun && begun.error() == errc::no_capacity) return insufficient_capacity(reason::no_descriptors);
    if (!begun) return {.code = 447, .why = reason::connect_failed, .peer = *peer};
    try {
        std::vector<std::byte> kept(r.message.raw().begin(), r.message.raw().end());
        peer_link& link = keep_link(*begun, r.slot, *peer, r.now);
        link.request = std::move(kept);
        link.key = r.key;
        link.names_algorithm = r.names_algorithm;
    } catch (const std::bad_alloc&) {
        out.ask(close_peer_connection{*begun});
        throw;
    }
    a.remember_peer(*peer);
    ++books_.pending;
    content.later = true;
    return success;
}

/// RFC 6062, 5.4. Who asks has been authenticated; the new connection is a client data connection if all is well.
outcome relay::state::connection_bind(request& r, outbox& out) {
    if (!is_stream(r.tuple.via)) return bad_request(reason::unsupported_transport);
    const auto id = r.message.get<stun::connection_id>();
    if (!id) return bad_request(id.error());
    if (r.slot != request::no_slot) return {.code = 437, .why = reason::allocation_mismatch}; // a control connection
    const auto c = links_.find(*id);
    peer_link* const link = c ? links_.find(*c) : nullptr;
    if (link == nullptr || link->what != peer_link::state::pending) return bad_request(reason::unknown_connection);

    const allocation& a = allocations_[link->owner];
    if (a.username != r.username || listeners_[a.listener].realm != listeners_[r.listener].realm)
        return {.code = 441, .why = reason::wrong_credentials};

    link->what = peer_link::state::bound;
    ++books_.peer_connections_bound;
    deadlines_.remove(deadline_of(*c));
    out.ask(join_connections{r.tuple.via, *c, {link->owner, static_cast<std::uint64_t>(a.id)}});
    forget_client(r.tuple.via);
    return success;
}

bool relay::state::moves_on(const request& r, outbox& out) noexcept {
    const auto id = r.message.get<stun::connection_id>();
    if (!id || !is_stream(r.tuple.via) || r.slot != request::no_slot) return false;
    const unsigned owner = shard_of(*id);
    if (owner == services_.shard || owner >= services_.shards) return false;
    out.ask(move_connection{r.tuple.via, owner});
    ++books_.absorbed;
    forget_client(r.tuple.via);
    return true;
}

/// "Authentication of the client by the server MUST use the same method and credentials as for the control connection":
/// RFC 6062, 4.3. So nobody is looked up, as for the allocation's other requests.
const allocation* relay::state::signed_for(const request& r) const noexcept {
    if (r.slot != request::no_slot) return &allocations_[r.slot];
    if (r.message.method() != stun::method::connection_bind) return nullptr;
    const auto id = r.message.get<stun::connection_id>();
    const auto c = id ? links_.find(*id) : std::nullopt;
    if (!c) return nullptr;
    const allocation& a = allocations_[links_[*c].owner];
    return listeners_[a.listener].realm == listeners_[r.listener].realm ? &a : nullptr;
}

// --- peers -----------------------------------------------------------------------------------------------------------

/// The Connect is answered now.
void relay::state::peer_connected(peer_connection c, time_point now, outbox& out) {
    peer_link* const link = links_.find(c);
    if (link == nullptr || link->what != peer_link::state::connecting) return; // ended meanwhile
    const auto message = std::exchange(link->request, {});
    books_.pending.subtract(1);
    ++books_.peer_connections_made[static_cast<std::size_t>(direction::up)];
    wait_for_bind(c, now);
    answer_connect(*link, message, success, now, out);
}

void relay::state::peer_unreachable(peer_connection c, reason why, time_point now, outbox& out) {
    const peer_link* const link = links_.find(c);
    if (link == nullptr || link->what != peer_link::state::connecting) return;
    refuse_connect(c, {.code = 447, .why = why, .peer = link->peer}, now, out);
}

/// Precondition: it is connecting.
void relay::state::refuse_connect(peer_connection c, const outcome& o, time_point now, outbox& out) {
    peer_link& link = *links_.find(c);
    const auto message = std::exchange(link.request, {});
    const peer_link refused{
        .owner = link.owner, .peer = link.peer, .key = link.key, .names_algorithm = link.names_algorithm};
    books_.pending.subtract(1);
    forget_link(c);
    answer_connect(refused, message, o, now, out);
}

void relay::state::answer_connect(const peer_link& link, std::span<const std::byte> bytes_of_request, const outcome& o,
                                  time_point now, outbox& out) {
    const auto message = stun::message_view::parse(bytes_of_request);
    assert(message); // it was parsed before it was kept
    const allocation& a = allocations_[link.owner];
    const request r{.message = *message,
                    .tuple = a.client,
                    .listener = a.listener,
                    .now = now,
                    .slot = link.owner,
                    .proven = true,
                    .username = a.username,
                    .names_algorithm = link.names_algorithm,
                    .key = link.key};
    reply content;
    if (o.code == 0) content.connection = link.id;
    answer(r, o, content, out);
}

/// RFC 6062, 5.3. It has been accepted already.
void relay::state::peer_arrived(peer_connection c, socket_id relay, const transport_address& peer, time_point now,
                                outbox& out) {
    const auto refuse = [&](reason why) {
        ++books_.peer_connections_closed[static_cast<std::size_t>(why)];
        out.ask(close_peer_connection{c});
    };
    const socket_entry socket = entry_of(relay);
    if (socket.what != socket_entry::kind::relay) return refuse(reason::socket_closed);
    allocation& a = allocations_[socket.index];
    const permission* allowed = a.find_permission(peer);
    if (allowed == nullptr || allowed->expires <= now) return refuse(reason::no_permission);
    if (a.links.size() >= options_.connections_per_allocation) return refuse(reason::connection_limit);
    try {
        const peer_link& link = keep_link(c, socket.index, peer, now);
        ++books_.peer_connections_made[static_cast<std::size_t>(direction::down)];
        wait_for_bind(c, now);
        attempt_indication(link, out);
    } catch (const std::bad_alloc&) {
        refuse(reason::out_of_memory);
    }
}

void relay::state::attempt_indication(const peer_link& link, outbox& out) {
    const allocation& a = allocations_[link.owner];
    stun::transaction_id id{};
    std::uint64_t serial = next_indication_++;
    for (std::size_t i = 0; i < sizeof serial; ++i, serial >>= 8) id[i] = static_cast<std::byte>(serial & 0xff);
    const std::span<std::byte> room = out.scratch(outbox::largest_answer);
    stun::message_builder b(room, stun::message_class::indication, stun::method::connection_attempt, id);
    b.add<stun::xor_peer_address>(link.peer);
    b.add<stun::connection_id>(link.id);
    const auto message = b.finish();
    assert(message);
    out.return_scratch(room.size() - message->size());
    out.send({.via = a.client.via, .to = a.client.client, .body = *message, .way = direction::control});
}

void relay::state::peer_gone(peer_connection c, const peer_traffic& carried) noexcept {
    peer_link* const link = links_.find(c);
    if (link == nullptr) return;
    allocation& a = allocations_[link->owner];
    a.used.bytes_up += carried.bytes_up;
    a.used.bytes_down += carried.bytes_down;
    a.used.held_back += carried.held_back;
    forget_link(c);
}

/// Half a minute without the peer's answer, or without a ConnectionBind.
void relay::state::expire(peer_connection c, time_point now, outbox& out) {
    out.ask(close_peer_connection{c});
    const peer_link& link = links_[c];
    if (link.what == peer_link::state::connecting)
        return refuse_connect(c, {.code = 447, .why = reason::connect_timeout, .peer = link.peer}, now, out);
    ++books_.peer_connections_closed[static_cast<std::size_t>(reason::connection_unbound)];
    forget_link(c);
}

/// Connections with peers that the policy refuses now are closed. False: `out` has no room for all of them.
bool relay::state::judge_links_again(allocation& a, time_point now, outbox& out) noexcept {
    const auto refused = [&](peer_connection c) { return !judge_peer(options_.peers, links_[c].peer, false).allowed; };
    while (true) {
        const auto* const found = std::find_if(a.links.begin(), a.links.end(), refused);
        if (found == a.links.end()) return true;
        if (!out.has_room()) return false;
        const peer_connection c = *found;
        out.ask(close_peer_connection{c});
        ++books_.peer_connections_closed[static_cast<std::size_t>(reason::peer_denied)];
        if (links_[c].what == peer_link::state::connecting)
            refuse_connect(c, {.code = 403, .why = reason::peer_denied, .peer = links_[c].peer}, now, out);
        else
            peer_gone(c, services_.addresses.traffic_of(c));
    }
}

// --- what is remembered ----------------------------------------------------------------------------------------------

peer_link& relay::state::keep_link(peer_connection c, slot owner, const transport_address& peer, time_point now) {
    allocation& a = allocations_[owner];
    deadlines_.reserve(deadline_of(c));
    a.links.reserve(a.links.size() + 1);
    peer_link& link = links_.add(c, services_.shard);
    link.owner = owner;
    link.peer = peer;
    a.links.push_back(c);
    deadlines_.set(deadline_of(c), now + time_to_connect);
    ++books_.peer_connections;
    return link;
}

void relay::state::wait_for_bind(peer_connection c, time_point now) noexcept {
    links_.find(c)->what = peer_link::state::pending;
    deadlines_.set(deadline_of(c), now + time_to_bind);
}

void relay::state::forget_link(peer_connection c) noexcept {
    const peer_link& link = links_[c];
    if (!link.request.empty()) { // a Connect that is not answered any more
        books_.pending.subtract(1);
        drop(direction::up, reason::socket_closed);
    }
    if (link.what == peer_link::state::bound) books_.peer_connections_bound.subtract(1);
    books_.peer_connections.subtract(1);
    deadlines_.remove(deadline_of(c));
    allocations_[link.owner].links.erase_if([c](peer_connection other) { return other == c; });
    links_.remove(c);
}

/// Who closes their relayed transport address closes them, too.
void relay::state::forget_links(allocation& a, address_family family) noexcept {
    while (true) {
        const auto of_family = [&](peer_connection c) { return links_[c].peer.family == family; };
        const auto* const found = std::find_if(a.links.begin(), a.links.end(), of_family);
        if (found == a.links.end()) return;
        const peer_traffic carried = services_.addresses.traffic_of(*found);
        peer_gone(*found, carried);
    }
}

peer_traffic relay::state::traffic_of_links(const allocation& a) const noexcept {
    peer_traffic sum;
    for (const peer_connection c : a.links) {
        const peer_traffic one = services_.addresses.traffic_of(c);
        sum.bytes_up += one.bytes_up;
        sum.bytes_down += one.bytes_down;
        sum.held_back += one.held_back;
    }
    return sum;
}

// --- the border ------------------------------------------------------------------------------------------------------

void relay::peer_connected(peer_connection c, time_point now, outbox& out) noexcept {
    state_->peer_connected(c, now, out);
}

void relay::peer_unreachable(peer_connection c, bool timed_out, time_point now, outbox& out) noexcept {
    state_->peer_unreachable(c, timed_out ? reason::connect_timeout : reason::connect_failed, now, out);
}

void relay::peer_arrived(peer_connection c, socket_id via, const transport_address& peer, time_point now,
                         outbox& out) noexcept {
    state_->peer_arrived(c, via, peer, now, out);
}

void relay::peer_gone(peer_connection c, const peer_traffic& carried) noexcept {
    state_->peer_gone(c, carried);
}

} // namespace turn
