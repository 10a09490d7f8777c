#include "support/world.hpp"

#include <algorithm>
#include <tuple>

#include "turn/channel_data.hpp"

namespace turn::test {
namespace {

using namespace std::chrono_literals;

/// Far from zero, so that a time of zero in the relay would show.
constexpr time_point start_of_time{std::chrono::hours(1000)};
/// More rounds at one moment than any story needs: something answers itself.
constexpr int too_many_rounds = 1'000'000;
constexpr stun::nonce_secret test_secret{std::byte{42}, std::byte{7}};

std::vector<listener_options> default_listeners() {
    return {{*transport_address::parse("198.51.100.1:3478"), "example.org"},
            {*transport_address::parse("[2001:db8:5::1]:3478"), "example.org"}};
}

world_options with_listeners(world_options o) {
    if (o.listeners.empty()) o.listeners = default_listeners();
    return o;
}

/// What a server does with its own addresses: RFC 8656, 21.1.4 and operations.md.
relay_options with_own_addresses(relay_options o, const std::vector<listener_options>& listeners,
                                 const fake_addresses& addresses) {
    for (const auto& l : listeners) o.peers.own_services.push_back(l.local);
    o.peers.own_relays = {addresses.ipv4, addresses.ipv6};
    o.peers.relay_port_min = addresses.port_min;
    o.peers.relay_port_max = addresses.port_max;
    return o;
}

/// A request must be handed over alone, so that the model sees its answer before the next packet.
bool is_request(bytes datagram) {
    if (datagram.size() < 2) return false;
    const auto type = std::to_integer<unsigned>(datagram[0]) << 8 | std::to_integer<unsigned>(datagram[1]);
    return type < 0x4000 && (type & 0x0110) == 0;
}

} // namespace

std::string password_of(std::string_view name) {
    return std::string(name) + "'s password";
}

user_directory::user& user_directory::add(std::string_view name, std::string_view password, std::string_view realm) {
    user& u = known[{std::string(realm), std::string(name)}];
    u.password = password.empty() ? password_of(name) : std::string(password);
    return u;
}

void user_directory::remove(std::string_view name, std::string_view realm) {
    known.erase({std::string(realm), std::string(name)});
}

credential_answer user_directory::look_up(const credential_question& q) const {
    const auto is_meant = [&](const auto& entry) {
        const auto& [realm, name] = entry.first;
        if (realm != q.realm) return false;
        return q.userhash ? *stun::hash_username(name, realm) == *q.userhash : name == q.username;
    };
    const auto found = std::ranges::find_if(known, is_meant);
    if (found == known.end()) return reason::unknown_user;
    const std::string& name = found->first.second;
    const user& u = found->second;
    if (u.refused != reason::none) return {u.refused, u.expired_for};
    const auto key = stun::long_term_key(q.algorithm, name, q.realm, u.password);
    if (!key) return reason::credential_source_failed;
    return credential{*key, u.account, u.allocation_limit, {}, name};
}

world::world(relay_options o) : world(world_options{.relay = std::move(o)}) {}

world::world(world_options given)
    : conditions(network_.conditions), now_(start_of_time), listeners_(with_listeners(given).listeners),
      batch_(given.batch), merge_(given.merge), quota_(given.quota), model_(given.relay),
      relay_(with_own_addresses(given.relay, listeners_, addresses), {addresses, quota_, &events}, test_secret),
      out_(given.outbox_datagrams) {
    for (std::size_t i = 0; i < listeners_.size(); ++i)
        relay_.add_listener(socket_id{static_cast<std::uint32_t>(i)}, listeners_[i]);
    addresses.first_socket_id = static_cast<std::uint32_t>(listeners_.size());
}

world::~world() = default;

void world::pass(std::chrono::milliseconds duration) {
    const time_point until = now_ + duration;
    settle();
    for (time_point next = next_event(); next <= until; next = next_event()) {
        now_ = std::max(now_, next);
        settle();
    }
    now_ = until;
    settle();
}

void world::settle() {
    for (int rounds = 0;; ++rounds) {
        if (rounds > too_many_rounds) throw invariant_violation("the world does not come to rest");
        bool busy = deliver();
        busy |= answer_lookups();
        tick_relay();
        check();
        busy |= tick_clients();
        if (!busy) return;
    }
}

bool world::run_until(const std::function<bool()>& done, std::chrono::milliseconds limit) {
    const time_point until = now_ + limit;
    settle();
    while (!done()) {
        const time_point next = next_event();
        if (next > until) {
            now_ = until;
            settle();
            return done();
        }
        now_ = std::max(now_, next);
        settle();
    }
    return true;
}

void world::drain() {
    settle();
    relay_.stop_accepting();
    for (int rounds = 0; relay_.end_all_allocations(now_, out_); ++rounds) {
        if (rounds > too_many_rounds) throw invariant_violation("a drain that never ends");
        carry_out();
    }
    carry_out();
    check();
    pass(60s); // longer than any look-up or reservation
    check_nothing_left(relay_.counters(), addresses, quota_, now_);
}

void world::stop_accepting() {
    relay_.stop_accepting();
}

void world::end_allocations_of(std::string_view realm, std::string_view user) {
    while (relay_.end_allocations_of(realm, user, now_, out_)) carry_out();
    carry_out();
    check();
}

void world::reconfigure(const relay_options& wanted) {
    const relay_options o = with_own_addresses(wanted, listeners_, addresses);
    relay_.reconfigure(o);
    for (allocation_cursor at; !at.done;) relay_.judge_peers_again(at, 1, now_, out_);
    model_.judge_peers_again(o.peers);
    check();
}

bool world::end_allocation(allocation_id id) {
    bool ended = false;
    for (allocation_cursor at; !at.done && !ended;) ended = relay_.end_allocation(id, at, 1, now_, out_);
    carry_out();
    check();
    return ended;
}

std::vector<allocation_report> world::reports(const allocation_filter& filter) const {
    std::vector<allocation_report> found;
    for (allocation_cursor at; !at.done;) relay_.report(filter, at, 3, found.max_size(), now_, found);
    return found;
}

std::uint64_t world::dropped(direction way, reason why) const {
    return counters().dropped.at(static_cast<std::size_t>(way)).at(static_cast<std::size_t>(why)).value();
}

std::uint64_t world::refused(reason why) const {
    return counters().refused.at(static_cast<std::size_t>(why)).value();
}

std::uint64_t world::requests(request_method method, request_result how) const {
    return counters().requests.at(static_cast<std::size_t>(method)).at(static_cast<std::size_t>(how)).value();
}

void world::handle_batch(std::span<const packet> batch) {
    modelled_ = false;
    handle(batch);
    settle();
}

std::optional<socket_id> world::socket_of(const transport_address& address) const {
    for (std::size_t i = 0; i < listeners_.size(); ++i)
        if (listeners_[i].local == address) return socket_id{static_cast<std::uint32_t>(i)};
    return addresses.socket_at(address);
}

void world::join(endpoint& e) {
    if (!endpoints_.emplace(e.address, &e).second) throw std::logic_error("two actors at " + e.address.to_string());
    if (e.has_clock()) clocked_.push_back(&e);
}

void world::leave(endpoint& e) {
    endpoints_.erase(e.address);
    std::erase(clocked_, &e);
}

stun::transaction_id world::fresh_id() {
    stun::transaction_id id{};
    const std::uint64_t serial = ++ids_given_;
    for (std::size_t i = 0; i < 8; ++i) id[i + 4] = std::byte(serial >> (56 - 8 * i) & 0xff);
    return id;
}

time_point world::next_event() const {
    time_point next = std::min(network_.next_arrival(), relay_.next_deadline());
    for (const auto& l : lookups_) next = std::min(next, l.due);
    for (const endpoint* e : clocked_) next = std::min(next, e->next_deadline());
    return next;
}

bool world::deliver() {
    std::vector<incoming> batch;
    bool any = false;
    for (flight f; network_.arrived(now_, f);) {
        any = true;
        if (const auto it = endpoints_.find(f.to); it != endpoints_.end()) {
            it->second->arrived(f);
            continue;
        }
        const bool from_client = listener_at(f.to) != nullptr;
        const auto via = socket_of(f.to);
        if (!via) continue; // a closed port: the kernel answers, not the relay
        const bool alone = from_client && is_request(f.data);
        if (alone || batch.size() >= batch_) hand_over(batch);
        batch.push_back({std::move(f), *via, from_client});
        if (alone) hand_over(batch);
    }
    hand_over(batch);
    return any;
}

void world::hand_over(std::vector<incoming>& batch) {
    if (batch.empty()) return;
    std::array<std::size_t, 2> expected{};
    for (const auto& i : batch) {
        if (!modelled_) break;
        const flight& f = i.datagram;
        if (i.from_client) {
            model_.request_arrived(f.to, f.from, f.data, now_);
            expected[0] += model_.must_go_up(f.to, f.from, f.data, now_) ? 1 : 0;
        } else {
            expected[1] += model_.must_go_down(f.to, f.from, f.data, now_) ? 1 : 0;
        }
    }
    const auto over_bandwidth = [&](direction way) { return dropped(way, reason::bandwidth); };
    const std::array before{over_bandwidth(direction::up), over_bandwidth(direction::down)};
    std::deque<blob> trains;
    const auto packets = packets_of(batch, trains);
    handle(packets);
    for (const std::size_t way : {0U, 1U})
        if (left_in_this_call_[way] + over_bandwidth(direction(way)) - before[way] < expected[way])
            throw invariant_violation(way == 0 ? "ChannelData on a bound channel was not relayed"
                                               : "a datagram from a permitted peer was not relayed");
    batch.clear();
}

/// One packet each, or trains of equal neighbours as GRO makes them: the last of a train may be shorter.
std::vector<packet> world::packets_of(std::vector<incoming>& batch, std::deque<blob>& trains) {
    std::vector<packet> packets;
    bool closed = true; // nothing may join the last train
    for (const auto& i : batch) {
        const flight& f = i.datagram;
        packet* last = packets.empty() ? nullptr : &packets.back();
        if (merge_ && last != nullptr && last->via == i.via && last->from == f.from && !f.data.empty() &&
            last->traffic_class == f.traffic_class) {
            const std::size_t first = last->stride != 0 ? last->stride : last->data.size();
            if ((!closed || last->stride == 0) && f.data.size() <= first && first > 0 &&
                last->data.size() + f.data.size() <= 0xffff) {
                if (last->stride == 0) trains.push_back(to_blob(last->data));
                trains.back().insert(trains.back().end(), f.data.begin(), f.data.end());
                last->data = trains.back();
                last->stride = static_cast<std::uint16_t>(first);
                closed = f.data.size() < first;
                continue;
            }
        }
        packets.push_back({i.via, f.from, f.data, 0, f.traffic_class});
        closed = false;
    }
    return packets;
}

void world::handle(std::span<const packet> batch) {
    for (const packet& p : batch) {
        const bool from_client = static_cast<std::size_t>(p.via) < listeners_.size();
        tally::traffic& t = from_client ? tally_.from_clients : tally_.from_peers;
        t.packets += p.segments();
        t.bytes += p.data.size();
    }
    left_in_this_call_ = {};
    for (batch_cursor at; at.packet < batch.size();) {
        const batch_cursor before = at;
        relay_.handle(batch, at, now_, out_);
        if (std::tie(at.packet, at.segment) == std::tie(before.packet, before.segment) && out_.empty())
            throw invariant_violation("relay::handle() makes no progress");
        carry_out();
    }
    ++steps_;
    check_books(relay_.counters(), tally_);
}

void world::icmp(const transport_address& relayed, const transport_address& peer, std::uint8_t type, std::uint8_t code,
                 std::uint32_t mtu) {
    ++tally_.icmp_errors;
    relay_.icmp_arrived({socket_of(relayed).value_or(no_socket), peer, type, code, mtu}, now_, out_);
    carry_out();
    check_books(relay_.counters(), tally_);
    settle();
}

bool world::answer_lookups() {
    bool any = false;
    for (std::size_t i = 0; i < lookups_.size();) {
        if (lookups_[i].due > now_) {
            ++i;
            continue;
        }
        waiting_lookup l = lookups_[i];
        l.question.username = l.name;
        l.question.realm = l.realm;
        lookups_.erase(lookups_.begin() + static_cast<std::ptrdiff_t>(i));
        relay_.credential_found(l.ticket, users.look_up(l.question), now_, out_);
        carry_out();
        check_books(relay_.counters(), tally_);
        any = true;
    }
    return any;
}

void world::tick_relay() {
    while (relay_.next_deadline() <= now_) {
        const time_point before = relay_.next_deadline();
        relay_.tick(now_, out_);
        if (out_.empty() && relay_.next_deadline() == before)
            throw invariant_violation("relay::tick() makes no progress");
        carry_out();
    }
}

bool world::tick_clients() {
    bool any = false;
    for (std::size_t i = 0; i < clocked_.size(); ++i) {
        if (clocked_[i]->next_deadline() > now_) continue;
        clocked_[i]->tick();
        any = true;
    }
    return any;
}

void world::carry_out() {
    for (const auto& e : events.unseen_)
        if (modelled_) model_.ended(e.what.client, e.what.server, e.how, now_);
    events.unseen_.clear();
    for (const datagram& d : out_.datagrams()) leave_relay(d);
    for (const order& o : out_.orders()) {
        if (const auto* close = std::get_if<close_socket>(&o)) {
            if (!addresses.close(close->id)) throw invariant_violation("the relay closed a socket that is not open");
        } else if (const auto* wanted = std::get_if<credential_wanted>(&o)) {
            ++users.lookups;
            users.asked_by_hash += wanted->question.userhash ? 1 : 0;
            users.last_algorithm = wanted->question.algorithm;
            const auto due = users.silent ? time_point::max() : now_ + users.delay.value_or(0ms);
            if (due != time_point::max())
                lookups_.push_back({due, wanted->ticket, std::string(wanted->question.username),
                                    std::string(wanted->question.realm), wanted->question});
        }
    }
    out_.clear();
}

void world::leave_relay(const datagram& d) {
    blob whole = to_blob(d.head);
    whole.insert(whole.end(), d.body.begin(), d.body.end());
    whole.resize(whole.size() + d.pad);

    const auto index = static_cast<std::size_t>(d.via);
    const bool to_client = index < listeners_.size();
    const auto relayed = addresses.address_of(d.via);
    if (!to_client && !relayed) throw invariant_violation("a datagram leaves through a socket that is closed");
    if (to_client == (d.way == direction::up)) throw invariant_violation("a datagram leaves in the wrong direction");
    const transport_address& from = to_client ? listeners_[index].local : *relayed;

    if (d.way == direction::control) {
        const auto answer = stun::message_view::parse(whole);
        const bool told = answer && answer->method() == stun::method::data;
        if (told) ++tally_.icmp_told;
        const auto row = answer ? counted_as(answer->method()) : request_method::count_;
        if (row == request_method::count_ && !told) throw invariant_violation("an answer that is not well-formed");
        if (!told) {
            auto& counted = tally_.answered[static_cast<std::size_t>(row)];
            ++(answer->cls() == stun::message_class::success_response ? counted.success : counted.error);
        }
    } else {
        auto& t = tally_.relayed[static_cast<std::size_t>(d.way)];
        ++t.packets;
        t.bytes += d.body.size();
        ++left_in_this_call_[static_cast<std::size_t>(d.way)];
        if (d.way == direction::up && (!d.head.empty() || d.pad != 0))
            throw invariant_violation("a peer gets more than the application's bytes");
    }
    if (modelled_ && to_client) model_.left_for_client(from, d.to, whole, d.way, now_);
    if (modelled_ && !to_client) model_.left_for_peer(from, d.to, now_);
    network_.send({from, d.to, std::move(whole), d.dont_fragment, d.traffic_class}, now_);
}

void world::check() {
    check_books(relay_.counters(), tally_);
    if (!modelled_ || compare_every == 0 || steps_ % compare_every != 0) return;
    model_.forget_expired(now_);
    check_holdings(relay_.counters(), model_, addresses, quota_, now_);
}

const listener_options* world::listener_at(const transport_address& address) const {
    for (const auto& l : listeners_)
        if (l.local == address) return &l;
    return nullptr;
}

void recording_observer::allocation_created(const allocation_info& i) noexcept {
    if (!remember) allocations_created.clear();
    allocations_created.push_back(
        {i.id, i.client, i.server, i.relayed, i.relayed_additional, std::string(i.username), std::string(i.realm)});
}

void recording_observer::allocation_ended(const allocation_info& i, const usage& use, allocation_end how) noexcept {
    if (!remember) allocations_ended.clear();
    const created what{
        i.id, i.client, i.server, i.relayed, i.relayed_additional, std::string(i.username), std::string(i.realm)};
    allocations_ended.push_back({what, use, how, {i.peers.begin(), i.peers.end()}});
    unseen_.push_back(allocations_ended.back());
}

void recording_observer::request_refused(const refusal& r) noexcept {
    if (!remember) requests_refused.clear();
    requests_refused.push_back({r.client, r.method, r.code, r.why, std::string(r.username), std::string(r.realm),
                                std::string(r.rule), r.peer, r.expired_for, r.allocation, r.authenticated});
}

bool recording_observer::may_reach(const allocation_info&, const transport_address& peer) noexcept {
    return !peers_allowed || peers_allowed(peer);
}

} // namespace turn::test
