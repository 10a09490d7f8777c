#include <doctest/doctest.h>

#include "support/world.hpp"

using namespace std::chrono_literals;
using namespace turn;
using turn::test::world;

TEST_CASE("a slow database is asked once however often the client repeats itself") {
    world w;
    w.users.delay = 3s;
    auto ann = w.client("ann");
    REQUIRE(ann.allocate() == 0);
    CHECK(w.users.lookups == 1);
    CHECK(w.counters().absorbed.value() >= 2); // at 500, 1500 and 3500 ms
    CHECK(w.requests(request_method::allocate, request_result::success) == 1);
    w.drain();
}

TEST_CASE("the database is asked once per allocation and not for what follows") {
    world w;
    auto ann = w.client("ann");
    auto& bob = w.peer();
    REQUIRE(ann.allocate() == 0);
    w.users.silent = true;
    CHECK(ann.permit(bob) == 0);
    CHECK(ann.bind_channel(0x4000, bob) == 0);
    CHECK(ann.refresh(600s) == 0);
    CHECK(ann.refresh(0s) == 0);
    CHECK(w.users.lookups == 1);
    w.drain();
}

TEST_CASE("the key in an allocation outlives a change of the password but not the removal of the user") {
    world w;
    auto ann = w.client("ann");
    REQUIRE(ann.allocate() == 0);
    w.users.add("ann", "another password");
    CHECK(ann.refresh(600s) == 0);
    w.users.remove("ann");
    w.end_allocations_of("example.org", "ann");
    CHECK(w.counters().allocations.value() == 0);
    REQUIRE(w.events.allocations_ended.size() == 1);
    CHECK(w.events.allocations_ended[0].how == allocation_end::user_removed);
    CHECK(ann.refresh(600s) == 401);
    w.drain();
}

TEST_CASE("a look-up that nobody answers ends with 500 and a late answer meets nobody") {
    world w;
    w.users.delay = 11s; // the relay waits for ten
    auto ann = w.raw("ann");
    ann.challenge();
    auto request = ann.allocate_request();
    CHECK(ann.ask(request, 15s).code() == 500);
    CHECK(w.refused(reason::credential_timeout) == 1);
    CHECK(w.counters().pending.value() == 0);
    w.pass(10s);
    CHECK(w.counters().allocations.value() == 0);
    w.drain();
}

TEST_CASE("a full table of look-ups refuses nobody who is known already and recovers by itself") {
    world w(relay_options{.max_lookups = 4});
    auto early = w.client("early");
    REQUIRE(early.allocate() == 0);
    w.users.silent = true;
    for (int i = 0; i < 6; ++i) {
        auto c = w.raw("c" + std::to_string(i));
        c.challenge();
        auto request = c.allocate_request();
        request.integrity();
        c.send(request);
    }
    CHECK(w.counters().pending.value() == 4);
    CHECK(w.dropped(direction::up, reason::lookups_full) == 2);
    CHECK(early.refresh(600s) == 0);
    w.users.silent = false;
    w.pass(10s);
    auto late = w.client("late");
    CHECK(late.allocate() == 0);
    w.drain();
}

TEST_CASE("answers to look-ups come in any order and each meets its own request") {
    world w;
    w.users.delay = 2s;
    auto ann = w.raw("ann");
    auto bob = w.raw("bob");
    ann.challenge();
    bob.challenge();
    auto first = ann.allocate_request();
    first.integrity();
    ann.send(first);
    w.users.delay = 1s;
    auto second = bob.allocate_request();
    second.integrity();
    bob.send(second);
    w.pass(1s);
    REQUIRE(w.events.allocations_created.size() == 1);
    CHECK(w.events.allocations_created[0].username == "bob");
    w.pass(1s);
    REQUIRE(w.events.allocations_created.size() == 2);
    CHECK(w.events.allocations_created[1].username == "ann");
    CHECK(w.events.allocations_created[1].client == ann.address());
    w.drain();
}

TEST_CASE("an allocation that ends while its owner is looked up for another request changes nothing for the answer") {
    world w;
    auto ann = w.raw("ann");
    REQUIRE(ann.allocate().code() == 0);
    w.users.add("eve");
    w.users.delay = 2s;
    auto eve = ann; // the same 5-tuple, another user: looked up, verified, then refused
    eve.username = "eve";
    eve.password = turn::test::password_of("eve");
    auto request = eve.authenticated(stun::method::refresh);
    request.integrity();
    eve.send(request);
    CHECK(w.counters().pending.value() == 1);
    w.end_allocations_of("example.org", "ann");
    w.pass(2s);
    REQUIRE(eve.received().size() == 1);
    const turn::test::answer late(eve.received()[0], {});
    CHECK(late.code() == 437);
    CHECK(late.signed_with(eve.key()));
    w.drain();
}

TEST_CASE("a failing database is 500 and not 401 and the next request is served again") {
    world w;
    auto ann = w.raw("ann");
    ann.challenge();
    w.users.add("ann").refused = reason::credential_source_failed;
    CHECK(ann.allocate().code() == 500);
    w.users.add("ann").refused = reason::none;
    CHECK(ann.allocate().code() == 0);
    w.drain();
}
