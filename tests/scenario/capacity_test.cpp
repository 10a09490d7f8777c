#include <doctest/doctest.h>

#include "support/world.hpp"

using namespace std::chrono_literals;
using namespace turn;
using turn::test::world;
using turn::test::world_options;

TEST_CASE("RFC 8656 7.2: a user's quota is free again when his allocation has expired") {
    world w(world_options{.quota = {.total = 10, .per_user = 1}});
    auto phone = w.client("ann");
    auto laptop = w.client("ann");
    REQUIRE(phone.allocate() == 0);
    CHECK(laptop.allocate() == 486);
    w.pass(599s);
    CHECK(laptop.allocate() == 486);
    w.pass(1s);
    CHECK(laptop.allocate() == 0);
    CHECK(w.refused(reason::quota_user) == 2);
    w.drain();
}

TEST_CASE("RFC 8656 7.2: the quota counts accounts when users have them") {
    world w(world_options{.quota = {.total = 10, .per_user = 1}});
    for (const char* name : {"1700000000:ann", "1700000001:ann"}) w.users.add(name).account = "ann";
    auto first = w.client("1700000000:ann");
    auto second = w.client("1700000001:ann");
    REQUIRE(first.allocate() == 0);
    CHECK(second.allocate() == 486);
    REQUIRE(first.refresh(0s) == 0);
    CHECK(second.allocate() == 0);
    w.drain();
}

TEST_CASE("a user may have a limit of his own") {
    world w(world_options{.quota = {.total = 10, .per_user = 1}});
    w.users.add("ann").allocation_limit = 2;
    auto phone = w.client("ann");
    auto laptop = w.client("ann");
    auto watch = w.client("ann");
    CHECK(phone.allocate() == 0);
    CHECK(laptop.allocate() == 0);
    CHECK(watch.allocate() == 486);
    w.drain();
}

TEST_CASE("RFC 8656 7.2: an Allocate that finds no port gives its quota unit back") {
    world w(world_options{.quota = {.total = 10, .per_user = 1}});
    auto ann = w.client("ann");
    w.addresses.descriptors = 0;
    CHECK(ann.allocate() == 508);
    CHECK(w.quota_in_use() == 0);
    w.addresses.descriptors = 100;
    CHECK(ann.allocate() == 0);
    w.drain();
}

TEST_CASE("allocations in all are limited and the limit is lifted by every end") {
    world w(world_options{.quota = {.total = 2}});
    auto ann = w.client("ann");
    auto bob = w.client("bob");
    auto cleo = w.client("cleo");
    REQUIRE(ann.allocate() == 0);
    REQUIRE(bob.allocate() == 0);
    CHECK(cleo.allocate() == 508);
    CHECK(w.refused(reason::quota_total) == 1);
    REQUIRE(bob.refresh(0s) == 0);
    CHECK(cleo.allocate() == 0);
    w.drain();
}

TEST_CASE("RFC 8656 7.2: EVEN-PORT without reservation takes one port and leaks none") {
    world w;
    w.addresses.port_max = static_cast<std::uint16_t>(w.addresses.port_min + 1); // an even and an odd one
    auto ann = w.client("ann");
    auto bob = w.client("bob");
    REQUIRE(ann.allocate({.even_port = false}) == 0);
    CHECK(ann.relayed.port % 2 == 0);
    REQUIRE(bob.allocate() == 0); // the odd one is free
    CHECK(bob.relayed.port == ann.relayed.port + 1);
    w.drain();
}

TEST_CASE("RFC 8656 7.2: a reserved port is kept for thirty seconds and then free for anybody") {
    world w;
    w.addresses.port_max = static_cast<std::uint16_t>(w.addresses.port_min + 1);
    auto ann = w.client("ann");
    auto bob = w.client("bob");
    REQUIRE(ann.allocate({.even_port = true}) == 0);
    REQUIRE(ann.last_allocated().token);
    CHECK(bob.allocate() == 508);
    w.pass(29s);
    CHECK(bob.allocate() == 508);
    w.pass(1s);
    CHECK(bob.allocate() == 0);
    REQUIRE(bob.refresh(0s) == 0);
    CHECK(bob.allocate({.token = *ann.last_allocated().token}) == 508); // too late
    CHECK(w.refused(reason::bad_token) == 1);
    w.drain();
}

TEST_CASE("RFC 8656 7.2: a reservation that is not used outlives the allocation that made it") {
    world w;
    auto ann = w.client("ann");
    auto bob = w.client("bob");
    REQUIRE(ann.allocate({.even_port = true}) == 0);
    const auto token = *ann.last_allocated().token;
    REQUIRE(ann.refresh(0s) == 0);
    CHECK(bob.allocate({.token = token}) == 0);
    CHECK(bob.relayed.port == ann.relayed.port + 1);
    CHECK(w.client("cleo").allocate({.token = token}) == 508); // once
    w.drain();
}

TEST_CASE("a server that drains takes no new allocations and lets the others live") {
    world w;
    auto ann = w.client("ann", {.keep_alive = true});
    auto bob = w.client("bob");
    auto& peer = w.peer();
    REQUIRE(ann.allocate() == 0);
    REQUIRE(ann.permit(peer) == 0);
    w.stop_accepting();
    CHECK(bob.allocate() == 508);
    CHECK(w.refused(reason::draining) == 1);
    w.pass(2000s);
    peer.send(ann.relayed, "still served");
    CHECK(ann.data_from(peer) == std::vector<std::string>{"still served"});
    CHECK(bob.bind() == 0);
    w.drain();
    REQUIRE(w.events.allocations_ended.size() == 1);
    CHECK(w.events.allocations_ended[0].how == allocation_end::shutdown);
}

TEST_CASE("two thousand allocations come and go and leave nothing behind") {
    world w;
    w.compare_every = 50;
    for (int round = 0; round < 2; ++round) {
        std::vector<turn::test::raw_actor> clients;
        for (int i = 0; i < 1000; ++i) {
            clients.push_back(w.raw("user" + std::to_string(i)));
            REQUIRE(clients.back().allocate().code() == 0);
        }
        CHECK(w.counters().allocations.value() == 1000);
        for (int i = 0; i < 500; ++i) REQUIRE(clients[static_cast<std::size_t>(i)].refresh(0s).code() == 0);
        w.pass(600s); // the others expire, all in one tick
        CHECK(w.counters().allocations.value() == 0);
        CHECK(w.addresses.open().empty());
        CHECK(w.quota_in_use() == 0);
    }
    w.drain();
}
