/// Demultiplexing and forwarding: RFC 8656, 11.3, 12.6 and 12.7. The path every relayed packet takes.

#include "turn/relay.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/crypto.hpp"
#include "relay/state.hpp"
#include "turn/channel_data.hpp"

namespace turn {

namespace {

/// What a datagram is, by its first two bits: RFC 8656, 12 and RFC 7983.
enum class kind : std::uint8_t { stun, channel_data, neither };
kind kind_of(bytes segment) noexcept {
    if (segment.empty()) return kind::neither;
    const unsigned leading_bits = std::to_integer<unsigned>(segment[0]) >> 6;
    return leading_bits == 0 ? kind::stun : leading_bits == 1 ? kind::channel_data : kind::neither;
}

stun::security_features features_of(const relay_options& o) noexcept {
    return {.password_algorithms = o.password_algorithms, .username_anonymity = o.username_anonymity};
}

stun::credential_key random_key() noexcept {
    stun::credential_key key;
    key.size = 16;
    crypto::random(std::span(key.value).first(key.size));
    return key;
}

} // namespace

relay::state::state(relay_options options, relay_services services, const stun::nonce_secret& secret)
    : options_(std::move(options)), services_(services),
      nonces_(secret, options_.nonce_lifetime, features_of(options_)), hash_{{crypto::random64()}},
      lookups_(options_.max_lookups, {crypto::random64()}),
      budget_(options_.unauthenticated_bytes_per_second, options_.unauthenticated_exempt, {crypto::random64()}),
      bandwidth_(options_.bandwidth_per_allocation), dummy_key_(random_key()),
      next_allocation_(services.first_allocation_id), next_indication_(crypto::random64()) {}

/// Whoever ends a relay without end_all_allocations() still gives quota units back.
relay::state::~state() {
    for (slot s = 0; s < allocations_.end(); ++s)
        if (const allocation* a = allocations_.find(s))
            services_.quota.release(listeners_[a->listener].realm, a->account);
}

void relay::state::drop(direction way, reason why) noexcept {
    ++books_.dropped[static_cast<std::size_t>(way)][static_cast<std::size_t>(why)];
}

void relay::state::drop(allocation& a, direction way, reason why) noexcept {
    a.books.drop(way, why);
    drop(way, why);
}

void relay::state::drop(slot s, direction way, reason why) noexcept {
    if (s != request::no_slot) allocations_[s].books.drop(way, why);
    drop(way, why);
}

relay::state::slot relay::state::find(const five_tuple& tuple) const noexcept {
    return by_tuple_.find(hash_(tuple), [&](slot s) { return allocations_[s].client == tuple; });
}

/// Sends for the memory that the next packets will read, for all of them at once: with many allocations every packet
/// meets some that is in no cache. Nothing depends on what is found here.
void relay::state::look_ahead(std::span<const packet> next) const noexcept {
    std::array<index_table::hash, group_ahead> hashes;
    const auto is_client = [](const socket_entry& e) { return e.what == socket_entry::kind::clients; };
    for (std::size_t i = 0; i < next.size(); ++i) {
        if (!is_client(entry_of(next[i].via))) continue;
        hashes[i] = hash_({next[i].via, next[i].from});
        by_tuple_.prefetch(hashes[i]);
    }
    for (std::size_t i = 0; i < next.size(); ++i) {
        const socket_entry entry = entry_of(next[i].via);
        slot s = request::no_slot;
        if (is_client(entry))
            s = by_tuple_.guess(hashes[i]);
        else if (entry.what == socket_entry::kind::relay)
            s = entry.index;
        if (s != request::no_slot) allocations_.prefetch(s, allocation::read_by_packets);
    }
}

void relay::state::handle_segment(const packet& p, bytes segment, const socket_entry& socket, slot& found,
                                  time_point now, outbox& out) {
    switch (socket.what) {
    case socket_entry::kind::clients:
        ++books_.from_clients.packets;
        books_.from_clients.bytes.add(segment.size());
        return from_client(p, segment, socket.index, found, now, out);
    case socket_entry::kind::relay:
        ++books_.from_peers.packets;
        books_.from_peers.bytes.add(segment.size());
        return from_peer(p, segment, socket, now, out);
    case socket_entry::kind::unknown: {
        // Received before the allocation or the connection ended, handled after.
        const bool client = is_connection(p.via);
        auto& from = client ? books_.from_clients : books_.from_peers;
        ++from.packets;
        from.bytes.add(segment.size());
        return drop(client ? direction::up : direction::down, reason::socket_closed);
    }
    }
}

void relay::state::from_client(const packet& p, bytes segment, std::uint32_t listener, slot& found, time_point now,
                               outbox& out) {
    switch (kind_of(segment)) {
    case kind::channel_data:
        return channel_data_up(p, segment, found, now, out);
    case kind::stun:
        return stun_message(p, segment, listener, found, now, out);
    case kind::neither:
        return drop(found, direction::up, reason::malformed);
    }
}

/// RFC 8656, 12.6. A bound channel suffices: no permission is asked for on the way up.
void relay::state::channel_data_up(const packet& p, bytes segment, slot s, time_point now, outbox& out) {
    if (s == request::no_slot) return drop(direction::up, reason::no_allocation);
    const auto message = channel_data::parse(segment);
    if (!message) {
        return drop(s, direction::up, message.error() == errc::truncated ? reason::truncated_data : reason::malformed);
    }
    allocation& a = allocations_[s];
    const channel* c = a.find_channel(message->number);
    if (c == nullptr || c->expires <= now) return drop(a, direction::up, reason::no_channel);
    if (message->payload.size() > largest_datagram) return drop(a, direction::up, reason::too_big); // a stream's may be

    if (!admit(a, direction::up, message->payload.size(), now)) return;
    out.send({.via = a.relayed(c->peer.family).id,
              .to = c->peer,
              .body = message->payload,
              .way = direction::up,
              .traffic_class = p.traffic_class}); // RFC 8656, 14
}

void relay::state::stun_message(const packet& p, bytes segment, std::uint32_t listener, slot& found, time_point now,
                                outbox& out) {
    const auto message = stun::message_view::parse(segment);
    if (!message) return drop(found, direction::up, reason::malformed);
    if (message->has_fingerprint() && !message->check_fingerprint())
        return drop(found, direction::up, reason::fingerprint_mismatch);

    using stun::message_class;
    using stun::method;
    const method m = message->method();
    if (message->cls() == message_class::indication) return indication(p, *message, found, now, out);
    if (message->cls() != message_class::request) return drop(found, direction::up, reason::unexpected_class);

    request r{.message = *message,
              .tuple = {p.via, p.from},
              .listener = listener,
              .now = now,
              .slot = found,
              .proven = found != request::no_slot || is_connection(p.via)}; // a connection is a proof
    switch (m) {
    case method::binding: {
        reply content;
        const outcome o = binding(r, content);
        return answer(r, o, content, out);
    }
    case method::allocate:
    case method::refresh:
    case method::create_permission:
    case method::channel_bind:
        if (!options_.relaying) return drop(direction::up, reason::relay_disabled);
        authenticate(r, out);
        found = find(r.tuple);
        return;
    case method::connect:
    case method::connection_bind:
        if (!options_.relaying) return drop(direction::up, reason::relay_disabled);
        if (!options_.tcp_relay) break;
        if (m == method::connection_bind && moves_on(r, out)) return;
        return authenticate(r, out);
    case method::connection_attempt:
        if (!options_.tcp_relay) break;
        [[fallthrough]];
    case method::send:
    case method::data:
        return drop(found, direction::up, reason::unexpected_class);
    }
    drop(found, direction::up, reason::unknown_method);
}

/// RFC 8489, 6.3.2: never answered.
void relay::state::indication(const packet& p, const stun::message_view& message, slot s, time_point now, outbox& out) {
    switch (message.method()) {
    case stun::method::send:
        if (!options_.relaying) return drop(direction::up, reason::relay_disabled);
        return send_indication(p, message, s, now, out);
    case stun::method::binding:
        if (message.unknown_required({}) != 0) return drop(s, direction::up, reason::unknown_attribute);
        ++books_.absorbed;
        return;
    case stun::method::data:
    case stun::method::allocate:
    case stun::method::refresh:
    case stun::method::create_permission:
    case stun::method::channel_bind:
        return drop(s, direction::up, reason::unexpected_class);
    case stun::method::connect:
    case stun::method::connection_bind:
    case stun::method::connection_attempt:
        if (!options_.tcp_relay) break;
        return drop(s, direction::up, reason::unexpected_class);
    }
    drop(s, direction::up, reason::unknown_method);
}

/// RFC 8489, 6.3.1.1.
outcome relay::state::binding(const request& r, reply& content) {
    if (const outcome o = require_known(r, content); o.code != 0) return o;
    content.mapped = r.tuple.client;
    return success;
}

/// RFC 8656, 11.3: permission first, then the channel if there is one.
void relay::state::from_peer(const packet& p, bytes segment, const socket_entry& socket, time_point now, outbox& out) {
    allocation& a = allocations_[socket.index];
    const permission* allowed = a.find_permission(p.from);
    if (allowed == nullptr || allowed->expires <= now) return drop(a, direction::down, reason::no_permission);

    const channel* c = a.find_channel(p.from);
    if (c == nullptr || c->expires <= now) return data_indication(a, p, segment, now, out);

    const bool stream = is_stream(a.client.via);
    if (segment.size() + channel_data_header_size > largest_to(a.client.via))
        return drop(a, direction::down, reason::too_big);
    if (!admit(a, direction::down, segment.size(), now)) return;
    const auto header = channel_data_header(c->number, static_cast<std::uint16_t>(segment.size()));
    const std::span<std::byte> head = out.scratch(header.size());
    std::copy(header.begin(), header.end(), head.begin());

    out.send({.via = a.client.via,
              .to = a.client.client,
              .head = head,
              .body = segment,
              .pad = static_cast<std::uint8_t>(stream ? padding_of(segment.size()) : 0), // RFC 8656, 12.5
              .way = direction::down,
              .traffic_class = p.traffic_class});
}

relay::relay(relay_options options, relay_services services, const stun::nonce_secret& secret)
    : state_(std::make_unique<state>(std::move(options), services, secret)) {}
relay::~relay() = default;
relay::relay(relay&&) noexcept = default;

listener_id relay::add_listener(socket_id id, listener_options options) {
    const listener_id added = add_stream_listener(std::move(options));
    state_->serve_clients(id, added);
    return added;
}

listener_id relay::add_stream_listener(listener_options options) {
    state_->listeners_.push_back(std::move(options));
    return listener_id{static_cast<std::uint32_t>(state_->listeners_.size() - 1)};
}

bool relay::connected(socket_id id, listener_id listener) noexcept try {
    state_->serve_clients(id, listener);
    return true;
} catch (const std::bad_alloc&) {
    return false;
}

void relay::disconnected(socket_id id, const transport_address& client, time_point now, outbox& out) noexcept {
    state_->disconnected(id, client, now, out);
}

void relay::handle(std::span<const packet> batch, batch_cursor& at, time_point now, outbox& out) noexcept {
    state& s = *state_;
    if (s.deadlines_.next() <= now) s.tick(now, out);
    const bool far_apart = s.allocations_.size() >= state::many_allocations;
    for (std::size_t ahead = at.packet; at.packet < batch.size(); ++at.packet, at.segment = 0) {
        if (far_apart && at.packet == ahead) {
            const auto next = batch.subspan(ahead, std::min(state::group_ahead, batch.size() - ahead));
            s.look_ahead(next);
            ahead += next.size();
        }
        const packet& p = batch[at.packet];
        // All segments of a train share the 5-tuple: it is looked up once.
        state::slot found = request::no_slot;
        if (s.entry_of(p.via).what == state::socket_entry::kind::clients) found = s.find({p.via, p.from});
        for (const std::size_t segments = p.segments(); at.segment < segments; ++at.segment) {
            if (!out.has_room()) return;
            s.handle_segment(p, p.segment(at.segment), s.entry_of(p.via), found, now, out);
        }
    }
}

void relay::icmp_arrived(const icmp_error& error, time_point now, outbox& out) noexcept {
    state_->icmp_arrived(error, now, out);
}

void relay::credential_found(ticket_id ticket, const credential_answer& found, time_point now, outbox& out) noexcept {
    state& s = *state_;
    const auto i = s.lookups_.find(ticket);
    if (i == lookup_table::none) return;
    s.deadlines_.remove(s.deadline_of_lookup(i));
    const auto parked = s.lookups_.take(i);
    s.books_.pending.subtract(1);

    const auto message = stun::message_view::parse(parked.request);
    assert(message); // it was parsed before it was parked
    request r{.message = *message,
              .tuple = parked.key.tuple,
              .listener = s.entry_of(parked.key.tuple.via).index,
              .now = now,
              .slot = s.find(parked.key.tuple),
              .proven = true};
    s.looked_up(r, found, out);
}

void relay::tick(time_point now, outbox& out) noexcept {
    state_->tick(now, out);
}

time_point relay::next_deadline() const noexcept {
    return state_->deadlines_.next();
}

void relay::reconfigure(const relay_options& wanted) {
    // Everything that may run out of memory comes before the first change.
    byte_budget budget(wanted.unauthenticated_bytes_per_second, wanted.unauthenticated_exempt, {crypto::random64()});
    peer_policy peers = wanted.peers;
    relay_options& o = state_->options_;
    o.nonce_lifetime = wanted.nonce_lifetime;
    o.integrity_failure_code = wanted.integrity_failure_code;
    o.password_algorithms = wanted.password_algorithms;
    o.username_anonymity = wanted.username_anonymity;
    o.max_allocations = wanted.max_allocations;
    o.permissions_per_allocation = wanted.permissions_per_allocation;
    o.channels_per_allocation = wanted.channels_per_allocation;
    o.connections_per_allocation = wanted.connections_per_allocation;
    o.peers = std::move(peers);
    state_->nonces_.set_lifetime(wanted.nonce_lifetime);
    state_->nonces_.set_features(features_of(wanted));
    state_->bandwidth_ = bandwidth_limit(wanted.bandwidth_per_allocation);
    state_->budget_ = std::move(budget);
}

void relay::judge_peers_again(allocation_cursor& at, std::size_t places, time_point now, outbox& out) noexcept {
    const state::slot end = state_->allocations_.end();
    for (; places != 0 && at.next < end; --places, ++at.next)
        if (state_->allocations_.find(at.next) != nullptr && !state_->judge_peers_again(at.next, now, out)) return;
    at.done = at.next >= end;
}

void relay::stop_accepting() noexcept {
    state_->draining_ = true;
}

bool relay::end_all_allocations(time_point now, outbox& out) noexcept {
    for (state::slot s = 0; s < state_->allocations_.end(); ++s) {
        if (state_->allocations_.find(s) == nullptr) continue;
        if (!out.has_room()) return true;
        state_->end_allocation(s, allocation_end::shutdown, now, out);
    }
    return false;
}

bool relay::end_allocations_of(std::string_view realm, std::string_view username, time_point now,
                               outbox& out) noexcept {
    for (state::slot s = 0; s < state_->allocations_.end(); ++s) {
        const allocation* a = state_->allocations_.find(s);
        if (a == nullptr || (a->username != username && a->account != username)) continue;
        if (state_->listeners_[a->listener].realm != realm) continue;
        if (!out.has_room()) return true;
        state_->end_allocation(s, allocation_end::user_removed, now, out);
    }
    return false;
}

const relay_counters& relay::counters() const noexcept {
    return state_->books_;
}

} // namespace turn
