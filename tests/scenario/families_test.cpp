#include <doctest/doctest.h>

#include "support/world.hpp"

using namespace std::chrono_literals;
using namespace turn;
using turn::test::world;
using texts = std::vector<std::string>;

TEST_CASE("RFC 8656 8.1: deleting one family of a dual allocation leaves the other's permissions and channels") {
    world w;
    auto ann = w.client("ann");
    auto& bob = w.peer();
    auto& eve = w.peer(address_family::ipv6);
    REQUIRE(ann.allocate({.additional_ipv6 = true}) == 0);
    REQUIRE(ann.relayed_additional.family == address_family::ipv6);
    REQUIRE(ann.bind_channel(0x4000, bob) == 0);
    REQUIRE(ann.bind_channel(0x4001, eve) == 0);

    const auto& [of_ipv4, of_ipv6] = w.counters().relayed_addresses[static_cast<std::size_t>(transport::udp)];
    CHECK(of_ipv4.value() == 1);
    CHECK(of_ipv6.value() == 1);

    REQUIRE(ann.refresh(0s, address_family::ipv4) == 0);
    CHECK(of_ipv4.value() == 0);
    CHECK(of_ipv6.value() == 1);
    bob.send(ann.relayed, "gone");
    eve.send(ann.relayed_additional, "still here");
    ann.send_channel_data(0x4000, "to bob");
    ann.send_channel_data(0x4001, "to eve");
    CHECK(ann.channel_data(0x4000).empty());
    CHECK(ann.channel_data(0x4001) == texts{"still here"});
    CHECK(bob.received.empty());
    CHECK(eve.received == texts{"to eve"});
    CHECK(w.addresses.open().size() == 1);
    CHECK(ann.permit(bob) == 443);
    CHECK(w.counters().allocations.value() == 1);

    REQUIRE(ann.refresh(0s, address_family::ipv6) == 0); // the last one: the allocation ends
    CHECK(w.counters().allocations.value() == 0);
    CHECK(w.quota_in_use() == 0);
    w.drain();
}

TEST_CASE("RFC 8656 8.2: each family of a dual allocation has its own time to expiry") {
    world w;
    auto ann = w.client("ann");
    auto& eve = w.peer(address_family::ipv6);
    REQUIRE(ann.allocate({.additional_ipv6 = true}) == 0);
    w.pass(300s);
    REQUIRE(ann.refresh(600s, address_family::ipv6) == 0);
    w.pass(300s); // IPv4 ends
    CHECK(w.addresses.open().size() == 1);
    CHECK(ann.permit(eve) == 0);
    eve.send(ann.relayed_additional, "hello");
    CHECK(ann.data_from(eve) == texts{"hello"});
    w.pass(300s);
    CHECK(w.counters().allocations.value() == 0);
    w.drain();
}

TEST_CASE("RFC 8656 7.2: half of a dual allocation is better than none and says what is missing") {
    world w;
    auto ann = w.client("ann");
    w.addresses.has_ipv6 = false;
    REQUIRE(ann.allocate({.additional_ipv6 = true}) == 0);
    CHECK(ann.relayed.is_ipv4());
    CHECK(ann.relayed_additional.port == 0);
    CHECK(ann.last_allocated().additional_error == 440);
    w.drain();
}

TEST_CASE("RFC 8656 7.2: a family that is not relayed is 440 and one that has run out is 508") {
    world w;
    auto ann = w.client("ann");
    w.addresses.has_ipv6 = false;
    CHECK(ann.allocate({.family = address_family::ipv6}) == 440);
    w.addresses.has_ipv6 = true;
    w.addresses.descriptors = 0;
    CHECK(ann.allocate({.family = address_family::ipv6}) == 508);
    CHECK(w.refused(reason::no_descriptors) == 1);
    w.addresses.descriptors = 1;
    CHECK(ann.allocate({.family = address_family::ipv6}) == 0);
    CHECK_FALSE(ann.relayed.is_ipv4());
    w.drain();
}

TEST_CASE("a client that speaks IPv6 may have an IPv4 relay and the other way round") {
    world w;
    auto ann = w.client("ann", {.listener = 1});
    auto bob = w.client("bob", {.listener = 0});
    REQUIRE(ann.allocate() == 0);
    REQUIRE(bob.allocate({.family = address_family::ipv6}) == 0);
    CHECK(ann.relayed.is_ipv4());
    CHECK_FALSE(bob.relayed.is_ipv4());
    CHECK_FALSE(ann.mapped.is_ipv4());
    CHECK(ann.mapped == ann.address());
    CHECK(bob.mapped == bob.address());
    w.drain();
}
