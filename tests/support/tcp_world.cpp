#include "support/tcp_world.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace turn::test {

namespace {

using namespace std::chrono_literals;

constexpr stun::nonce_secret secret_of_all_shards{std::byte{42}, std::byte{7}};

relay_options with_tcp(relay_options o) {
    o.tcp_relay = true;
    return o;
}

blob whole(const datagram& d) {
    blob all = to_blob(d.head);
    all.insert(all.end(), d.body.begin(), d.body.end());
    all.resize(all.size() + d.pad);
    return all;
}

} // namespace

tcp_world::tcp_world(options o)
    : it_(with_tcp(std::move(o.relay)), {addresses, quota_, &events, o.shard + 1, o.shards, o.shard, o.shards},
          secret_of_all_shards),
      out_(o.outbox_datagrams) {
    const auto local = *transport_address::parse("198.51.100.1:3478");
    it_.add_listener(udp_listener, {local, "example.org"});
    listeners_.push_back(it_.add_stream_listener({local, "example.org", transport::tcp}));
    listeners_.push_back(it_.add_stream_listener({local.with_port(3479), "elsewhere", transport::tcp}));
}

tcp_client tcp_world::client(std::string_view user, std::size_t listener) {
    std::uint32_t index = 0;
    while (streams_.contains(stream_id(index))) ++index; // ids of what was closed are used again
    tcp_client c(*this);
    c.id = stream_id(index);
    c.address = *transport_address::parse("192.18.0.1:1000");
    c.address.port = static_cast<std::uint16_t>(1000 + clients_++);
    c.username = user;
    c.password = password_of(user);
    c.realm = listener == 0 ? "example.org" : "elsewhere";
    if (!users.known.contains({c.realm, c.username})) users.add(user, {}, c.realm);
    streams_[c.id] = {};
    if (!it_.connected(c.id, listeners_.at(listener))) throw std::logic_error("no memory for a connection");
    return c;
}

void tcp_world::send(socket_id via, const transport_address& from, bytes data) {
    const packet p{via, from, data, 0};
    ++tally_.from_clients.packets;
    tally_.from_clients.bytes += data.size();
    batch_cursor at;
    while (at.packet < 1) {
        it_.handle({&p, 1}, at, now, out_);
        carry_out();
    }
    check();
}

void tcp_world::disconnect(tcp_client& c) {
    if (streams_.erase(c.id) == 0) return;
    it_.disconnected(c.id, c.address, now, out_);
    carry_out();
    check();
}

std::vector<blob> tcp_world::take(socket_id id) {
    if (id == udp_listener) return std::exchange(datagrams_, {});
    const auto found = streams_.find(id);
    return found == streams_.end() ? std::vector<blob>{} : std::exchange(found->second, {});
}

void tcp_world::peer_accepts(peer_connection c) {
    it_.peer_connected(c, now, out_);
    carry_out();
    check();
}

void tcp_world::peer_refuses(peer_connection c, bool timed_out) {
    addresses.connections.erase(static_cast<std::uint32_t>(c));
    it_.peer_unreachable(c, timed_out, now, out_);
    carry_out();
    check();
}

std::optional<peer_connection> tcp_world::peer_calls(const transport_address& relayed, const transport_address& peer) {
    const auto relay = addresses.socket_at(relayed);
    if (!relay || kind_of(*relay) != socket_kind::tcp_relay) return std::nullopt;
    return late_call(*relay, peer);
}

peer_connection tcp_world::late_call(socket_id relay, const transport_address& peer) {
    const peer_connection c = addresses.open_connection(relay, peer);
    it_.peer_arrived(c, relay, peer, now, out_);
    carry_out();
    check();
    return c;
}

void tcp_world::peer_leaves(peer_connection c, const peer_traffic& carried) {
    addresses.connections.erase(static_cast<std::uint32_t>(c));
    it_.peer_gone(c, carried);
    check();
}

peer_connection tcp_world::connection_with(const transport_address& peer) const {
    std::optional<peer_connection> found;
    for (const auto& [id, c] : addresses.connections) {
        if (c.peer != peer) continue;
        if (found) throw std::logic_error("two connections with " + peer.to_string());
        found = peer_connection{id};
    }
    if (!found) throw std::logic_error("no connection with " + peer.to_string());
    return *found;
}

void tcp_world::pass(std::chrono::milliseconds duration) {
    const time_point until = now + duration;
    for (time_point next = it_.next_deadline(); next <= until; next = it_.next_deadline()) {
        now = std::max(now, next);
        it_.tick(now, out_);
        if (out_.empty() && it_.next_deadline() == next) throw invariant_violation("relay::tick() makes no progress");
        carry_out();
        check();
    }
    now = until;
}

void tcp_world::reconfigure(const relay_options& o) {
    it_.reconfigure(with_tcp(o));
    for (allocation_cursor at; !at.done;) {
        it_.judge_peers_again(at, 1, now, out_);
        carry_out();
    }
    check();
}

void tcp_world::end_all() {
    while (it_.end_all_allocations(now, out_)) carry_out();
    carry_out();
    check();
    if (!addresses.connections.empty()) throw invariant_violation("a connection with a peer outlives its allocation");
    check_nothing_left(it_.counters(), addresses, quota_, now);
}

std::vector<allocation_report> tcp_world::reports() const {
    std::vector<allocation_report> found;
    for (allocation_cursor at; !at.done;) it_.report({}, at, 3, found.max_size(), now, found);
    return found;
}

stun::transaction_id tcp_world::fresh_id() {
    stun::transaction_id id{};
    const std::uint64_t serial = ++ids_given_;
    for (std::size_t i = 0; i < 8; ++i) id[i + 4] = std::byte(serial >> (56 - 8 * i) & 0xff);
    return id;
}

/// As a shard does it: messages leave first, then come the orders.
void tcp_world::carry_out() {
    struct wanted {
        ticket_id ticket;
        std::string name, realm;
        credential_question question; ///< but for these two
    };
    std::vector<wanted> asked;
    for (const auto list : {out_.datagrams(), out_.frames()})
        for (const datagram& d : list) {
            blob message = whole(d);
            const auto view = stun::message_view::parse(message);
            if (!view) throw invariant_violation("an answer that is not well-formed");
            if (view->cls() != stun::message_class::indication) {
                auto& counted = tally_.answered[static_cast<std::size_t>(counted_as(view->method()))];
                ++(view->cls() == stun::message_class::success_response ? counted.success : counted.error);
            }
            if (d.via == udp_listener)
                datagrams_.push_back(std::move(message));
            else if (const auto stream = streams_.find(d.via); stream != streams_.end())
                stream->second.push_back(std::move(message));
            else
                throw invariant_violation("a message for a connection that is closed");
        }
    for (const order& o : out_.orders()) {
        if (const auto* close = std::get_if<close_socket>(&o)) {
            if (!addresses.close(close->id)) throw invariant_violation("the relay closed a socket that is not open");
        } else if (const auto* gone = std::get_if<close_peer_connection>(&o)) {
            if (addresses.connections.erase(static_cast<std::uint32_t>(gone->id)) == 0)
                throw invariant_violation("the relay closed a connection that is not there");
            closed.push_back(gone->id);
        } else if (const auto* join = std::get_if<join_connections>(&o)) {
            if (!addresses.connections.contains(static_cast<std::uint32_t>(join->peer)))
                throw invariant_violation("the relay joined a connection that is not there");
            joined.push_back(*join);
        } else if (const auto* move = std::get_if<move_connection>(&o)) {
            moved.push_back(*move);
            streams_.erase(move->id);
        } else if (const auto* look_up = std::get_if<credential_wanted>(&o)) {
            ++users.lookups;
            const credential_question& who = look_up->question;
            asked.push_back({look_up->ticket, std::string(who.username), std::string(who.realm), who});
        }
    }
    out_.clear();
    for (wanted& w : asked) {
        if (users.silent) continue;
        w.question.username = w.name;
        w.question.realm = w.realm;
        it_.credential_found(w.ticket, users.look_up(w.question), now, out_);
        carry_out();
    }
}

void tcp_world::check() {
    check_books(it_.counters(), tally_);
    const auto tcp = std::ranges::count(reports(), transport::tcp, &allocation_report::relayed_protocol);
    if (it_.counters().tcp_allocations.value() != static_cast<std::uint64_t>(tcp))
        throw invariant_violation("TCP allocations: the relay says " +
                                  std::to_string(it_.counters().tcp_allocations.value()) + ", it is " +
                                  std::to_string(tcp));
    const auto held = it_.counters().peer_connections.value();
    if (held != addresses.connections.size())
        throw invariant_violation("connections with peers: the relay says " + std::to_string(held) + ", it is " +
                                  std::to_string(addresses.connections.size()));
}

// --- a client --------------------------------------------------------------------------------------------------------

stun::credential_key tcp_client::key() const {
    const auto key =
        stun::long_term_key(algorithm.value_or(stun::password_algorithm_number::md5), username, realm, password);
    if (!key) throw std::logic_error("these credentials make no key");
    return *key;
}

message tcp_client::request(stun::method m) const {
    return {stun::message_class::request, m, world_->fresh_id()};
}

message tcp_client::authenticated(stun::method m) {
    if (nonce.empty()) {
        const answer a = ask(request(stun::method::allocate).with<stun::requested_transport>(6));
        if (const auto n = a.get<stun::nonce>()) nonce = *n;
    }
    message r = request(m);
    r.credentials(username, realm, nonce, key());
    if (algorithm) r.with<stun::password_algorithms>(both_algorithms).with<stun::password_algorithm>({*algorithm});
    return r;
}

answer tcp_client::ask(message m) {
    const stun::transaction_id asked = m.id();
    send(std::move(m));
    return answer_to(asked);
}

void tcp_client::send(message m) {
    if (m.wants_signature()) algorithm ? m.integrity_sha256() : m.integrity();
    world_->send(id, address, m.view());
}

answer tcp_client::answer_to(const stun::transaction_id& wanted) {
    std::vector<blob> heard = world_->take(id);
    answer found;
    for (const blob& b : heard) {
        const auto view = stun::message_view::parse(b);
        if (view && view->id() == wanted && view->cls() != stun::message_class::indication) found = answer(b, address);
    }
    for (const blob& b : heard) { // the others stay
        const auto view = stun::message_view::parse(b);
        if (view && view->cls() == stun::message_class::indication) world_->put_back(id, b);
    }
    return found;
}

message tcp_client::allocate_request() {
    return authenticated(stun::method::allocate).with<stun::requested_transport>(stun::requested_transport::tcp);
}

answer tcp_client::allocate() {
    const answer a = ask(allocate_request());
    if (const auto r = a.get<stun::xor_relayed_address>()) relayed = *r;
    return a;
}

answer tcp_client::refresh(std::chrono::seconds lifetime) {
    return ask(authenticated(stun::method::refresh).with<stun::lifetime>(lifetime));
}

answer tcp_client::permit(const transport_address& peer) {
    return ask(authenticated(stun::method::create_permission).with<stun::xor_peer_address>(peer));
}

answer tcp_client::connect(const transport_address& peer) {
    return ask(authenticated(stun::method::connect).with<stun::xor_peer_address>(peer));
}

std::optional<connection_id> tcp_client::connect_to(const transport_address& peer) {
    message m = authenticated(stun::method::connect).with<stun::xor_peer_address>(peer);
    const stun::transaction_id asked = m.id();
    if (ask(std::move(m))) return std::nullopt; // answered at once: refused
    world_->peer_accepts(world_->connection_with(peer));
    return answer_to(asked).get<stun::connection_id>();
}

answer tcp_client::bind(connection_id which) {
    return ask(authenticated(stun::method::connection_bind).with<stun::connection_id>(which));
}

std::vector<tcp_client::attempt> tcp_client::attempts() {
    std::vector<attempt> found;
    for (const blob& b : world_->take(id)) {
        const auto view = stun::message_view::parse(b);
        if (!view || view->cls() != stun::message_class::indication ||
            view->method() != stun::method::connection_attempt)
            continue;
        const auto peer = view->get<stun::xor_peer_address>();
        const auto which = view->get<stun::connection_id>();
        if (peer && which) found.push_back({*peer, *which});
    }
    return found;
}

} // namespace turn::test
