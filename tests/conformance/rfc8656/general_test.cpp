/// What is true of every TURN message: RFC 8656, 5 and 6.

#include "support/story.hpp"

#include <set>

namespace turn::test {

TEST_CASE("RFC 8656 5: a NONCE lasts an hour and not longer") {
    world w;
    auto ann = w.raw("ann");
    REQUIRE(ann.allocate().code() == success);
    REQUIRE(ann.refresh(3600s).code() == success);
    w.pass(3590s);
    CHECK(ann.refresh(3600s).code() == success);
    w.pass(11s);
    CHECK(ann.refresh(3600s).code() == 438);
}

TEST_CASE("RFC 8656 5: a stale NONCE on an allocation is replaced and the allocation lives on") {
    world w;
    auto ann = w.raw("ann");
    REQUIRE(ann.allocate().code() == success);
    REQUIRE(ann.refresh(3600s).code() == success);
    w.pass(3590s);
    REQUIRE(ann.refresh(3600s).code() == success);
    w.pass(20s);
    const answer stale = ann.refresh(3600s);
    REQUIRE(stale.code() == 438);
    ann.nonce = nonce_of(stale);
    CHECK(ann.refresh(3600s).code() == success);
}

TEST_CASE("RFC 8656 5: Refresh and CreatePermission and ChannelBind without an allocation are answered 437") {
    world w;
    auto ann = w.raw("ann");
    auto& bob = w.peer();
    CHECK(refused_signed(ann.refresh(600s), ann, 437));
    CHECK(refused_signed(ann.permit(bob), ann, 437));
    CHECK(refused_signed(ann.bind_channel(0x4000, bob), ann, 437));
    CHECK(w.refused(reason::allocation_mismatch) == 3);
}

TEST_CASE("RFC 8656 5: 437 goes before what is wrong with the rest of the request") {
    world w;
    auto ann = w.raw("ann");
    CHECK(ann.ask(ann.authenticated(stun::method::create_permission)).code() == 437); // no peer: 400 otherwise
    CHECK(ann.permit({at("127.0.0.1:80")}).code() == 437);                            // 403 otherwise
    CHECK(ann.bind_channel(1, at("127.0.0.1:80")).code() == 437);                     // 400 otherwise
    REQUIRE(ann.allocate().code() == success);
    CHECK(ann.ask(ann.authenticated(stun::method::allocate)).code() == 437); // no transport: 400 otherwise
}

TEST_CASE("RFC 8656 5: 420 goes before 437 and before 441") {
    world w;
    auto ann = w.raw("ann");
    CHECK(ann.ask(ann.authenticated(stun::method::refresh).attribute(0x7abc, "")).code() == 420);
    REQUIRE(ann.allocate().code() == success);
    CHECK(ann.ask(ann.allocate_request().attribute(0x7abc, "")).code() == 420);
    w.users.add("eve");
    ann.username = "eve";
    ann.password = password_of("eve");
    CHECK(ann.ask(ann.authenticated(stun::method::refresh).attribute(0x7abc, "")).code() == 420);
}

TEST_CASE("RFC 8656 5: a Send indication and ChannelData without an allocation are ignored") {
    world w;
    auto ann = w.raw("ann");
    auto& bob = w.peer();
    ann.send_indication(bob.address, "hello");
    ann.send_channel_data(0x4000, "hello");
    CHECK(ann.received().empty());
    CHECK(bob.received.empty());
    CHECK(w.dropped(direction::up, reason::no_allocation) == 2);
}

TEST_CASE("RFC 8656 5: a request with another user's credentials is answered 441 and changes nothing") {
    world w;
    auto ann = w.raw("ann");
    auto& bob = w.peer();
    REQUIRE(ann.allocate().code() == success);
    REQUIRE(ann.permit(bob).code() == success);

    w.users.add("eve"); // known to the server, and on Ann's 5-tuple by whatever means
    raw_actor eve = ann;
    eve.username = "eve";
    eve.password = password_of("eve");
    CHECK(refused_signed(eve.refresh(0s), eve, 441));
    CHECK(refused_signed(eve.permit(bob), eve, 441));
    CHECK(refused_signed(eve.bind_channel(0x4000, bob), eve, 441));
    CHECK(w.refused(reason::wrong_credentials) == 3);

    bob.send(ann.relayed, "still here");
    w.settle();
    CHECK(ann.data_from(bob.address) == texts{"still here"});
}

TEST_CASE("RFC 8656 5: an Allocate of another user on the 5-tuple is answered 437") {
    world w;
    auto ann = w.raw("ann");
    REQUIRE(ann.allocate().code() == success);
    w.users.add("eve");
    raw_actor eve = ann;
    eve.username = "eve";
    eve.password = password_of("eve");
    CHECK(refused_signed(eve.allocate(), eve, 437));
}

TEST_CASE("RFC 8656 5: another user's wrong password on the 5-tuple is 401 and not 441") {
    world w;
    auto ann = w.raw("ann");
    REQUIRE(ann.allocate().code() == success);
    w.users.add("eve");
    raw_actor eve = ann;
    eve.username = "eve";
    eve.password = "guess";
    CHECK(eve.refresh(0s).code() == 401);
}

TEST_CASE("RFC 8656 5: the same client address at another listener has no allocation there") {
    world w(world_options{
        .listeners = {{at("198.51.100.1:3478"), "example.org"}, {at("198.51.100.1:3479"), "example.org"}}});
    auto here = w.raw("ann", {.listener = 0});
    REQUIRE(here.allocate().code() == success);

    // The same request bytes at the other listener, from the same client address.
    message refresh = here.authenticated(stun::method::refresh);
    refresh.integrity();
    const blob datagram = refresh.raw();
    const packet there{*w.socket_of(w.listener(1).local), here.address(), datagram};
    w.handle_batch({&there, 1});
    w.settle();
    CHECK(w.refused(reason::allocation_mismatch) == 1);
}

TEST_CASE("RFC 8656 5: SOFTWARE is in Allocate and Refresh responses whether they succeed or not") {
    world w;
    auto ann = w.raw("ann");
    CHECK(ann.challenge().has<stun::software>());
    CHECK(ann.refresh(600s).has<stun::software>()); // 437
    CHECK(ann.allocate().has<stun::software>());
    CHECK(ann.allocate().has<stun::software>()); // 437
    CHECK(ann.refresh(600s).has<stun::software>());
}

TEST_CASE("RFC 8656 6: no two allocations share a relayed transport address") {
    world w;
    std::set<transport_address, address_order> relayed;
    for (int i = 0; i < 20; ++i) {
        auto somebody = w.raw("ann");
        REQUIRE(somebody.allocate().code() == success);
        relayed.insert(somebody.relayed);
    }
    CHECK(relayed.size() == 20);
}

TEST_CASE("RFC 8656 6: data in both directions does not keep an allocation alive") {
    world w;
    auto ann = w.raw("ann");
    auto& bob = w.peer();
    REQUIRE(ann.allocate().code() == success);
    for (int i = 0; i < 5; ++i) {
        REQUIRE(ann.bind_channel(0x4000, bob).code() == success);
        ann.send_channel_data(0x4000, "up");
        bob.send(ann.relayed, "down");
        w.pass(119s);
    }
    CHECK(bob.received.size() == 5);
    CHECK(ann.channel_data(0x4000).size() == 5);
    w.pass(10s);
    CHECK(ann.refresh(600s).code() == 437);
}

TEST_CASE("RFC 8656 6: an expired allocation frees its 5-tuple and its port") {
    world w;
    auto ann = w.raw("ann");
    REQUIRE(ann.allocate().code() == success);
    w.pass(599s);
    CHECK(w.addresses.open().size() == 1);
    CHECK(ann.allocate().code() == 437);
    w.pass(1s);
    CHECK(w.addresses.open().empty());
    CHECK(w.quota_in_use() == 0);
    REQUIRE(w.events.allocations_ended.size() == 1);
    CHECK(w.events.allocations_ended[0].how == allocation_end::expired);
    CHECK(ann.allocate().code() == success);
}

TEST_CASE("RFC 8656 6: what arrives for a relayed address that is gone reaches nobody") {
    world w;
    auto ann = w.raw("ann");
    auto& bob = w.peer();
    REQUIRE(ann.allocate().code() == success);
    REQUIRE(ann.permit(bob).code() == success);
    REQUIRE(ann.refresh(0s).code() == success);
    // The next allocation gets the same socket id and port.
    auto cat = w.raw("cat");
    REQUIRE(cat.allocate().code() == success);
    REQUIRE(cat.relayed == ann.relayed);
    bob.send(ann.relayed, "for ann");
    w.settle();
    CHECK(cat.received().empty());
    CHECK(w.dropped(direction::down, reason::no_permission) == 1);
}

} // namespace turn::test
