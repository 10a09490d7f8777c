#include <doctest/doctest.h>

#include "support/world.hpp"

using namespace std::chrono_literals;
using namespace turn;
using turn::test::world;
using texts = std::vector<std::string>;

TEST_CASE("RFC 8656 9: a channel outlives its permission and then the peer is not heard") {
    world w;
    auto ann = w.client("ann");
    auto& bob = w.peer();
    REQUIRE(ann.allocate() == 0);
    REQUIRE(ann.bind_channel(0x4000, bob) == 0);

    bob.send(ann.relayed, "early");
    w.pass(301s); // permission: 300 s, channel: 600 s
    bob.send(ann.relayed, "late");

    CHECK(ann.channel_data(0x4000) == texts{"early"});
    CHECK(w.dropped(direction::down, reason::no_permission) == 1);
    w.drain();
}

TEST_CASE("RFC 8656 12.6: a channel whose permission has ended still carries data to the peer") {
    world w;
    auto ann = w.client("ann");
    auto& bob = w.peer();
    REQUIRE(ann.allocate() == 0);
    REQUIRE(ann.bind_channel(0x4000, bob) == 0);
    w.pass(599s);
    ann.send_channel_data(0x4000, "still here");
    w.pass(1s);
    ann.send_channel_data(0x4000, "too late");
    CHECK(bob.received == texts{"still here"});
    CHECK(w.dropped(direction::up, reason::no_channel) + w.dropped(direction::up, reason::no_allocation) == 1);
    w.drain();
}

TEST_CASE("RFC 8656 11.3: after the channel has ended a permitted peer is heard in Data indications") {
    world w;
    auto ann = w.client("ann", {.lifetime = 3600s});
    auto& bob = w.peer();
    REQUIRE(ann.allocate() == 0);
    REQUIRE(ann.bind_channel(0x4000, bob) == 0);
    for (int i = 0; i < 3; ++i) { // the permission is kept, the channel is not
        w.pass(200s);
        REQUIRE(ann.permit(bob) == 0);
    }
    bob.send(ann.relayed, "hello");
    CHECK(ann.channel_data(0x4000).empty());
    CHECK(ann.data_from(bob) == texts{"hello"});
    w.drain();
}

TEST_CASE("RFC 8656 12: a number that has ended may be bound to another peer and a peer to another number") {
    world w;
    auto ann = w.client("ann", {.lifetime = 3600s});
    auto& bob = w.peer();
    auto& eve = w.peer();
    REQUIRE(ann.allocate() == 0);
    REQUIRE(ann.bind_channel(0x4000, bob) == 0);
    CHECK(ann.bind_channel(0x4000, eve) == 400);
    CHECK(ann.bind_channel(0x4001, bob) == 400);
    w.pass(600s);
    CHECK(ann.bind_channel(0x4000, eve) == 0);
    CHECK(ann.bind_channel(0x4001, bob) == 0);
    bob.send(ann.relayed, "I am bob");
    eve.send(ann.relayed, "I am eve");
    CHECK(ann.channel_data(0x4000) == texts{"I am eve"});
    CHECK(ann.channel_data(0x4001) == texts{"I am bob"});
    w.drain();
}

TEST_CASE("RFC 8656 12.2: binding a channel again gives it ten more minutes from now") {
    world w;
    auto ann = w.client("ann", {.lifetime = 3600s});
    auto& bob = w.peer();
    REQUIRE(ann.allocate() == 0);
    REQUIRE(ann.bind_channel(0x4000, bob) == 0);
    w.pass(500s);
    REQUIRE(ann.bind_channel(0x4000, bob) == 0);
    w.pass(299s);
    bob.send(ann.relayed, "799 s");
    w.pass(300s);
    ann.send_channel_data(0x4000, "1099 s");
    w.pass(1s);
    ann.send_channel_data(0x4000, "1100 s");
    CHECK(ann.channel_data(0x4000) == texts{"799 s"});
    CHECK(bob.received == texts{"1099 s"});
    w.drain();
}

TEST_CASE("a client that keeps alive is heard and hears for hours") {
    world w;
    auto ann = w.client("ann", {.keep_alive = true});
    auto& bob = w.peer();
    auto& cleo = w.peer();
    REQUIRE(ann.allocate() == 0);
    REQUIRE(ann.bind_channel(0x4000, bob) == 0);
    REQUIRE(ann.permit(cleo) == 0);
    for (int i = 0; i < 60; ++i) {
        w.pass(173s);
        bob.send(ann.relayed, "bob");
        cleo.send(ann.relayed, "cleo");
        ann.send(bob, "ann");
    }
    CHECK(ann.channel_data(0x4000).size() == 60);
    CHECK(ann.data_from(cleo).size() == 60);
    CHECK(bob.received.size() == 60);
    CHECK(ann.failures().empty());
    CHECK(w.counters().allocations_created.value() == 1);
    w.drain();
}
