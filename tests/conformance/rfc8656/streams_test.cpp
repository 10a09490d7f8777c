/// Clients that come by connections (TCP, TLS, DTLS): RFC 8656, 2.1, 3.1 and 12.5; RFC 7350. What a relay does with
/// them, without any socket.

#include <doctest/doctest.h>

#include "support/fake_addresses.hpp"
#include "support/wire.hpp"
#include "turn/channel_data.hpp"
#include "turn/relay.hpp"

using namespace std::chrono_literals;

namespace turn::test {

namespace {

using texts = std::vector<std::string>;

/// A relay that asks for no credentials unless told to, with listeners for UDP, TCP and DTLS, and Bob, a peer.
struct story {
    static constexpr socket_id udp{0};
    static constexpr socket_id tcp = stream_id(7);
    static constexpr socket_id dtls = dtls_id(7); // the ids of each kind count by themselves

    fake_addresses addresses{};
    allocation_quota quota{{.total = 100, .per_user = 0}};
    relay it;
    listener_id over_tcp{}, over_dtls{};
    outbox out{64};
    time_point now = time_point() + 1h;
    transport_address ann = *transport_address::parse("192.0.2.1:40000");
    transport_address bob = *transport_address::parse("198.51.100.20:5000");
    std::vector<datagram> sent{};             ///< since the last step
    std::vector<blob> bodies{};               ///< of those, head and body and padding
    std::vector<connection_claimed> claims{}; ///< ever
    std::vector<ticket_id> asked{};           ///< ever

    explicit story(relay_options o = {.anonymous = true})
        : it(with_bob_allowed(std::move(o)), {addresses, quota}, stun::make_nonce_secret()) {
        const auto local = *transport_address::parse("198.51.100.1:3478");
        it.add_listener(udp, {local, "example.org"});
        over_tcp = it.add_stream_listener({local, "example.org", transport::tcp});
        over_dtls = it.add_stream_listener({local, "example.org", transport::dtls});
    }
    static relay_options with_bob_allowed(relay_options o) {
        o.peers.allow = {*address_prefix::parse("198.51.100.0/24")};
        return o;
    }
    void carry_out() {
        sent.clear();
        bodies.clear();
        for (const auto list : {out.datagrams(), out.frames()})
            for (const datagram& d : list) {
                CHECK(is_connection(d.via) == (list.data() == out.frames().data()));
                sent.push_back(d);
                blob all = to_blob(d.head);
                all.insert(all.end(), d.body.begin(), d.body.end());
                all.resize(all.size() + d.pad);
                bodies.push_back(std::move(all));
            }
        for (const order& o : out.orders()) {
            if (const auto* c = std::get_if<connection_claimed>(&o)) claims.push_back(*c);
            if (const auto* c = std::get_if<credential_wanted>(&o)) asked.push_back(c->ticket);
            if (const auto* c = std::get_if<close_socket>(&o)) CHECK(addresses.close(c->id));
        }
        out.clear();
    }
    void arrives(socket_id via, const transport_address& from, bytes data) {
        const packet p{via, from, data, 0};
        batch_cursor at;
        it.handle({&p, 1}, at, now, out);
        carry_out();
    }
    message request(stun::method m) const {
        stun::transaction_id id{};
        id[0] = std::byte{static_cast<unsigned char>(m)};
        return {stun::message_class::request, m, id};
    }
    transport_address allocate(socket_id via) {
        arrives(via, ann, request(stun::method::allocate).with<stun::requested_transport>(17).view());
        REQUIRE(bodies.size() == 1);
        return *stun::message_view::parse(bodies[0])->get<stun::xor_relayed_address>();
    }
    void bind_channel(socket_id via) {
        auto m = request(stun::method::channel_bind);
        arrives(via, ann, m.with<stun::channel_number>(0x4000).with<stun::xor_peer_address>(bob).view());
        REQUIRE(bodies.size() == 1);
    }
    void bob_says(const transport_address& relayed, std::string_view text) {
        const blob data = to_blob(text);
        arrives(*addresses.socket_at(relayed), bob, data);
    }
    std::uint64_t dropped(direction way, reason why) const {
        return it.counters().dropped[static_cast<std::size_t>(way)][static_cast<std::size_t>(why)].value();
    }
};

} // namespace

TEST_CASE("RFC 8656 12.5: ChannelData and Data indications to a stream are padded, ChannelData to UDP is not") {
    story s;
    REQUIRE(s.it.connected(story::tcp, s.over_tcp));
    for (const auto via : {story::udp, story::tcp}) {
        const auto relayed = s.allocate(via);
        auto permit = s.request(stun::method::create_permission);
        s.arrives(via, s.ann, permit.with<stun::xor_peer_address>(s.bob).view());
        s.bob_says(relayed, "12345");
        REQUIRE(s.sent.size() == 1);
        CHECK(s.sent[0].via == via);
        CHECK(s.sent[0].size() % 4 == 0); // attributes are padded everywhere
        s.bind_channel(via);
        for (const std::string_view text : {"", "1", "12", "123", "1234", "12345"}) {
            s.bob_says(relayed, text);
            REQUIRE(s.sent.size() == 1);
            const std::size_t whole = 4 + text.size();
            CHECK(s.sent[0].size() == (via == story::tcp ? (whole + 3) / 4 * 4 : whole));
            CHECK(channel_data::parse(s.bodies[0])->payload.size() == text.size());
        }
    }
}

TEST_CASE("RFC 8656 15: from a stream to peers DF is as DONT-FRAGMENT says over IPv6 too, and DSCP and ECN are unset") {
    story s;
    REQUIRE(s.it.connected(story::tcp, s.over_tcp));
    auto both = s.request(stun::method::allocate).with<stun::requested_transport>(17);
    s.arrives(story::tcp, s.ann, both.with<stun::additional_address_family>(address_family::ipv6).view());
    const transport_address six = *transport_address::parse("[2a01:5::7]:5000");
    auto permit = s.request(stun::method::create_permission).with<stun::xor_peer_address>(s.bob);
    s.arrives(story::tcp, s.ann, permit.with<stun::xor_peer_address>(six).view());
    for (const transport_address& peer : {s.bob, six})
        for (const bool whole : {true, false}) {
            auto m = message(stun::message_class::indication, stun::method::send, {});
            if (whole) m.with<stun::dont_fragment>({});
            s.arrives(story::tcp, s.ann, m.with<stun::xor_peer_address>(peer).with<stun::data>(to_blob("x")).view());
            REQUIRE(s.sent.size() == 1);
            CHECK(s.sent[0].to == peer);
            CHECK(s.sent[0].dont_fragment == whole);
            CHECK(s.sent[0].traffic_class == 0);
        }
}

TEST_CASE("RFC 8656 16: ICMP about a peer is told to a client on a stream") {
    story s;
    REQUIRE(s.it.connected(story::tcp, s.over_tcp));
    const auto relayed = s.allocate(story::tcp);
    auto permit = s.request(stun::method::create_permission);
    s.arrives(story::tcp, s.ann, permit.with<stun::xor_peer_address>(s.bob).view());
    s.it.icmp_arrived({*s.addresses.socket_at(relayed), s.bob, 3, 1}, s.now, s.out);
    s.carry_out();
    REQUIRE(s.sent.size() == 1);
    CHECK(s.sent[0].via == story::tcp);
    CHECK(stun::message_view::parse(s.bodies[0])->get<stun::icmp>()->code == 1);
}

TEST_CASE("RFC 8656 12.5: over DTLS every message is a datagram: ChannelData is not padded") {
    story s;
    REQUIRE(s.it.connected(story::dtls, s.over_dtls));
    const auto relayed = s.allocate(story::dtls);
    s.bind_channel(story::dtls);
    for (const std::string_view text : {"", "1", "12", "123", "1234"}) {
        s.bob_says(relayed, text);
        REQUIRE(s.sent.size() == 1);
        CHECK(s.sent[0].via == story::dtls);
        CHECK(s.sent[0].size() == 4 + text.size());
    }
}

TEST_CASE("RFC 6347 4.1: what does not fit into one DTLS record is too big, by channel and by indication") {
    story s;
    REQUIRE(s.it.connected(story::dtls, s.over_dtls));
    const auto relayed = s.allocate(story::dtls);
    auto permit = s.request(stun::method::create_permission);
    s.arrives(story::dtls, s.ann, permit.with<stun::xor_peer_address>(s.bob).view());
    constexpr std::size_t record = 16'384, head_of_indication = 20 + 12 + 4;
    s.bob_says(relayed, std::string(record - head_of_indication, 'x'));
    CHECK(s.sent.size() == 1);
    s.bob_says(relayed, std::string(record - head_of_indication + 1, 'x'));
    CHECK(s.sent.empty());
    s.bind_channel(story::dtls);
    s.bob_says(relayed, std::string(record - 4, 'x'));
    CHECK(s.sent.size() == 1);
    s.bob_says(relayed, std::string(record - 3, 'x'));
    CHECK(s.sent.empty());
    CHECK(s.dropped(direction::down, reason::too_big) == 2);
}

TEST_CASE("RFC 7350 4.6: an allocation over DTLS belongs to its session, beside one over TCP from the same address") {
    story s;
    REQUIRE(s.it.connected(story::tcp, s.over_tcp));
    REQUIRE(s.it.connected(story::dtls, s.over_dtls));
    s.allocate(story::tcp);
    s.allocate(story::dtls);
    REQUIRE(s.claims.size() == 2);
    CHECK(s.claims[1].id == story::dtls);
    CHECK(s.it.counters().allocations_over[static_cast<std::size_t>(transport::dtls)].value() == 1);

    s.it.disconnected(story::dtls, s.ann, s.now, s.out);
    s.carry_out();
    CHECK(s.it.counters().allocations.value() == 1);
    CHECK(s.claims.back().id == story::dtls);
    s.arrives(story::dtls, s.ann, s.request(stun::method::binding).view());
    CHECK(s.dropped(direction::up, reason::socket_closed) == 1);
    s.arrives(story::tcp, s.ann, s.request(stun::method::binding).view());
    CHECK(s.sent.size() == 1);
}

TEST_CASE("RFC 7350 3: classic STUN over DTLS is not answered") {
    story s;
    REQUIRE(s.it.connected(story::dtls, s.over_dtls));
    blob classic = to_blob(s.request(stun::method::binding).view());
    classic[4] ^= std::byte{1}; // RFC 3489 has a longer transaction id where the magic cookie is
    s.arrives(story::dtls, s.ann, classic);
    CHECK(s.sent.empty());
    CHECK(s.dropped(direction::up, reason::malformed) == 1);
}

TEST_CASE("RFC 8656 3: the same client address over UDP and over TCP is two 5-tuples with an allocation each") {
    story s;
    REQUIRE(s.it.connected(story::tcp, s.over_tcp));
    const auto by_udp = s.allocate(story::udp);
    const auto by_tcp = s.allocate(story::tcp);
    CHECK(by_udp != by_tcp);
    CHECK(s.it.counters().allocations.value() == 2);
}

TEST_CASE("RFC 8656 3.1: a connection is told of its allocation's beginning and end, and ends it when it closes") {
    story s;
    REQUIRE(s.it.connected(story::tcp, s.over_tcp));
    s.allocate(story::tcp);
    REQUIRE(s.claims.size() == 1);
    CHECK(s.claims[0].id == story::tcp);
    CHECK(s.claims[0].by_allocation);

    s.arrives(story::tcp, s.ann, s.request(stun::method::refresh).with<stun::lifetime>(0s).view());
    REQUIRE(s.claims.size() == 2);
    CHECK_FALSE(s.claims[1].by_allocation);
    CHECK(s.it.counters().allocations.value() == 0);

    auto again = s.request(stun::method::allocate);
    again.raw()[12] = std::byte{1}; // another transaction
    s.arrives(story::tcp, s.ann, again.with<stun::requested_transport>(17).view());
    CHECK(s.it.counters().allocations.value() == 1);
    s.it.disconnected(story::tcp, s.ann, s.now, s.out);
    s.carry_out();
    CHECK(s.it.counters().allocations.value() == 0);
    CHECK(s.addresses.open().empty());
    CHECK(s.quota.in_use() == 0);
}

TEST_CASE("turn: what a connection sent before it closed and what comes under its id are no other client's") {
    story s;
    REQUIRE(s.it.connected(story::tcp, s.over_tcp));
    s.allocate(story::tcp);
    s.bind_channel(story::tcp);
    s.it.disconnected(story::tcp, s.ann, s.now, s.out);
    s.carry_out();
    const blob late = to_blob("late");
    blob data = to_blob(bytes(channel_data_header(0x4000, 4)));
    data.insert(data.end(), late.begin(), late.end());
    s.arrives(story::tcp, s.ann, data);
    CHECK(s.sent.empty());
    CHECK(s.dropped(direction::up, reason::socket_closed) == 1);

    REQUIRE(s.it.connected(story::tcp, s.over_tcp)); // the id is given out again
    s.arrives(story::tcp, s.ann, data);
    CHECK(s.sent.empty());
    CHECK(s.dropped(direction::up, reason::no_allocation) == 1);
}

TEST_CASE("RFC 8489 6.2.2: the answer to somebody who has hung up goes nowhere") {
    story s{relay_options{}};
    REQUIRE(s.it.connected(story::tcp, s.over_tcp));
    s.arrives(story::tcp, s.ann, s.request(stun::method::allocate).with<stun::requested_transport>(17).view());
    REQUIRE(s.bodies.size() == 1);
    const auto challenge = stun::message_view::parse(s.bodies[0]);
    const auto key = *stun::long_term_key("ann", "example.org", "secret");
    auto signed_request = s.request(stun::method::allocate);
    signed_request.with<stun::requested_transport>(17)
        .credentials("ann", "example.org", *challenge->get<stun::nonce>(), key)
        .integrity();
    s.arrives(story::tcp, s.ann, signed_request.view());
    REQUIRE(s.asked.size() == 1);
    CHECK(s.it.counters().pending.value() == 1);

    s.it.disconnected(story::tcp, s.ann, s.now, s.out);
    s.carry_out();
    CHECK(s.it.counters().pending.value() == 0);
    CHECK(s.dropped(direction::up, reason::socket_closed) == 1);
    REQUIRE(s.it.connected(story::tcp, s.over_tcp)); // somebody else has the id by now
    s.it.credential_found(s.asked[0], credential{.key = key}, s.now, s.out);
    s.carry_out();
    CHECK(s.sent.empty());
    CHECK(s.it.counters().allocations.value() == 0);
    CHECK(s.it.next_deadline() == time_point::max());
}

TEST_CASE("turn: a connection's source is proven, so it has no budget of answers") {
    story s{relay_options{.unauthenticated_bytes_per_second = 1}};
    REQUIRE(s.it.connected(story::tcp, s.over_tcp));
    REQUIRE(s.it.connected(story::dtls, s.over_dtls));
    for (int i = 0; i < 3; ++i) {
        s.arrives(story::udp, s.ann, s.request(stun::method::binding).view());
        CHECK(s.sent.empty());
        for (const auto via : {story::tcp, story::dtls}) {
            s.arrives(via, s.ann, s.request(stun::method::binding).view());
            CHECK(s.sent.size() == 1);
        }
    }
}

} // namespace turn::test
