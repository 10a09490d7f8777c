/// ConnectionAttempt and ConnectionBind: RFC 6062, 5.3 to 5.5.

#include "tcp_story.hpp"

namespace turn::test {

namespace {

/// She lets Bob in.
struct story : tcp_story {
    explicit story(tcp_world::options o = {}) : tcp_story(std::move(o)) { REQUIRE(ann.permit(bob).code() == success); }
    [[nodiscard]] std::uint64_t closed(reason why) const {
        return w.counters().peer_connections_closed[static_cast<std::size_t>(why)].value();
    }
    /// Bob calls, and Ann hears of it.
    connection_id bob_calls(std::uint16_t port = 5000) {
        REQUIRE(w.peer_calls(ann.relayed, bob.with_port(port)));
        const auto attempts = ann.attempts();
        REQUIRE(attempts.size() == 1);
        return attempts[0].id;
    }
};

} // namespace

// --- 5.3 -------------------------------------------------------------------------------------------------------------

TEST_CASE("RFC 6062 5.3: a peer with a permission is announced with its address and an id") {
    story s;
    REQUIRE(s.w.peer_calls(s.ann.relayed, bob));
    const auto attempts = s.ann.attempts();
    REQUIRE(attempts.size() == 1);
    CHECK(attempts[0].peer == bob);
    CHECK(s.w.closed.empty());
    CHECK(s.w.counters().peer_connections_made[1].value() == 1);
}

TEST_CASE("RFC 6062 5.3: a peer without a permission is closed and nothing is said of it") {
    story s;
    REQUIRE(s.w.peer_calls(s.ann.relayed, eve));
    CHECK(s.ann.attempts().empty());
    CHECK(s.w.connections() == 0);
    CHECK(s.closed(reason::no_permission) == 1);
}

TEST_CASE("RFC 6062 5.3: a permission that has expired lets nobody in") {
    story s;
    s.w.pass(299s);
    CHECK(s.w.peer_calls(s.ann.relayed, bob));
    CHECK(s.ann.attempts().size() == 1);
    s.w.pass(1s);
    CHECK(s.w.peer_calls(s.ann.relayed, bob.with_port(5001)));
    CHECK(s.ann.attempts().empty());
    CHECK(s.closed(reason::no_permission) == 1);
}

TEST_CASE("RFC 6062 5.3: every port of a permitted address may call, each with an id of its own") {
    story s;
    CHECK(s.bob_calls(5000) != s.bob_calls(5001));
}

TEST_CASE("RFC 6062 5.3: a call nobody binds within 30 s is closed") {
    story s;
    const auto id = s.bob_calls();
    s.w.pass(29'999ms);
    CHECK(s.w.connections() == 1);
    s.w.pass(1ms);
    CHECK(s.w.connections() == 0);
    CHECK(s.closed(reason::connection_unbound) == 1);
    auto data = s.w.client("ann");
    CHECK(data.bind(id).code() == 400);
}

TEST_CASE("RFC 6062 7: calls beyond the limit of connections are closed") {
    story s({.relay = {.connections_per_allocation = 2}});
    s.bob_calls(5000);
    s.bob_calls(5001);
    REQUIRE(s.w.peer_calls(s.ann.relayed, bob.with_port(5002)));
    CHECK(s.ann.attempts().empty());
    CHECK(s.w.connections() == 2);
    CHECK(s.closed(reason::connection_limit) == 1);
}

TEST_CASE("RFC 6062 5.3: a call for a relayed address that has just ended is closed") {
    story s;
    const auto socket = s.w.addresses.socket_at(s.ann.relayed);
    REQUIRE(socket);
    s.w.disconnect(s.ann);
    // The kernel accepted it before the address was closed.
    s.w.late_call(*socket, bob);
    CHECK(s.closed(reason::socket_closed) == 1);
    CHECK(s.w.connections() == 0);
}

// --- 5.4 -------------------------------------------------------------------------------------------------------------

TEST_CASE("RFC 6062 5.4: a ConnectionBind joins the two connections") {
    story s;
    const auto id = s.bob_calls();
    auto data = s.w.client("ann");
    const answer a = data.bind(id);
    CHECK(a.code() == success);
    CHECK(a.signed_with(data.key()));
    REQUIRE(s.w.joined.size() == 1);
    CHECK(s.w.joined[0].client == data.id);
    CHECK(s.w.joined[0].peer == s.w.connection_with(bob));
    CHECK(s.w.counters().peer_connections_bound.value() == 1);
    s.w.pass(31s); // and it stays
    CHECK(s.w.connections() == 1);
}

TEST_CASE("RFC 6062 5.4: the connection of a Connect is bound likewise") {
    story s;
    const auto id = s.ann.connect_to(eve);
    REQUIRE(id);
    auto data = s.w.client("ann");
    CHECK(data.bind(*id).code() == success);
    REQUIRE(s.w.joined.size() == 1);
    CHECK(s.w.joined[0].peer == s.w.connection_with(eve));
}

TEST_CASE("RFC 8656 5: connections of one TCP allocation share its bandwidth, and no other's") {
    story s;
    auto first = s.w.client("ann"), second = s.w.client("ann"), third = s.w.client("ann");
    REQUIRE(first.bind(s.bob_calls(5000)).code() == success);
    REQUIRE(second.bind(s.bob_calls(5001)).code() == success);
    s.w.disconnect(s.ann);
    s.ann = s.w.client("ann");
    REQUIRE(s.ann.allocate().code() == success); // where the other was
    REQUIRE(s.ann.permit(bob).code() == success);
    REQUIRE(third.bind(s.bob_calls(5002)).code() == success);
    REQUIRE(s.w.joined.size() == 3);
    CHECK(s.w.joined[0].of.index == s.w.joined[1].of.index);
    CHECK(s.w.joined[0].of.number == s.w.joined[1].of.number);
    CHECK(s.w.joined[0].of.index == s.w.joined[2].of.index);
    CHECK(s.w.joined[0].of.number != s.w.joined[2].of.number);
}

TEST_CASE("RFC 6062 5.4: a ConnectionBind over UDP is answered 400") {
    story s;
    const auto id = s.bob_calls();
    auto over_udp = s.w.client("ann");
    over_udp.id = tcp_world::udp_listener;
    over_udp.nonce = s.ann.nonce;
    CHECK(over_udp.bind(id).code() == 400);
    CHECK(s.w.joined.empty());
}

TEST_CASE("RFC 6062 5.4: a ConnectionBind without CONNECTION-ID or with a malformed one is answered 400") {
    story s;
    s.bob_calls();
    auto data = s.w.client("ann");
    CHECK(data.ask(data.authenticated(stun::method::connection_bind)).code() == 400);
    CHECK(data.ask(data.authenticated(stun::method::connection_bind)
                       .attribute(stun::connection_id::type, octets({1, 2, 3})))
              .code() == 400);
    CHECK(s.w.joined.empty());
}

TEST_CASE("RFC 6062 5.4: an id that names nothing is answered 400 and the next one is heard") {
    story s;
    const auto id = s.bob_calls();
    auto data = s.w.client("ann");
    CHECK(data.bind(connection_id{static_cast<std::uint32_t>(id) ^ 1U}).code() == 400);
    CHECK(s.w.counters().refused[static_cast<std::size_t>(reason::unknown_connection)].value() == 1);
    CHECK(data.bind(id).code() == success);
}

TEST_CASE("RFC 6062 5.4: an id is good for one ConnectionBind") {
    story s;
    const auto id = s.bob_calls();
    auto first = s.w.client("ann"), second = s.w.client("ann");
    REQUIRE(first.bind(id).code() == success);
    CHECK(second.bind(id).code() == 400);
    CHECK(s.w.joined.size() == 1);
}

TEST_CASE("RFC 6062 5.4: the id of a Connect that is not answered yet is answered 400") {
    story s;
    CHECK_FALSE(s.ann.connect(eve));
    auto data = s.w.client("ann");
    for (std::uint32_t guess = 0; guess < 256; ++guess) CHECK(data.bind(connection_id{guess}).code() == 400);
}

TEST_CASE("RFC 6062 4.3: a ConnectionBind is signed with the credentials of the control connection") {
    story s;
    const auto id = s.bob_calls();
    auto stranger = s.w.client("ann");
    CHECK(stranger.ask(stranger.request(stun::method::connection_bind).with<stun::connection_id>(id)).code() == 401);
    stranger.password = "guessed";
    CHECK(stranger.bind(id).code() == 401);
    CHECK(s.w.joined.empty());

    auto other_user = s.w.client("cleo");
    const answer a = other_user.bind(id);
    CHECK(a.code() == 441);
    CHECK(a.signed_with(other_user.key()));
    CHECK(s.w.joined.empty());
}

TEST_CASE("RFC 6062 4.3: the same name in another realm is another user") {
    story s;
    const auto id = s.bob_calls();
    auto namesake = s.w.client("ann", 1);
    CHECK(namesake.bind(id).code() == 441);
    CHECK(s.w.joined.empty());
}

TEST_CASE("RFC 6062 4.3: a ConnectionBind lives on the allocation's key and asks nobody again") {
    story s;
    const auto id = s.bob_calls();
    auto data = s.w.client("ann");
    data.nonce = s.ann.nonce;
    s.w.users.remove("ann");
    const std::size_t before = s.w.users.lookups;
    CHECK(data.bind(id).code() == success);
    CHECK(s.w.users.lookups == before);
}

TEST_CASE("RFC 6062 5.4: a ConnectionBind on a control connection is answered 437") {
    story s;
    const auto id = s.bob_calls();
    CHECK(s.ann.bind(id).code() == 437);
    auto data = s.w.client("ann");
    CHECK(data.bind(id).code() == success);
}

TEST_CASE("RFC 6062 5.4: a ConnectionBind for another shard moves the connection before anything is asked") {
    story s({.shard = 2, .shards = 4});
    auto data = s.w.client("ann");
    const connection_id elsewhere{3U << connection_shard_shift | 7U};
    data.send(data.request(stun::method::connection_bind).with<stun::connection_id>(elsewhere));
    REQUIRE(s.w.moved.size() == 1);
    CHECK(s.w.moved[0].id == data.id);
    CHECK(s.w.moved[0].shard == 3);
    CHECK(s.w.counters().absorbed.value() == 1);

    auto nowhere = s.w.client("ann"); // there is no such shard
    CHECK(nowhere.bind(connection_id{4U << connection_shard_shift | 7U}).code() == 400);
    CHECK(s.w.moved.size() == 1);
    CHECK(s.ann.bind(elsewhere).code() == 437); // a control connection stays
    CHECK(s.w.moved.size() == 1);
}

TEST_CASE("RFC 6062 5.4: look-ups of a connection that has become a data connection are given up") {
    story s;
    const auto id = s.bob_calls();
    auto data = s.w.client("ann");
    data.nonce = s.ann.nonce;
    s.w.users.silent = true;
    CHECK_FALSE(data.allocate()); // waits for the directory
    CHECK(data.bind(id).code() == success);
    CHECK(s.w.counters().pending.value() == 0);
    s.w.pass(20s); // and nothing is answered on what is the peer's now
    CHECK(s.w.take(data.id).empty());
}

// --- 5.5 -------------------------------------------------------------------------------------------------------------

TEST_CASE("RFC 6062 5.5: when the allocation ends its data connections are closed") {
    story s;
    auto data = s.w.client("ann");
    REQUIRE(data.bind(s.bob_calls()).code() == success);
    s.bob_calls(5001);
    REQUIRE(s.ann.connect_to(eve));
    SUBCASE("by the client") {
        CHECK(s.ann.refresh(0s).code() == success);
    }
    SUBCASE("by its time") {
        s.w.pass(600s);
    }
    SUBCASE("by the end of the control connection") {
        s.w.disconnect(s.ann);
    }
    CHECK(s.w.connections() == 0);
    CHECK(s.w.counters().peer_connections.value() == 0);
    CHECK(s.w.counters().peer_connections_bound.value() == 0);
}

TEST_CASE("RFC 6062 5.5: a connection whose peer has left is not waited for") {
    story s;
    const auto id = s.bob_calls();
    s.w.peer_leaves(s.w.connection_with(bob));
    auto data = s.w.client("ann");
    CHECK(data.bind(id).code() == 400);
    s.w.end_all();
}

TEST_CASE("RFC 6062 5.5: a bound connection outlives the permission of its peer") {
    story s;
    auto data = s.w.client("ann");
    REQUIRE(data.bind(s.bob_calls()).code() == success);
    s.w.pass(301s);
    CHECK(s.w.connections() == 1);
}

TEST_CASE("RFC 6062 5.5: what connections carried is the allocation's, while they live and after") {
    story s;
    auto data = s.w.client("ann");
    REQUIRE(data.bind(s.bob_calls()).code() == success);
    const auto c = s.w.connection_with(bob);
    s.w.addresses.connections.begin()->second.carried = {1000, 20};
    CHECK(s.w.reports().at(0).used.bytes_up == 1000);
    CHECK(s.w.reports().at(0).used.bytes_down == 20);
    CHECK(s.w.reports().at(0).connections.at(0).carried.bytes_up == 1000);
    s.w.peer_leaves(c, {1500, 25});
    CHECK(s.w.reports().at(0).used.bytes_up == 1500);
    CHECK(s.w.reports().at(0).used.verdict == verdict::ok);

    auto again = s.w.client("ann");
    REQUIRE(again.bind(s.bob_calls()).code() == success);
    s.w.addresses.connections.begin()->second.carried = {1, 2};
    s.w.end_all();
    REQUIRE(s.w.events.allocations_ended.size() == 1);
    CHECK(s.w.events.allocations_ended[0].use.bytes_up == 1501);
    CHECK(s.w.events.allocations_ended[0].use.bytes_down == 27);
}

TEST_CASE("verdict: a TCP relay whose data waited for its bandwidth had too little, while it waits and after") {
    story s;
    auto data = s.w.client("ann");
    REQUIRE(data.bind(s.bob_calls()).code() == success);
    s.w.addresses.connections.begin()->second.carried = {.bytes_up = 1000, .bytes_down = 20};
    CHECK(s.w.reports().at(0).used.verdict == verdict::ok);
    s.w.addresses.connections.begin()->second.carried.held_back = 3;
    CHECK(s.w.reports().at(0).used.held_back == 3);
    CHECK(s.w.reports().at(0).used.verdict == verdict::bandwidth);
    s.w.peer_leaves(s.w.connection_with(bob), {.bytes_up = 1000, .bytes_down = 20, .held_back = 4});
    s.w.end_all();
    REQUIRE(s.w.events.allocations_ended.size() == 1);
    CHECK(s.w.events.allocations_ended[0].use.held_back == 4);
    CHECK(s.w.events.allocations_ended[0].use.verdict == verdict::bandwidth);
}

} // namespace turn::test
