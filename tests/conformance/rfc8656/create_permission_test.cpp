/// CreatePermission: RFC 8656, 10.2. All or nothing.

#include "support/story.hpp"

namespace turn::test {

TEST_CASE("RFC 8656 10.2: CreatePermission without XOR-PEER-ADDRESS is answered 400") {
    world w;
    auto ann = w.raw("ann");
    REQUIRE(ann.allocate().code() == success);
    CHECK(refused_signed(ann.ask(ann.authenticated(stun::method::create_permission)), ann, 400));
    CHECK(w.refused(reason::missing_attribute) == 1);
}

TEST_CASE("RFC 8656 10.2: one malformed XOR-PEER-ADDRESS among good ones is answered 400 and none is permitted") {
    world w;
    auto ann = w.raw("ann");
    auto& bob = w.peer();
    REQUIRE(ann.allocate().code() == success);
    const blob too_short = octets({0, 1, 0, 80, 25, 0, 7});
    message bad_last = ann.authenticated(stun::method::create_permission);
    bad_last.with<stun::xor_peer_address>(bob.address).attribute(stun::xor_peer_address::type, too_short);
    message bad_first = ann.authenticated(stun::method::create_permission);
    bad_first.attribute(stun::xor_peer_address::type, too_short).with<stun::xor_peer_address>(bob.address);
    CHECK(ann.ask(bad_last).code() == 400);
    CHECK(ann.ask(bad_first).code() == 400);
    CHECK(w.refused(reason::bad_attribute) == 2);
    CHECK(w.counters().permissions.value() == 0);
}

TEST_CASE("RFC 8656 10.2: one CreatePermission permits several peers") {
    world w;
    auto ann = w.raw("ann");
    auto& bob = w.peer();
    auto& cat = w.peer();
    auto& dan = w.peer();
    REQUIRE(ann.allocate().code() == success);
    const answer permitted = ann.permit({bob.address, cat.address, dan.address});
    REQUIRE(permitted.code() == success);
    for (auto* peer : {&bob, &cat, &dan}) {
        peer->send(ann.relayed, "hello");
        w.settle();
        CHECK(ann.data_from(peer->address) == texts{"hello"});
    }
}

TEST_CASE("RFC 8656 10.2: a peer named twice takes one permission") {
    relay_options options;
    options.permissions_per_allocation = 1;
    world w(options);
    auto ann = w.raw("ann");
    REQUIRE(ann.allocate().code() == success);
    CHECK(ann.permit({at("25.0.7.1:1"), at("25.0.7.1:2")}).code() == success);
    CHECK(w.counters().permissions.value() == 1);
}

TEST_CASE("RFC 8656 10.2: more permissions than an allocation may have are answered 508 and none is installed") {
    relay_options options;
    options.permissions_per_allocation = 2;
    world w(options);
    auto ann = w.raw("ann");
    auto& bob = w.peer();
    auto& cat = w.peer();
    auto& dan = w.peer();
    REQUIRE(ann.allocate().code() == success);
    CHECK(refused_signed(ann.permit({bob.address, cat.address, dan.address}), ann, 508));
    CHECK(w.refused(reason::permission_limit) == 1);
    CHECK(w.counters().permissions.value() == 0);

    REQUIRE(ann.permit({bob.address, cat.address}).code() == success);
    CHECK(ann.permit(dan).code() == 508);
    CHECK(ann.permit({bob.address, cat.address}).code() == success); // to refresh takes no room
    w.pass(300s);
    CHECK(ann.permit(dan).code() == success); // what expired made room
}

TEST_CASE("RFC 8656 10.2: a peer of a family that is not relayed is answered 443") {
    world w;
    auto ann = w.raw("ann");
    auto& bob = w.peer(address_family::ipv4);
    auto& six = w.peer(address_family::ipv6);
    REQUIRE(ann.allocate().code() == success);
    CHECK(refused_signed(ann.permit(six), ann, 443));
    CHECK(ann.permit({bob.address, six.address}).code() == 443);
    CHECK(w.refused(reason::wrong_family) == 2);
    CHECK(w.counters().permissions.value() == 0);
}

TEST_CASE("RFC 8656 10.2: one forbidden peer among good ones is answered 403 and none is permitted") {
    world w;
    auto ann = w.raw("ann");
    auto& bob = w.peer();
    REQUIRE(ann.allocate().code() == success);
    CHECK(refused_signed(ann.permit({bob.address, at("10.0.0.1:80")}), ann, 403));
    CHECK(ann.permit({at("10.0.0.1:80"), bob.address}).code() == 403);
    CHECK(w.counters().permissions.value() == 0);
    REQUIRE(w.refused(reason::peer_denied) == 2);
    const auto& told = w.events.requests_refused.back();
    CHECK(told.peer.same_ip(at("10.0.0.1:80")));
    CHECK(told.rule.find("10.0.0.0/8") != std::string::npos); // an operator wants to know which rule
}

TEST_CASE("RFC 8656 10.2: refusals come in the order 400 then 443 then 403 then 508") {
    relay_options options;
    options.permissions_per_allocation = 1;
    world w(options);
    auto ann = w.raw("ann");
    REQUIRE(ann.allocate().code() == success);
    const auto forbidden = at("127.0.0.1:80"), wrong_family = at("[2600::1]:80");
    const auto good = at("25.0.7.1:80"), one_too_many = at("25.0.7.2:80");
    message all_at_once = ann.authenticated(stun::method::create_permission);
    for (const auto& peer : {good, one_too_many, forbidden, wrong_family})
        all_at_once.with<stun::xor_peer_address>(peer);
    message and_malformed = all_at_once;
    and_malformed.attribute(stun::xor_peer_address::type, octets({0, 1}));
    CHECK(ann.ask(and_malformed).code() == 400);
    CHECK(ann.ask(all_at_once).code() == 443);
    CHECK(ann.permit({good, one_too_many, forbidden}).code() == 403);
    CHECK(ann.permit({good, one_too_many}).code() == 508);
    CHECK(ann.permit({good}).code() == success);
}

TEST_CASE("RFC 8656 10.2: the port in CreatePermission does not matter") {
    world w;
    auto ann = w.raw("ann");
    auto& bob = w.peer();
    REQUIRE(ann.allocate().code() == success);
    CHECK(ann.permit({bob.address.with_port(0)}).code() == success);
    bob.send(ann.relayed, "hello");
    w.settle();
    CHECK(ann.data_from(bob.address) == texts{"hello"});
}

TEST_CASE("RFC 8656 10.2: the observer may forbid a peer that the policy allows") {
    world w;
    auto ann = w.raw("ann");
    auto& bob = w.peer();
    auto& cat = w.peer();
    w.events.peers_allowed = [&](const transport_address& peer) { return !peer.same_ip(cat.address); };
    REQUIRE(ann.allocate().code() == success);
    CHECK(ann.permit(bob).code() == success);
    CHECK(ann.permit(cat).code() == 403);
    CHECK(ann.bind_channel(0x4000, cat).code() == 403);
    CHECK(w.refused(reason::peer_denied) == 2);
}

} // namespace turn::test
