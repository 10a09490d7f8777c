#include "support/tcp_script.hpp"

#include <algorithm>

namespace turn::test {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t most_people = 12;
constexpr unsigned our_shard = 2, shards = 4;
constexpr std::array users{"ann", "bob", "cleo"};

tcp_world::options scarce() {
    tcp_world::options o;
    o.relay.connections_per_allocation = 4;
    o.relay.max_allocations = 5;
    o.relay.permissions_per_allocation = 4;
    o.shard = our_shard;
    o.shards = shards;
    o.outbox_datagrams = 2;
    return o;
}

} // namespace

tcp_script::tcp_script(choices& c) : choose_(&c), world_(scarce()) {
    for (int i = 0; i < 3; ++i) come();
}

void tcp_script::step() {
    switch (choose_->below(16)) {
    case 0:
        come();
        break;
    case 1:
        allocate(anybody());
        break;
    case 2:
        if (person& p = somebody_with_an_allocation(); p.has_allocation) (void)p.at.permit(any_peer());
        break;
    case 3:
    case 4:
        connect(somebody_with_an_allocation());
        break;
    case 5:
    case 6:
        peer_answers();
        break;
    case 7:
    case 8:
        peer_calls();
        break;
    case 9:
    case 10:
    case 11:
        bind();
        break;
    case 12:
        send_noise(anybody());
        break;
    case 13:
        if (!world_.addresses.connections.empty() && one_in(3)) {
            const auto c = peer_connection{world_.addresses.connections.begin()->first};
            const bool made = std::ranges::none_of(
                under_way_, [&](const asked& a) { return a.connection == c && a.serial == serial_of(c); });
            if (made) world_.peer_leaves(c, {choose_->below(1000), choose_->below(1000)});
        } else if (one_in(4)) {
            leave(choose_->below(people_.size()));
        }
        break;
    case 14:
        pass_time();
        break;
    default:
        change_policy();
        break;
    }
    forget_clients_that_left();
    hear_attempts();
}

void tcp_script::finish() {
    world_.end_all();
}

void tcp_script::come() {
    if (people_.size() >= most_people) leave(choose_->below(people_.size()));
    people_.push_back({world_.client(users[choose_->below(users.size())], one_in(8) ? 1 : 0)});
}

void tcp_script::allocate(person& p) {
    if (p.has_allocation && one_in(2)) {
        if (p.at.refresh(one_in(4) ? 0s : 600s).code() == 0) p.has_allocation = !world_.reports().empty();
    } else {
        (void)p.at.allocate();
    }
    const auto reports = world_.reports();
    for (person& each : people_)
        each.has_allocation =
            std::ranges::any_of(reports, [&](const allocation_report& r) { return r.client == each.at.address; });
}

void tcp_script::connect(person& p) {
    const auto before = world_.addresses.connections;
    message m = p.at.authenticated(stun::method::connect);
    if (!one_in(16)) m.with<stun::xor_peer_address>(any_peer());
    const auto request = m.id();
    const answer a = p.at.ask(std::move(m));
    if (a && a.code() == 0) throw invariant_violation("a Connect has succeeded before its peer has answered");
    if (a) return;
    for (const auto& [id, c] : world_.addresses.connections)
        if (const auto was = before.find(id); was == before.end() || was->second.serial != c.serial)
            under_way_.push_back({peer_connection{id}, c.serial, request, p.at.id, p.at.username + p.at.realm});
}

void tcp_script::peer_answers() {
    std::erase_if(under_way_, [&](const asked& a) { return serial_of(a.connection) != a.serial; });
    if (under_way_.empty()) return;
    const std::size_t which = choose_->below(under_way_.size());
    const asked a = under_way_[which];
    under_way_.erase(under_way_.begin() + static_cast<std::ptrdiff_t>(which));
    if (one_in(4)) return world_.peer_refuses(a.connection, one_in(2));
    world_.peer_accepts(a.connection);
    const auto by = std::ranges::find_if(people_, [&](const person& p) { return p.at.id == a.by; });
    if (by == people_.end()) return;
    const auto id = by->at.answer_to(a.request).get<stun::connection_id>();
    if (!id) throw invariant_violation("a Connect whose peer has accepted is not answered");
    if (shard_of(*id) != our_shard) throw invariant_violation("an id of another shard");
    remember(*id, {a.connection, a.serial, a.user});
}

void tcp_script::peer_calls() {
    const auto reports = world_.reports();
    if (reports.empty()) return;
    const auto& r = reports[choose_->below(reports.size())];
    const transport_address peer = any_peer();
    const auto same = [&](const auto& c) { return c.second.from == r.relayed && c.second.peer == peer; };
    if (std::ranges::any_of(world_.addresses.connections, same)) return; // TCP has one of them
    if (r.relayed_protocol == transport::tcp) world_.peer_calls(r.relayed, peer);
}

/// Everybody hears of the calls that are his, and of no others.
void tcp_script::hear_attempts() {
    for (person& p : people_)
        for (const auto& attempt : p.at.attempts()) {
            const auto found = std::ranges::find_if(world_.addresses.connections, [&](const auto& c) {
                return c.second.peer == attempt.peer && c.second.from == p.at.relayed;
            });
            if (found == world_.addresses.connections.end()) continue; // closed since
            remember(attempt.id, {peer_connection{found->first}, found->second.serial, p.at.username + p.at.realm});
        }
}

void tcp_script::bind() {
    const connection_id id = any_id();
    const auto owner = ids_.find(static_cast<std::uint32_t>(id));
    const bool by_owner = owner != ids_.end() && people_.size() < most_people && !one_in(4);
    if (by_owner) { // as it should be: on a connection of its own
        const std::size_t listener = owner->second.user.ends_with("elsewhere") ? 1 : 0;
        for (const char* user : users)
            if (owner->second.user.starts_with(user)) people_.push_back({world_.client(user, listener)});
    }
    person& p = by_owner ? people_.back() : anybody();
    const bool elsewhere = shard_of(id) != our_shard && shard_of(id) < shards && !p.has_allocation;
    const std::size_t joined = world_.joined.size(), moved = world_.moved.size();
    if (one_in(8)) { // anybody's, who knows an id and no password
        const answer a = p.at.ask(p.at.request(stun::method::connection_bind).with<stun::connection_id>(id));
        if (!elsewhere && a.code() != 401) throw invariant_violation("an unsigned ConnectionBind was not challenged");
        if (world_.joined.size() != joined) throw invariant_violation("an unsigned ConnectionBind has bound");
        return;
    }
    const bool good = is_good(id, p);
    const answer a = p.at.bind(id);
    if (elsewhere) {
        if (world_.moved.size() != moved + 1) throw invariant_violation("a connection for another shard has stayed");
        return;
    }
    if ((a.code() == 0) != good)
        throw invariant_violation(good ? "a ConnectionBind that must succeed was answered " + std::to_string(a.code())
                                       : "a ConnectionBind has succeeded that must not");
    if (world_.joined.size() != joined + (good ? 1 : 0)) throw invariant_violation("joined without an answer");
    if (!good) {
        ++refused_;
        return;
    }
    ++bound_;
    given& g = ids_[static_cast<std::uint32_t>(id)];
    if (world_.joined.back().peer != g.connection || world_.joined.back().client != p.at.id)
        throw invariant_violation("the wrong connections were joined");
    g.used = true;
    world_.forget(p.at.id);
}

bool tcp_script::is_good(connection_id id, const person& p) const {
    const auto found = ids_.find(static_cast<std::uint32_t>(id));
    if (found == ids_.end() || p.has_allocation) return false;
    const given& g = found->second;
    return !g.used && g.user == p.at.username + p.at.realm && serial_of(g.connection) == g.serial;
}

void tcp_script::send_noise(person& p) {
    static constexpr stun::method methods[] = {stun::method::connect, stun::method::connection_bind,
                                               stun::method::allocate, stun::method::refresh};
    message m = p.at.request(methods[choose_->below(std::size(methods))]);
    if (one_in(2)) m.with<stun::connection_id>(any_id());
    if (one_in(2)) m.with<stun::xor_peer_address>(any_peer());
    blob& raw = m.raw();
    for (std::uint64_t flips = choose_->below(4); flips != 0; --flips)
        raw[choose_->below(raw.size())] ^= std::byte{static_cast<unsigned char>(1U << choose_->below(8))};
    if (one_in(4)) raw.resize(choose_->below(raw.size()) + 1);
    world_.send(p.at.id, p.at.address, raw);
}

void tcp_script::leave(std::size_t who) {
    world_.disconnect(people_[who].at);
    people_.erase(people_.begin() + static_cast<std::ptrdiff_t>(who));
    if (people_.empty()) come();
}

void tcp_script::pass_time() {
    static constexpr std::chrono::milliseconds steps[] = {1ms, 1s, 10s, 29s, 30s, 31s, 299s, 601s};
    world_.pass(steps[choose_->below(one_in(4) ? std::size(steps) : 3)]);
    const auto reports = world_.reports();
    for (person& each : people_)
        each.has_allocation =
            std::ranges::any_of(reports, [&](const allocation_report& r) { return r.client == each.at.address; });
    for (person& each : people_) each.at.nonce.clear(); // it may have expired
}

void tcp_script::change_policy() {
    relay_options o = scarce().relay;
    if (one_in(8)) o.peers.deny = {*address_prefix::parse("25.0.0.1/32")};
    if (one_in(3)) o.connections_per_allocation = 2;
    world_.reconfigure(o);
}

/// Moved or joined: their connection is not the relay's any more.
void tcp_script::forget_clients_that_left() {
    std::erase_if(people_, [&](const person& p) { return !world_.is_open(p.at.id); });
    if (people_.empty()) come();
}

tcp_script::person& tcp_script::anybody() {
    return people_[choose_->below(people_.size())];
}

transport_address tcp_script::any_peer() {
    static constexpr const char* peers[] = {"25.0.0.1:5000", "25.0.0.1:5001", "25.0.0.2:5000",   "25.0.0.3:5000",
                                            "10.0.0.1:5000", "25.0.0.4:0",    "[2a01:5::1]:5000"};
    return *transport_address::parse(peers[choose_->below(std::size(peers))]);
}

/// Mostly one that was given to somebody lately.
connection_id tcp_script::any_id() {
    if (recent_.empty() || one_in(8))
        return connection_id{static_cast<std::uint32_t>(choose_->below(6)) << connection_shard_shift |
                             static_cast<std::uint32_t>(choose_->below(65536))};
    const std::uint32_t flip = one_in(8) ? 1U << choose_->below(32) : 0U;
    return connection_id{recent_[choose_->below(recent_.size())] ^ flip};
}

void tcp_script::remember(connection_id id, const given& g) {
    ids_[static_cast<std::uint32_t>(id)] = g;
    recent_.push_back(static_cast<std::uint32_t>(id));
    if (recent_.size() > 4) recent_.erase(recent_.begin());
}

tcp_script::person& tcp_script::somebody_with_an_allocation() {
    const auto found = std::ranges::find_if(people_, [](const person& p) { return p.has_allocation; });
    return found == people_.end() || one_in(8) ? anybody() : *found;
}

std::uint64_t tcp_script::serial_of(peer_connection c) const {
    const auto found = world_.addresses.connections.find(static_cast<std::uint32_t>(c));
    return found == world_.addresses.connections.end() ? 0 : found->second.serial;
}

} // namespace turn::test
