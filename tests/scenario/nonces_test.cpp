#include <doctest/doctest.h>

#include "support/world.hpp"

using namespace std::chrono_literals;
using namespace turn;
using turn::test::world;
using texts = std::vector<std::string>;

TEST_CASE("RFC 8489 9.2.4: a nonce that goes stale in the middle of a call is replaced unnoticed") {
    world w(relay_options{.nonce_lifetime = 400s});
    auto ann = w.client("ann", {.keep_alive = true});
    auto& bob = w.peer();
    REQUIRE(ann.allocate() == 0);
    REQUIRE(ann.bind_channel(0x4000, bob) == 0);
    for (int i = 0; i < 20; ++i) {
        w.pass(100s);
        bob.send(ann.relayed, "x");
    }
    CHECK(ann.channel_data(0x4000).size() == 20);
    CHECK(w.refused(reason::stale_nonce) >= 3); // 400 s each, found out by the next keep-alive
    CHECK(ann.failures().empty());
    w.drain();
}

TEST_CASE("RFC 8489 9.2.4: a stale nonce costs one more question and no look-up for an owner") {
    world w(relay_options{.nonce_lifetime = 60s});
    auto ann = w.client("ann");
    REQUIRE(ann.allocate() == 0);
    w.pass(61s);
    CHECK(ann.refresh(600s) == 0);
    CHECK(w.refused(reason::stale_nonce) == 1);
    CHECK(w.users.lookups == 1);
    w.drain();
}

TEST_CASE("RFC 8489 9.2.4: a nonce given to one address is worth nothing at another and buys no look-up") {
    world w;
    auto ann = w.raw("ann");
    auto eve = w.raw("ann"); // the same user elsewhere
    ann.challenge();
    eve.nonce = ann.nonce;
    auto stolen = eve.allocate_request();
    CHECK(eve.ask(stolen).code() == 438);
    CHECK(w.refused(reason::foreign_nonce) == 1);
    CHECK(w.users.lookups == 0);
    w.drain();
}

TEST_CASE("after one wrong password the next request is served") {
    world w;
    auto ann = w.raw("ann");
    ann.password = "oops";
    CHECK(ann.allocate().code() == 401);
    ann.password = turn::test::password_of("ann");
    CHECK(ann.allocate().code() == 0);
    w.drain();
}

TEST_CASE("RFC 8489 9.2.4: realms are apart: a user of one is nobody in the other") {
    world w({.listeners = {{*transport_address::parse("198.51.100.1:3478"), "example.org"},
                           {*transport_address::parse("198.51.100.2:3478"), "elsewhere.example"}}});
    auto ann = w.client("ann");
    auto stranger = w.client("ann", {.listener = 1, .known = false});
    CHECK(ann.allocate() == 0);
    CHECK(stranger.allocate() == 401);
    CHECK(stranger.core().realm() == "elsewhere.example");
    w.users.add("ann", {}, "elsewhere.example");
    CHECK(stranger.allocate() == 0);
    w.drain();
}

TEST_CASE("431 when configured: for a wrong password and for a user nobody knows") {
    world w(relay_options{.integrity_failure_code = 431});
    auto ann = w.client("ann", {.password = "wrong"});
    auto eve = w.client("eve", {.known = false});
    CHECK(ann.allocate() == 431);
    CHECK(eve.allocate() == 431);
    CHECK(w.refused(reason::bad_password) == 1);
    CHECK(w.refused(reason::unknown_user) == 1);
    w.drain();
}
