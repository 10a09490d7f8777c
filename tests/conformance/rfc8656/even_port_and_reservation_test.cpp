/// EVEN-PORT and RESERVATION-TOKEN: RFC 8656, 7.2 items 5 and 8, and 18.7.

#include "support/story.hpp"

namespace turn::test {

namespace {

answer allocate_with_token(raw_actor& who, const relay_addresses::token& token) {
    const answer a = who.ask(who.allocate_request().with<stun::reservation_token>(token));
    if (const auto relayed = a.get<stun::xor_relayed_address>()) who.relayed = *relayed;
    return a;
}

answer allocate_even(raw_actor& who, bool reserve_next) {
    const answer a = who.ask(who.allocate_request().with<stun::even_port>({reserve_next}));
    if (const auto relayed = a.get<stun::xor_relayed_address>()) who.relayed = *relayed;
    return a;
}

} // namespace

TEST_CASE("RFC 8656 7.2: EVEN-PORT gets an even port") {
    world w;
    auto ann = w.raw("ann");
    auto bea = w.raw("bea");
    REQUIRE(ann.allocate().code() == success); // takes the first port, an even one; the next free one is odd
    REQUIRE(allocate_even(bea, false).code() == success);
    CHECK(bea.relayed.port % 2 == 0);
    CHECK(bea.relayed.port == ann.relayed.port + 2);
}

TEST_CASE("RFC 8656 7.2: EVEN-PORT without a reservation leaves the odd port to others") {
    world w;
    auto ann = w.raw("ann");
    auto bea = w.raw("bea");
    const answer even = allocate_even(ann, false);
    REQUIRE(even.code() == success);
    CHECK_FALSE(even.has<stun::reservation_token>());
    REQUIRE(bea.allocate().code() == success);
    CHECK(bea.relayed.port == ann.relayed.port + 1);
}

TEST_CASE("RFC 8656 7.2: EVEN-PORT with a reservation gets an even port and a token for the next one") {
    world w;
    auto ann = w.raw("ann");
    auto bea = w.raw("bea");
    const answer even = allocate_even(ann, true);
    REQUIRE(even.code() == success);
    CHECK(ann.relayed.port % 2 == 0);
    CHECK(even.has<stun::reservation_token>());
    CHECK(w.addresses.reserved(w.now()) == 1);
    REQUIRE(bea.allocate().code() == success);
    CHECK(bea.relayed.port != ann.relayed.port + 1); // it waits for its token
}

TEST_CASE("RFC 8656 7.2: a reserved port is given to whoever brings its token") {
    world w;
    auto ann = w.raw("ann");
    const auto token = allocate_even(ann, true).get<stun::reservation_token>();
    REQUIRE(token);
    auto bea = w.raw("bea", {.listener = 1}); // another user, another address, another listener and family
    REQUIRE(allocate_with_token(bea, *token).code() == success);
    CHECK(bea.relayed == ann.relayed.with_port(static_cast<std::uint16_t>(ann.relayed.port + 1)));
    CHECK(w.addresses.reserved(w.now()) == 0);
}

TEST_CASE("RFC 8656 7.2: a token works once") {
    world w;
    auto ann = w.raw("ann");
    auto bea = w.raw("bea");
    auto cat = w.raw("cat");
    const auto token = allocate_even(ann, true).get<stun::reservation_token>();
    REQUIRE(token);
    REQUIRE(allocate_with_token(bea, *token).code() == success);
    CHECK(refused_signed(allocate_with_token(cat, *token), cat, 508));
    CHECK(w.refused(reason::bad_token) == 1);
}

TEST_CASE("RFC 8656 7.2: a token that was never given is answered 508") {
    world w;
    auto ann = w.raw("ann");
    CHECK(allocate_with_token(ann, relay_addresses::token{}).code() == 508);
    CHECK(w.refused(reason::bad_token) == 1);
    CHECK(w.quota_in_use() == 0);
}

TEST_CASE("RFC 8656 7.2: a reservation is held for 30 seconds") {
    world w;
    auto ann = w.raw("ann");
    auto bea = w.raw("bea");
    const auto token = allocate_even(ann, true).get<stun::reservation_token>();
    REQUIRE(token);
    w.pass(29s);
    CHECK(allocate_with_token(bea, *token).code() == success);
}

TEST_CASE("RFC 8656 7.2: a reservation outlives the allocation it was made with") {
    world w;
    auto ann = w.raw("ann");
    auto bea = w.raw("bea");
    const auto token = allocate_even(ann, true).get<stun::reservation_token>();
    REQUIRE(token);
    REQUIRE(ann.refresh(0s).code() == success);
    CHECK(allocate_with_token(bea, *token).code() == success);
}

TEST_CASE("RFC 8656 7.2: a reservation that nobody took ends") {
    world w;
    auto ann = w.raw("ann");
    auto bea = w.raw("bea");
    const auto token = allocate_even(ann, true).get<stun::reservation_token>();
    REQUIRE(token);
    w.pass(31s);
    CHECK(allocate_with_token(bea, *token).code() == 508);
    REQUIRE(bea.allocate().code() == success);
    CHECK(bea.relayed.port == ann.relayed.port + 1); // free for anybody
}

TEST_CASE("RFC 8656 7.2: a refused Allocate takes no reservation with it") {
    world w(world_options{.quota = {.total = 100, .per_user = 1}});
    auto ann = w.raw("ann");
    auto again = w.raw("ann");
    auto bea = w.raw("bea");
    const auto token = allocate_even(ann, true).get<stun::reservation_token>();
    REQUIRE(token);
    REQUIRE(allocate_with_token(again, *token).code() == 486);
    CHECK(allocate_with_token(bea, *token).code() == success);
}

TEST_CASE("RFC 8656 7.2: an even port that is not to be had is answered 508") {
    world w;
    w.addresses.port_min = w.addresses.port_max = 50'001; // one port, an odd one
    auto ann = w.raw("ann");
    CHECK(allocate_even(ann, false).code() == 508);
    CHECK(allocate_even(ann, true).code() == 508);
    CHECK(w.refused(reason::no_ports) == 2);
    CHECK(ann.allocate().code() == success);
}

TEST_CASE("RFC 8656 7.2: a pair of ports that is not to be had is answered 508") {
    world w;
    w.addresses.port_min = w.addresses.port_max = 50'000; // one port, an even one
    auto ann = w.raw("ann");
    CHECK(allocate_even(ann, true).code() == 508);
    CHECK(allocate_even(ann, false).code() == success);
}

TEST_CASE("RFC 8656 7.2: RESERVATION-TOKEN next to EVEN-PORT or an address family is answered 400") {
    world w;
    auto ann = w.raw("ann");
    auto bea = w.raw("bea");
    const auto token = allocate_even(ann, true).get<stun::reservation_token>();
    REQUIRE(token);
    const auto with_token = [&] { return bea.allocate_request().with<stun::reservation_token>(*token); };
    CHECK(bea.ask(with_token().with<stun::even_port>({false})).code() == 400);
    CHECK(bea.ask(with_token().with<stun::even_port>({true})).code() == 400);
    CHECK(bea.ask(with_token().with<stun::requested_address_family>(address_family::ipv4)).code() == 400);
    CHECK(bea.ask(with_token().with<stun::additional_address_family>(address_family::ipv6)).code() == 400);
    CHECK(w.refused(reason::bad_attribute) == 4);
    CHECK(allocate_with_token(bea, *token).code() == success); // it was not spent on the way
}

TEST_CASE("RFC 8656 18.10: a RESERVATION-TOKEN that is not eight bytes is answered 400") {
    world w;
    auto ann = w.raw("ann");
    for (const std::size_t size : {0U, 7U, 9U})
        CHECK(ann.ask(ann.allocate_request().attribute(stun::reservation_token::type, blob(size))).code() == 400);
}

TEST_CASE("RFC 8656 18.7: of EVEN-PORT only the first bit matters") {
    world w;
    auto ann = w.raw("ann");
    const answer even = ann.ask(ann.allocate_request().attribute(stun::even_port::type, octets({0x7f})));
    REQUIRE(even.code() == success);
    CHECK_FALSE(even.has<stun::reservation_token>());
    auto bea = w.raw("bea");
    CHECK(bea.ask(bea.allocate_request().attribute(stun::even_port::type, octets({0xff})))
              .has<stun::reservation_token>());
    auto cat = w.raw("cat");
    CHECK(cat.ask(cat.allocate_request().attribute(stun::even_port::type, blob{})).code() == 400);
    CHECK(cat.ask(cat.allocate_request().attribute(stun::even_port::type, octets({0x80, 0}))).code() == 400);
}

} // namespace turn::test
