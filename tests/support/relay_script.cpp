#include "support/relay_script.hpp"

#include <algorithm>
#include <sstream>

#include "support/script_actors.hpp"

namespace turn::test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t client_count = 40;
constexpr std::size_t peer_count = 16;
constexpr std::uint16_t first_channel = 0x4000;
constexpr std::uint64_t channel_numbers = 12;

/// Everything is scarce, so that every limit is met now and then.
world_options scarce() {
    world_options o;
    o.relay.permissions_per_allocation = 10;
    o.relay.channels_per_allocation = 8;
    o.relay.max_lookups = 6;
    o.relay.max_allocations = 30;
    o.relay.nonce_lifetime = 900s;
    o.relay.credential_timeout = 3s;
    o.relay.unauthenticated_bytes_per_second = 800;
    o.quota = {.total = 28, .per_user = 3};
    o.listeners = {{*transport_address::parse("198.51.100.1:3478"), "example.org"},
                   {*transport_address::parse("[2001:db8:5::1]:3478"), "example.org"},
                   {*transport_address::parse("198.51.100.2:3478"), "elsewhere.example"}};
    o.outbox_datagrams = 5;
    o.batch = 8;
    o.merge = true;
    return o;
}

std::string user_name(std::size_t i) {
    return "user" + std::to_string(i % 8);
}

std::string_view name_of(request_method m) {
    static constexpr std::string_view names[] = {"binding",      "allocate", "refresh",        "create-permission",
                                                 "channel-bind", "connect",  "connection-bind"};
    return names[static_cast<std::size_t>(m)];
}

/// As its key is one of MD5 or of SHA-256.
void sign(message& m) {
    if (!m.wants_signature()) return;
    if (m.key().size == 32)
        m.integrity_sha256();
    else
        m.integrity();
}

/// Spoilt bytes that have become ChannelData go to a channel that nobody binds: their payload could not be checked.
void keep_off_channels(blob& raw) {
    if (!raw.empty() && (raw[0] >> 6) == std::byte{1}) raw[0] |= std::byte{0x10};
}

} // namespace

std::uint64_t byte_choices::below(std::uint64_t bound) {
    std::uint64_t v = 0;
    for (int i = 0; i < 2 && !data_.empty(); ++i) {
        v = v << 8 | std::to_integer<std::uint64_t>(data_.front());
        data_ = data_.subspan(1);
    }
    return v % bound;
}

relay_script::relay_script(choices& c, std::size_t compare_every) : choose_(&c), world_(scarce()) {
    world_.compare_every = compare_every;
    world_.events.remember = false;
    world_.addresses.port_max = static_cast<std::uint16_t>(world_.addresses.port_min + 15);
    world_.conditions.seed = choose_->below(1000) + 1;
    for (std::size_t i = 0; i < client_count; ++i) {
        const listener_options& at = world_.listener(i % 3);
        transport_address where =
            *transport_address::parse(at.local.is_ipv4() ? "192.18.7.1:1000" : "[2001:db8:c::7]:1000");
        where.port = static_cast<std::uint16_t>(1000 + i);
        clients_.push_back(std::make_unique<script_client>(where, at, user_name(i)));
        world_.users.add(user_name(i), {}, at.realm);
        world_.join(*clients_.back());
    }
    for (std::size_t i = 0; i < peer_count; ++i) {
        transport_address where = *transport_address::parse_ip(i % 3 == 2 ? "2a01:5::7" : "25.0.0.7");
        // Some share an address, so that permissions of one serve the other.
        where.ip[where.is_ipv4() ? 3 : 15] = static_cast<std::uint8_t>(i / 2);
        where.port = static_cast<std::uint16_t>(5000 + i);
        peers_.push_back(std::make_unique<script_peer>(where));
        world_.join(*peers_.back());
    }
}

relay_script::~relay_script() = default;

void relay_script::step() {
    struct weight {
        kind what;
        unsigned share;
    };
    static constexpr weight weights[] = {
        {kind::channel_data, 170}, {kind::send_indication, 130},
        {kind::peer_data, 210},    {kind::burst, 20},
        {kind::icmp, 10},          {kind::allocate, 60},
        {kind::refresh, 40},       {kind::create_permission, 70},
        {kind::channel_bind, 70},  {kind::binding, 30},
        {kind::retransmit, 20},    {kind::bad_request, 60},
        {kind::bad_packet, 50},    {kind::time, 50},
        {kind::circumstances, 10},
    };
    std::uint64_t draw = choose_->below(1000);
    kind what = kind::time;
    for (const weight& w : weights) {
        if (draw < w.share) {
            what = w.what;
            break;
        }
        draw -= w.share;
    }
    ++steps_;
    ++by_kind_[static_cast<std::size_t>(what)];
    const std::uint64_t before = successes();
    act(what);
    world_.settle();
    if (successes() > before) ++successful_;
}

void relay_script::finish() {
    world_.conditions.loss = 0;
    world_.conditions.duplication = 0;
    world_.drain();
}

void relay_script::act(kind what) {
    switch (what) {
    case kind::channel_data: {
        script_client& c = client_with_allocation();
        const bool known = !c.channels.empty() && !one_in(20);
        const auto number = known ? c.channels[choose_->below(c.channels.size())].first
                                  : static_cast<std::uint16_t>(first_channel + choose_->below(channel_numbers));
        return world_.send({c.address, c.server, channel_data_message(number, payload(), choose_->below(4)), false});
    }
    case kind::send_indication: {
        script_client& c = client_with_allocation();
        const bool known = !c.permitted.empty() && !one_in(20);
        const auto peer = known ? c.permitted[choose_->below(c.permitted.size())] : any_peer_address(c);
        message m(stun::message_class::indication, stun::method::send, world_.fresh_id());
        if (one_in(10)) m.with<stun::dont_fragment>({});
        m.with<stun::xor_peer_address>(peer).with<stun::data>(payload());
        return world_.send({c.address, c.server, std::move(m.raw()), false});
    }
    case kind::peer_data:
        return peer_sends(1);
    case kind::burst:
        return peer_sends(2 + choose_->below(30));
    case kind::icmp:
        return network_complains();
    case kind::allocate:
        return send_request(any_client(), stun::method::allocate);
    case kind::refresh:
        return send_request(client_with_allocation(), stun::method::refresh);
    case kind::create_permission:
        return send_request(client_with_allocation(), stun::method::create_permission);
    case kind::channel_bind:
        return send_request(client_with_allocation(), stun::method::channel_bind);
    case kind::binding:
        return send_request(any_client(), stun::method::binding);
    case kind::retransmit: {
        script_client& c = any_client();
        if (const auto* last = c.last()) world_.send({c.address, c.server, last->raw, false});
        return;
    }
    case kind::bad_request: {
        static constexpr stun::method methods[] = {stun::method::allocate, stun::method::refresh,
                                                   stun::method::create_permission, stun::method::channel_bind,
                                                   stun::method::binding};
        script_client& c = client_with_allocation();
        message m = compose(c, methods[choose_->below(std::size(methods))]);
        return spoil(c, m);
    }
    case kind::bad_packet:
        return send_bad_packet(any_client());
    case kind::time:
        return pass_time();
    case kind::circumstances:
        return change_circumstances();
    case kind::count_:
        break;
    }
}

/// An Allocate that is refused because one exists teaches nothing: mostly it is asked by those without.
void relay_script::send_request(script_client& c, stun::method method) {
    if (method == stun::method::allocate && !c.relayed.empty() && !one_in(8)) method = stun::method::create_permission;
    message m = compose(c, method);
    const stun::credential_key key = m.key();
    sign(m);
    if (one_in(8)) m.fingerprint();
    c.remember({m.id(), method, key, m.raw(), false});
    world_.send({c.address, c.server, std::move(m.raw()), false});
}

message relay_script::compose(script_client& c, stun::method method) {
    message m(stun::message_class::request, method, world_.fresh_id());
    if (one_in(4)) m.with<stun::software>("a client");
    switch (method) {
    case stun::method::allocate:
        m.with<stun::requested_transport>(stun::requested_transport::udp);
        if (one_in(3)) m.with<stun::lifetime>(std::chrono::seconds(choose_->below(5000)));
        if (one_in(6)) m.with<stun::dont_fragment>({});
        if (c.token && one_in(4)) {
            m.with<stun::reservation_token>(*c.token);
            c.token.reset();
        } else if (one_in(4)) {
            m.with<stun::additional_address_family>(address_family::ipv6);
        } else {
            if (one_in(3))
                m.with<stun::requested_address_family>(one_in(2) ? address_family::ipv6 : address_family::ipv4);
            if (one_in(4)) m.with<stun::even_port>({.reserve_next = one_in(2)});
        }
        break;
    case stun::method::refresh:
        // Mostly longer: a relay without allocations is a dull place.
        if (one_in(12)) {
            m.with<stun::lifetime>(0s);
        } else if (one_in(2)) {
            m.with<stun::lifetime>(std::chrono::seconds(choose_->below(5000)));
        }
        if (c.relayed.size() > 1 && one_in(2))
            m.with<stun::requested_address_family>(c.relayed[choose_->below(c.relayed.size())].family);
        break;
    case stun::method::create_permission:
        for (auto n = 1 + choose_->below(3); n > 0; --n) m.with<stun::xor_peer_address>(any_peer_address(c));
        break;
    case stun::method::channel_bind: {
        const bool again = !c.channels.empty() && !one_in(3);
        const auto bound = again
                               ? c.channels[choose_->below(c.channels.size())]
                               : std::pair(static_cast<std::uint16_t>(first_channel + choose_->below(channel_numbers)),
                                           any_peer_address(c));
        m.with<stun::channel_number>(bound.first).with<stun::xor_peer_address>(bound.second);
        break;
    }
    default:
        return m;
    }
    const auto& known = world_.users.known.at({c.realm, c.username});
    // Of the users, half know RFC 8489, and half of either hide their names.
    const int number = c.username.back() - '0';
    const auto algorithm =
        number % 2 != 0 ? stun::password_algorithm_number::sha256 : stun::password_algorithm_number::md5;
    const bool hidden = number / 2 % 2 != 0;
    const auto key = stun::long_term_key(algorithm, c.username, c.realm, known.password);
    if (c.nonce.empty()) return m;
    m.credentials(hidden ? "" : c.username, c.realm, c.nonce, *key);
    if (hidden) m.with<stun::userhash>(*stun::hash_username(c.username, c.realm));
    if (algorithm == stun::password_algorithm_number::sha256)
        m.with<stun::password_algorithms>(both_algorithms).with<stun::password_algorithm>({algorithm});
    return m;
}

/// One thing is wrong, or several.
void relay_script::spoil(script_client& c, message& m) {
    const stun::credential_key right = m.key();
    const auto wrong_key = *stun::long_term_key(c.username, c.realm, "guess");
    const std::uint64_t how = choose_->below(12);
    switch (how) {
    case 0:
        m.integrity(wrong_key);
        break;
    case 1: // half of the credentials
        m = message(stun::message_class::request, stun::method::allocate, world_.fresh_id());
        m.credentials(one_in(2) ? c.username : "", one_in(2) ? c.realm : "", one_in(2) ? c.nonce : "", right);
        m.integrity(right);
        break;
    case 2: // nobody knows this user
        m = message(stun::message_class::request, stun::method::refresh, world_.fresh_id());
        m.credentials("mallory", c.realm, c.nonce, wrong_key).integrity();
        break;
    case 3:
        m = message(stun::message_class::request, stun::method::refresh, world_.fresh_id());
        m.credentials(c.username, "not.this.realm", c.nonce, right).integrity();
        break;
    case 4: { // a nonce of our own making, or another client's
        const std::string other = one_in(2) ? any_client().nonce : std::string(32, 'A');
        m = message(stun::message_class::request, stun::method::refresh, world_.fresh_id());
        m.credentials(c.username, c.realm, other, right).integrity();
        break;
    }
    case 5: // a comprehension-required attribute of the future
        m.attribute(static_cast<std::uint16_t>(0x7000 + choose_->below(0x100)), "what");
        break;
    case 6: // a value that is not allowed, or an attribute that does not belong
        if (one_in(3)) {
            m = message(stun::message_class::request, stun::method::allocate, world_.fresh_id());
            m.with<stun::requested_transport>(6).credentials(c.username, c.realm, c.nonce, right);
            break;
        }
        m.attribute(static_cast<std::uint16_t>(choose_->below(0x30)), std::string(choose_->below(24), 'x'));
        break;
    case 7: { // a peer nobody may reach
        static constexpr std::string_view forbidden[] = {"127.0.0.1:9", "10.1.2.3:9",        "[::1]:9",
                                                         "[fe80::1]:9", "198.51.100.1:3478", "[::ffff:25.0.0.1]:9",
                                                         "0.0.0.0:9"};
        m.with<stun::xor_peer_address>(*transport_address::parse(forbidden[choose_->below(std::size(forbidden))]));
        break;
    }
    case 8: // behind the signature nothing counts
        sign(m);
        m.with<stun::xor_peer_address>(any_peer_address());
        break;
    case 9:
        sign(m);
        m.fingerprint(1);
        break;
    default:
        break;
    }
    sign(m);
    if (how >= 10) {
        blob& raw = m.raw();
        for (auto flips = 1 + choose_->below(4); flips > 0; --flips)
            raw[choose_->below(raw.size())] ^= std::byte(1U << choose_->below(8));
        keep_off_channels(raw);
    }
    c.remember({m.id(), m.method(), right, m.raw(), true});
    world_.send({c.address, c.server, std::move(m.raw()), false});
}

void relay_script::send_bad_packet(script_client& c) {
    blob raw;
    switch (choose_->below(5)) {
    case 0: // noise
        raw.resize(choose_->below(64));
        for (auto& b : raw) b = std::byte(choose_->below(256));
        keep_off_channels(raw);
        break;
    case 1: { // any class, any method
        static constexpr stun::message_class classes[] = {stun::message_class::request, stun::message_class::indication,
                                                          stun::message_class::success_response,
                                                          stun::message_class::error_response};
        message m(classes[choose_->below(4)], stun::method(choose_->below(0x20)), world_.fresh_id());
        if (one_in(2)) m.with<stun::xor_peer_address>(any_peer_address());
        if (one_in(2)) m.with<stun::data>(payload());
        raw = std::move(m.raw());
        break;
    }
    case 2: // ChannelData that claims more than it has
        raw = channel_data_message(static_cast<std::uint16_t>(first_channel + choose_->below(0x4000)), payload());
        raw.resize(choose_->below(raw.size() + 1));
        break;
    case 3: { // a length field that lies
        message m(stun::message_class::request, stun::method::binding, world_.fresh_id());
        m.with<stun::software>("x");
        m.raw()[3] ^= std::byte(1U << choose_->below(8));
        raw = std::move(m.raw());
        break;
    }
    default: // data for nobody from a stranger
        raw = channel_data_message(first_channel, payload());
        return world_.send({c.address.with_port(static_cast<std::uint16_t>(9000 + choose_->below(50))), c.server,
                            std::move(raw), false});
    }
    world_.send({c.address, c.server, std::move(raw), false});
}

void relay_script::peer_sends(std::size_t copies) {
    script_client& c = client_with_allocation();
    const bool known = !c.permitted.empty() && !one_in(12);
    transport_address from = known ? c.permitted[choose_->below(c.permitted.size())] : any_peer_address(c);
    if (one_in(20)) from.port = static_cast<std::uint16_t>(choose_->below(65536)); // permissions ignore ports
    transport_address to = world_.addresses.ipv4.with_port(world_.addresses.port_min);
    for (const auto& r : c.relayed)
        if (r.family == from.family || one_in(20)) to = r;
    if (to.family != from.family) return;
    const blob data = payload();
    for (; copies > 0; --copies) world_.send({from, to, copies == 1 ? payload() : data, false});
}

/// Of datagrams that were sent, and of some that never were.
void relay_script::network_complains() {
    script_client& c = client_with_allocation();
    const bool known = !c.permitted.empty() && !one_in(12);
    const transport_address peer = known ? c.permitted[choose_->below(c.permitted.size())] : any_peer_address(c);
    transport_address relayed = world_.addresses.ipv4.with_port(world_.addresses.port_min);
    for (const auto& r : c.relayed)
        if (r.family == peer.family) relayed = r;
    const auto type = static_cast<std::uint8_t>(one_in(8) ? choose_->below(128) : peer.is_ipv4() ? 3 : 1);
    world_.icmp(relayed, peer, type, static_cast<std::uint8_t>(choose_->below(16)),
                static_cast<std::uint32_t>(choose_->below(1500)));
}

/// Slowly as a rule, so that what was granted is used; and now and then past everything that expires.
void relay_script::pass_time() {
    static constexpr std::chrono::milliseconds spans[] = {0ms,  1ms,   1ms,   5ms,   5ms,   20ms,  20ms,  20ms,
                                                          50ms, 100ms, 100ms, 200ms, 200ms, 500ms, 500ms, 1s};
    auto span = spans[choose_->below(std::size(spans))];
    if (one_in(50)) span = one_in(3) ? 20s : 3s;
    if (one_in(1000)) span = one_in(4) ? 3601s : 301s;
    world_.pass(span);
}

/// What breaks here is mended soon: each call mends most of what earlier ones broke.
void relay_script::change_circumstances() {
    world_.users.silent = false;
    world_.users.delay.reset();
    world_.addresses.descriptors = 1000;
    world_.addresses.has_ipv6 = true;
    for (auto& [who, user] : world_.users.known) user.refused = reason::none;
    world_.conditions = {.seed = world_.conditions.seed};

    script_client& c = any_client();
    auto& user = world_.users.known.at({c.realm, c.username});
    switch (choose_->below(10)) {
    case 0:
        world_.conditions.loss = 0.05;
        break;
    case 1:
        world_.conditions.duplication = 0.05;
        break;
    case 2:
        world_.conditions.delay = std::chrono::milliseconds(choose_->below(200));
        world_.conditions.jitter = std::chrono::milliseconds(choose_->below(200));
        break;
    case 3:
        world_.users.delay = std::chrono::milliseconds(choose_->below(4000));
        break;
    case 4:
        world_.users.silent = one_in(3);
        break;
    case 5:
        world_.addresses.descriptors = 10;
        break;
    case 6:
        world_.addresses.has_ipv6 = false;
        break;
    case 7:
        user.refused = one_in(2) ? reason::expired : reason::credential_source_failed;
        break;
    case 8: // what is allocated lives on with the old password, so its owner starts afresh
        world_.end_allocations_of(c.realm, c.username);
        user.password = user.password.size() > 40 ? password_of(c.username) : user.password + "!";
        break;
    default: // a quiet time
        break;
    }
}

script_client& relay_script::any_client() {
    return *clients_[choose_->below(clients_.size())];
}

/// Somebody who believes to have an allocation, when there is one.
script_client& relay_script::client_with_allocation() {
    const std::size_t first = choose_->below(clients_.size());
    for (std::size_t i = 0; i < clients_.size(); ++i) {
        script_client& c = *clients_[(first + i) % clients_.size()];
        if (!c.relayed.empty()) return c;
    }
    return *clients_[first];
}

transport_address relay_script::any_peer_address() {
    return peers_[choose_->below(peers_.size())]->address;
}

/// Mostly of a family that the client's allocation relays.
transport_address relay_script::any_peer_address(const script_client& c) {
    const std::size_t first = choose_->below(peers_.size());
    if (one_in(25)) return peers_[first]->address;
    for (std::size_t i = 0; i < peers_.size(); ++i) {
        const transport_address& p = peers_[(first + i) % peers_.size()]->address;
        for (const auto& r : c.relayed)
            if (r.family == p.family) return p;
    }
    return peers_[first]->address;
}

std::uint64_t relay_script::successes() const {
    const auto& c = world_.counters();
    std::uint64_t sum = c.relayed[0].packets.value() + c.relayed[1].packets.value();
    for (const auto& row : c.requests) sum += row[static_cast<std::size_t>(request_result::success)].value();
    return sum + c.icmp.relayed.value();
}

blob relay_script::payload() {
    std::size_t size = choose_->below(200);
    if (one_in(10)) size = 900 + choose_->below(600);
    if (one_in(2000))
        size = one_in(2) ? 16'000 + choose_->below(49'000) : 65'400 + choose_->below(108); // what UDP carries
    return checkable_payload(++payloads_, size);
}

std::string relay_script::report() const {
    static constexpr std::string_view kinds[] = {
        "channel data", "send indication", "peer data",         "burst",        "icmp",
        "allocate",     "refresh",         "create permission", "channel bind", "binding",
        "retransmit",   "bad request",     "bad packet",        "time",         "circumstances"};
    static_assert(std::size(kinds) == static_cast<std::size_t>(kind::count_));
    const auto& c = world_.counters();
    std::ostringstream out;
    out << steps_ << " steps, " << successful_ << " successful\nsteps:";
    for (std::size_t i = 0; i < by_kind_.size(); ++i) out << " " << kinds[i] << " " << by_kind_[i] << ",";
    for (std::size_t m = 0; m < c.requests.size(); ++m) {
        const auto& row = c.requests[m];
        out << "\n"
            << name_of(static_cast<request_method>(m)) << ": success " << row[0].value() << ", challenged "
            << row[1].value() << ", refused " << row[2].value();
    }
    out << "\nrelayed: up " << c.relayed[0].packets.value() << ", down " << c.relayed[1].packets.value()
        << "; absorbed " << c.absorbed.value() << "; allocations created " << c.allocations_created.value();
    const auto by_reason = [&](std::string_view title, const std::array<counter, reason_count>& row) {
        out << "\n" << title << ":";
        for (std::size_t i = 0; i < row.size(); ++i)
            if (row[i].value() != 0) out << " " << name(static_cast<reason>(i)) << " " << row[i].value() << ",";
    };
    by_reason("refused", c.refused);
    by_reason("dropped up", c.dropped[0]);
    by_reason("dropped down", c.dropped[1]);
    out << "\nICMP: told " << c.icmp.relayed.value();
    by_reason("ICMP not told", c.icmp.dropped);
    return out.str();
}

} // namespace turn::test
