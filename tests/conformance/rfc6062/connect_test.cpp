/// Connect: RFC 6062, 5.2.

#include "tcp_story.hpp"

namespace turn::test {

namespace {

struct story : tcp_story {
    using tcp_story::tcp_story;
    [[nodiscard]] std::uint64_t refused(reason why) const {
        return w.counters().refused[static_cast<std::size_t>(why)].value();
    }
};

} // namespace

TEST_CASE("RFC 6062 5.2: a Connect is answered with a CONNECTION-ID once the peer has accepted") {
    story s;
    message m = s.ann.authenticated(stun::method::connect).with<stun::xor_peer_address>(bob);
    const auto asked = m.id();
    CHECK_FALSE(s.ann.ask(std::move(m)));
    CHECK(s.w.counters().pending.value() == 1);

    s.w.peer_accepts(s.w.connection_with(bob));
    const answer a = s.ann.answer_to(asked);
    CHECK(a.code() == success);
    CHECK(a.signed_with(s.ann.key()));
    CHECK(a.has<stun::connection_id>());
    s.w.end_all();
}

TEST_CASE("RFC 8489 9.2.4: a Connect is answered with the key and the algorithm that it came with") {
    using enum stun::password_algorithm_number;
    for (const bool accepts : {true, false}) {
        story s; // an allocation by MD5
        s.ann.algorithm = sha256;
        message m = s.ann.authenticated(stun::method::connect).with<stun::xor_peer_address>(bob);
        const auto asked = m.id();
        CHECK_FALSE(s.ann.ask(std::move(m)));
        if (accepts)
            s.w.peer_accepts(s.w.connection_with(bob));
        else
            s.w.pass(31s);
        const answer a = s.ann.answer_to(asked);
        CHECK(a.code() == (accepts ? success : 447));
        CHECK(a.has<stun::message_integrity_sha256>());
        CHECK_FALSE(a.has<stun::message_integrity>());
        CHECK(a.signed_with(s.ann.key()));
        s.w.end_all();
    }
}

TEST_CASE("RFC 6062 5.2: the connection comes from the relayed transport address") {
    story s;
    REQUIRE(s.ann.connect_to(bob));
    CHECK(s.w.addresses.connections.begin()->second.from == s.ann.relayed);
}

TEST_CASE("RFC 6062 5.2: a Connect needs no permission and makes none") {
    story s;
    REQUIRE(s.ann.connect_to(bob));
    CHECK(s.w.counters().permissions.value() == 0);
}

TEST_CASE("RFC 6062 5.2: no two connections have the same CONNECTION-ID") {
    story s;
    std::vector<connection_id> ids;
    for (std::uint16_t port = 5000; port < 5060; ++port) {
        const auto id = s.ann.connect_to(bob.with_port(port));
        REQUIRE(id);
        CHECK(std::ranges::find(ids, *id) == ids.end());
        ids.push_back(*id);
    }
}

TEST_CASE("RFC 6062 6.2.1: a CONNECTION-ID begins with the shard that has the connection") {
    story s({.shard = 5, .shards = 8});
    for (std::uint16_t port = 5000; port < 5010; ++port)
        CHECK(shard_of(s.ann.connect_to(bob.with_port(port)).value_or(connection_id{})) == 5);
}

TEST_CASE("RFC 6062 5.2: a Connect without an allocation is answered 437") {
    tcp_world w;
    auto ann = w.client("ann");
    CHECK(ann.connect(bob).code() == 437);
}

TEST_CASE("RFC 6062 5.2: a Connect on an allocation for UDP is answered 400") {
    tcp_world w;
    auto ann = w.client("ann");
    REQUIRE(ann.ask(ann.authenticated(stun::method::allocate).with<stun::requested_transport>(17)).code() == success);
    CHECK(ann.connect(bob).code() == 400);
    CHECK(w.connections() == 0);
}

TEST_CASE("RFC 6062 5.2: a Connect to a peer that is being connected to is answered 446") {
    story s;
    CHECK_FALSE(s.ann.connect(bob));
    CHECK(s.ann.connect(bob).code() == 446);
    CHECK(s.w.connections() == 1);
}

TEST_CASE("RFC 6062 5.2: a Connect to a peer with a connection is answered 446 whether it is bound or not") {
    story s;
    const auto id = s.ann.connect_to(bob);
    REQUIRE(id);
    CHECK(s.ann.connect(bob).code() == 446);
    auto data = s.w.client("ann");
    REQUIRE(data.bind(*id).code() == success);
    CHECK(s.ann.connect(bob).code() == 446);
    CHECK(s.ann.connect_to(bob.with_port(5001))); // another transport address is another peer
    CHECK(s.refused(reason::connection_exists) == 2);
}

TEST_CASE("RFC 6062 5.2: after the end of a connection the peer may be connected to again") {
    story s;
    REQUIRE(s.ann.connect_to(bob));
    s.w.peer_leaves(s.w.connection_with(bob));
    CHECK(s.ann.connect_to(bob));
}

TEST_CASE("RFC 6062 5.2: a Connect without XOR-PEER-ADDRESS or with a malformed one is answered 400") {
    story s;
    CHECK(s.ann.ask(s.ann.authenticated(stun::method::connect)).code() == 400);
    CHECK(s.ann
              .ask(s.ann.authenticated(stun::method::connect)
                       .attribute(stun::xor_peer_address::type, octets({0, 1, 2, 3, 4, 5})))
              .code() == 400);
    CHECK(s.ann
              .ask(s.ann.authenticated(stun::method::connect)
                       .attribute(stun::xor_peer_address::type, octets({0, 3, 1, 1, 1, 1, 1, 1})))
              .code() == 400);
    CHECK(s.w.connections() == 0);
}

TEST_CASE("RFC 6062 5.2: a Connect to a peer the policy forbids is answered 403") {
    story s;
    for (const char* forbidden : {"127.0.0.1:22", "10.0.0.1:80", "198.51.100.1:3478", "25.0.0.1:0", "0.0.0.0:80"})
        CHECK(s.ann.connect(*transport_address::parse(forbidden)).code() == 403);
    CHECK(s.w.connections() == 0);
}

TEST_CASE("RFC 6062 5.2: the observer may forbid a Connect") {
    story s;
    s.w.events.peers_allowed = [](const transport_address& peer) { return peer != bob; };
    CHECK(s.ann.connect(bob).code() == 403);
    CHECK(s.ann.connect_to(eve));
}

TEST_CASE("RFC 6062 5.2: a Connect to a peer of another family is answered 443") {
    story s;
    CHECK(s.ann.connect(*transport_address::parse("[2a01:5::1]:5000")).code() == 443);
}

TEST_CASE("RFC 6062 5.2: a connection that fails is answered 447") {
    story s;
    message m = s.ann.authenticated(stun::method::connect).with<stun::xor_peer_address>(bob);
    const auto asked = m.id();
    CHECK_FALSE(s.ann.ask(std::move(m)));
    s.w.peer_refuses(s.w.connection_with(bob));
    const answer a = s.ann.answer_to(asked);
    CHECK(a.code() == 447);
    CHECK(a.signed_with(s.ann.key()));
    CHECK(s.refused(reason::connect_failed) == 1);
    CHECK(s.ann.connect_to(bob)); // and may be tried again
}

TEST_CASE("RFC 6062 5.2: a network that refuses at once is answered 447 and no descriptor 508") {
    story s;
    s.w.addresses.connect_error = errc::io;
    CHECK(s.ann.connect(bob).code() == 447);
    s.w.addresses.connect_error = errc::no_capacity;
    CHECK(s.ann.connect(bob).code() == 508);
    CHECK(s.refused(reason::no_descriptors) == 1);
}

TEST_CASE("RFC 6062 5.2: a peer that does not answer has at least 30 s and is answered 447 for then") {
    story s;
    message m = s.ann.authenticated(stun::method::connect).with<stun::xor_peer_address>(bob);
    const auto asked = m.id();
    CHECK_FALSE(s.ann.ask(std::move(m)));
    s.w.pass(29'999ms);
    CHECK_FALSE(s.ann.answer_to(asked));
    CHECK(s.w.connections() == 1);
    s.w.pass(1ms);
    CHECK(s.ann.answer_to(asked).code() == 447);
    CHECK(s.w.connections() == 0);
    CHECK(s.refused(reason::connect_timeout) == 1);
}

TEST_CASE("RFC 6062 5.2: a connection nobody binds within 30 s is closed") {
    story s;
    const auto id = s.ann.connect_to(bob);
    REQUIRE(id);
    s.w.pass(29'999ms);
    CHECK(s.w.connections() == 1);
    s.w.pass(1ms);
    CHECK(s.w.connections() == 0);
    CHECK(s.w.counters().peer_connections_closed[static_cast<std::size_t>(reason::connection_unbound)].value() == 1);
    auto data = s.w.client("ann");
    CHECK(data.bind(*id).code() == 400);
}

TEST_CASE("RFC 6062 5.2: an allocation has so many connections and no more") {
    story s({.relay = {.connections_per_allocation = 3}});
    for (std::uint16_t port = 1; port <= 3; ++port) CHECK(s.ann.connect_to(bob.with_port(port)));
    CHECK(s.ann.connect(bob).code() == 508);
    CHECK(s.refused(reason::connection_limit) == 1);
    s.w.peer_leaves(s.w.connection_with(bob.with_port(2)));
    CHECK(s.ann.connect_to(bob));
}

TEST_CASE("RFC 6062 5.2: refusals come in the order 400 then 446 then 443 then 403 then 508") {
    story s({.relay = {.connections_per_allocation = 1}});
    REQUIRE(s.ann.connect_to(bob));
    CHECK(s.ann.ask(s.ann.authenticated(stun::method::connect)).code() == 400);
    CHECK(s.ann.connect(bob).code() == 446);
    CHECK(s.ann.connect(*transport_address::parse("[::1]:80")).code() == 443);
    CHECK(s.ann.connect(*transport_address::parse("127.0.0.1:80")).code() == 403);
    CHECK(s.ann.connect(eve).code() == 508);
}

TEST_CASE("RFC 6062 5.2: a Connect of more than 4096 bytes is answered 400") {
    story s;
    message m = s.ann.authenticated(stun::method::connect).with<stun::xor_peer_address>(bob);
    m.attribute(0x8022, std::string(4096, 'x'));
    CHECK(s.ann.ask(std::move(m)).code() == 400);
    CHECK(s.w.connections() == 0);
}

TEST_CASE("RFC 6062 5.2: several Connects may be under way at once") {
    story s;
    message to_bob = s.ann.authenticated(stun::method::connect).with<stun::xor_peer_address>(bob);
    message to_eve = s.ann.authenticated(stun::method::connect).with<stun::xor_peer_address>(eve);
    const auto first = to_bob.id(), second = to_eve.id();
    s.ann.send(std::move(to_bob));
    s.ann.send(std::move(to_eve));
    s.w.peer_accepts(s.w.connection_with(eve));
    CHECK(s.ann.answer_to(second).code() == success);
    s.w.peer_accepts(s.w.connection_with(bob));
    CHECK(s.ann.answer_to(first).code() == success);
}

TEST_CASE("RFC 6062 5.2: when the allocation ends a Connect under way ends with it") {
    story s;
    CHECK_FALSE(s.ann.connect(bob));
    CHECK(s.ann.refresh(0s).code() == success);
    CHECK(s.w.connections() == 0);
    CHECK(s.w.counters().pending.value() == 0);
    s.w.end_all();
}

TEST_CASE("RFC 6062 5.2: an observer and a new policy close connections with peers that are refused now") {
    story s;
    REQUIRE(s.ann.connect_to(bob));
    REQUIRE(s.ann.connect_to(bob.with_port(5001)));
    REQUIRE(s.ann.connect_to(eve));
    message m = s.ann.authenticated(stun::method::connect).with<stun::xor_peer_address>(bob.with_port(5002));
    const auto asked = m.id();
    CHECK_FALSE(s.ann.ask(std::move(m)));

    relay_options stricter;
    stricter.peers.deny = {*address_prefix::parse("25.0.0.1/32")};
    s.w.reconfigure(stricter);
    CHECK(s.w.connections() == 1);
    CHECK(s.w.addresses.connections.begin()->second.peer == eve);
    CHECK(s.ann.answer_to(asked).code() == 403);
}

} // namespace turn::test
