#include <doctest/doctest.h>

#include "support/world.hpp"

using namespace std::chrono_literals;
using namespace turn;
using turn::test::flight;
using turn::test::world;
using texts = std::vector<std::string>;

namespace {

/// Loses the nth datagram (from 0) that `from` sends.
auto nth_from(const transport_address& from, int n) {
    return [from, n](const flight& f) mutable { return f.from == from && n-- == 0; };
}

} // namespace

TEST_CASE("RFC 8656 7.2: an Allocate whose answer is lost gets the same address when it is sent again") {
    world w;
    auto ann = w.client("ann");
    w.conditions.lose = nth_from(w.listener().local, 1); // the challenge arrives, the success does not
    REQUIRE(ann.allocate() == 0);
    REQUIRE(w.events.allocations_created.size() == 1);
    CHECK(ann.relayed == w.events.allocations_created[0].relayed);
    CHECK(w.requests(request_method::allocate, request_result::success) == 2);
    CHECK(w.addresses.binds == 1);
    w.drain();
}

TEST_CASE("RFC 8656 7.2: an Allocate that is sent again gets the same RESERVATION-TOKEN") {
    world w;
    auto ann = w.raw("ann");
    const auto request = ann.allocate_request().with<stun::even_port>({.reserve_next = true}).integrity();
    const auto first = ann.ask(request);
    REQUIRE(first.code() == 0);
    REQUIRE(first.has<stun::reservation_token>());
    w.pass(5s);
    const auto second = ann.ask(request);
    REQUIRE(second.code() == 0);
    CHECK(second.get<stun::reservation_token>() == first.get<stun::reservation_token>());
    CHECK(second.get<stun::xor_relayed_address>() == first.get<stun::xor_relayed_address>());
    CHECK(second.signed_with(ann.key()));
    CHECK(w.addresses.binds == 1);

    auto bob = w.raw("bob");
    const auto redeemed = bob.ask(bob.authenticated(stun::method::allocate)
                                      .with<stun::requested_transport>(stun::requested_transport::udp)
                                      .with<stun::reservation_token>(*second.get<stun::reservation_token>()));
    REQUIRE(redeemed.code() == 0);
    CHECK(redeemed.get<stun::xor_relayed_address>()->port == first.get<stun::xor_relayed_address>()->port + 1);
    w.drain();
}

TEST_CASE("RFC 8656 7.2: what is said about time in a repeated answer is what is left") {
    world w;
    auto ann = w.raw("ann");
    const auto request = ann.allocate_request().integrity();
    REQUIRE(ann.ask(request).get<stun::lifetime>() == 600s);
    w.pass(20s);
    CHECK(ann.ask(request).get<stun::lifetime>() == 580s);
    w.drain();
}

TEST_CASE("RFC 8656 8.2: a deletion whose answer is lost is a success for the client all the same") {
    world w;
    auto ann = w.client("ann");
    REQUIRE(ann.allocate() == 0);
    w.conditions.lose = nth_from(w.listener().local, 0);
    CHECK(ann.refresh(0s) == 0); // the second answer is 437
    CHECK(w.refused(reason::allocation_mismatch) == 1);
    CHECK_FALSE(ann.core().has_allocation());
    w.drain();
}

TEST_CASE("RFC 8656 8: Refresh to zero takes effect at once and its port is free for the next client") {
    world w;
    auto ann = w.client("ann");
    auto& bob = w.peer();
    REQUIRE(ann.allocate() == 0);
    REQUIRE(ann.permit(bob) == 0);
    w.addresses.port_max = w.addresses.port_min; // one port for everybody
    REQUIRE(ann.refresh(0s) == 0);
    CHECK(w.counters().allocations.value() == 0);
    CHECK(w.quota_in_use() == 0);

    auto eve = w.client("eve");
    REQUIRE(eve.allocate() == 0);
    CHECK(eve.relayed == ann.relayed);
    bob.send(ann.relayed, "for ann"); // eve permitted nobody
    CHECK(eve.data_from(bob).empty());
    CHECK(w.dropped(direction::down, reason::no_permission) == 1);
    CHECK(ann.allocate() == 508); // the 5-tuple is free, the port is not
    w.drain();
}

TEST_CASE("RFC 8489 6.2.1: nobody answers and the client says so after 39500 ms") {
    world w;
    auto ann = w.client("ann");
    w.conditions.loss = 1;
    const auto start = w.now();
    CHECK(ann.allocate() == -1);
    CHECK(w.now() - start == 39500ms);
    w.conditions.loss = 0;
    CHECK(ann.allocate() == 0);
    w.drain();
}

TEST_CASE("an answer that takes three seconds is accepted and causes one allocation") {
    world w;
    auto ann = w.client("ann");
    w.conditions.delay = 1500ms; // each way; requests are retransmitted meanwhile
    REQUIRE(ann.allocate() == 0);
    w.pass(20s);
    CHECK(w.counters().allocations_created.value() == 1);
    CHECK(w.requests(request_method::allocate, request_result::success) > 1);
    w.drain();
}

TEST_CASE("a long call over a bad network: nothing leaks and whoever is permitted is heard") {
    for (const std::uint64_t seed : {1U, 2U, 3U}) {
        CAPTURE(seed);
        world w;
        w.conditions = {.loss = 0.2, .duplication = 0.1, .delay = 40ms, .jitter = 300ms, .seed = seed};
        auto ann = w.client("ann", {.keep_alive = true});
        auto bob = w.client("bob", {.keep_alive = true});
        REQUIRE(ann.allocate() == 0);
        REQUIRE(bob.allocate() == 0);
        REQUIRE(ann.bind_channel(0x4000, bob.relayed) == 0); // relay to relay
        REQUIRE(bob.bind_channel(0x4001, ann.relayed) == 0);
        for (int second = 0; second < 3600; ++second) {
            ann.send_channel_data(0x4000, "tick");
            bob.send_channel_data(0x4001, "tock");
            w.pass(1s);
        }
        // Four trips of 80 % each, some twice: about half arrives, and more than a third for certain.
        CHECK(bob.channel_data(0x4001).size() > 1200);
        CHECK(ann.channel_data(0x4000).size() > 1200);
        CHECK(w.counters().allocations_created.value() == 2);
        w.drain();
    }
}

TEST_CASE("a call survives minutes without a network and the keep-alives that were lost in them") {
    world w;
    auto ann = w.client("ann", {.keep_alive = true});
    auto& bob = w.peer();
    REQUIRE(ann.allocate() == 0);
    REQUIRE(ann.bind_channel(0x4000, bob) == 0);
    w.pass(235s);
    w.conditions.loss = 1; // just before the permission is due
    w.pass(55s);
    w.conditions.loss = 0;
    w.pass(60s);
    bob.send(ann.relayed, "back again");
    CHECK(ann.channel_data(0x4000) == texts{"back again"});
    w.drain();
}
