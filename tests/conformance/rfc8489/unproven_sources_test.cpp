/// A server must be a poor reflector: RFC 8489, 16.1.2. What an address that has proven nothing can cause.

#include "support/story.hpp"

namespace turn::test {

namespace {

std::size_t on_the_wire(bytes datagram, const transport_address& a) {
    return datagram.size() + (a.is_ipv4() ? 20U : 40U) + 8U; // IP and UDP headers
}

/// A world that gives unproven sources this many bytes a second.
relay_options budget(std::size_t bytes_per_second) {
    relay_options options;
    options.unauthenticated_bytes_per_second = bytes_per_second;
    return options;
}

/// How many of `tries` unsigned requests are answered.
int answered(raw_actor& who, int tries) {
    int count = 0;
    for (int i = 0; i < tries; ++i) count += who.ask(who.request(stun::method::allocate), 0ms).code() == 401;
    return count;
}

} // namespace

TEST_CASE("RFC 8489 16.1.2: a challenge is at most three times its request") {
    world w;
    for (const std::size_t listener : {0U, 1U}) { // IPv4 and IPv6
        auto eve = w.raw("eve", {.listener = listener});
        message bare = eve.request(stun::method::allocate);
        message usual = eve.request(stun::method::allocate).with<stun::requested_transport>(17);
        message checked = eve.request(stun::method::allocate).fingerprint();
        message made_up = eve.request(stun::method::allocate)
                              .with<stun::username>("u")
                              .with<stun::realm>("example.org")
                              .with<stun::nonce>("n");
        made_up.integrity(eve.key());
        for (const message& request : {bare, usual, checked, made_up}) {
            const answer challenged = eve.ask(request);
            CHECK((challenged.code() == 401 || challenged.code() == 438));
            CHECK(on_the_wire(challenged.raw(), eve.address()) <= 3 * on_the_wire(request.view(), eve.address()));
        }
        const message binding = eve.request(stun::method::binding);
        CHECK(on_the_wire(eve.ask(binding).raw(), eve.address()) <= 3 * on_the_wire(binding.view(), eve.address()));
    }
}

TEST_CASE("RFC 8489 16.1.2: the reason phrase gives way to a long REALM") {
    const std::string longest_that_fits(44, 'r');
    world w(world_options{.listeners = {{*transport_address::parse("198.51.100.1:3478"), longest_that_fits}}});
    auto eve = w.raw("eve");
    const message usual = eve.request(stun::method::allocate).with<stun::requested_transport>(17);
    const answer challenged = eve.ask(usual);
    REQUIRE(challenged.code() == 401);
    CHECK(challenged.get<stun::realm>() == longest_that_fits);
    CHECK(challenged.has<stun::nonce>());
    CHECK(challenged.get<stun::error_code>()->phrase.empty());
    CHECK(on_the_wire(challenged.raw(), eve.address()) <= 3 * on_the_wire(usual.view(), eve.address()));
}

TEST_CASE("RFC 8489 16.1.2: SOFTWARE gives way where it would make a challenge too large") {
    relay_options options;
    options.software = std::string(120, 's');
    world w(options);
    auto eve = w.raw("eve");
    const message bare = eve.request(stun::method::allocate);
    const answer challenged = eve.ask(bare);
    REQUIRE(challenged.code() == 401);
    CHECK(on_the_wire(challenged.raw(), eve.address()) <= 3 * on_the_wire(bare.view(), eve.address()));
    CHECK(eve.allocate().get<stun::software>() == options.software); // who has proven himself hears it
}

TEST_CASE("RFC 8489 16.1.2: answers to one unproven prefix stay within a byte budget") {
    world w(budget(1000));
    auto eve = w.raw("eve", {.address = at("192.18.7.1:1000")});
    std::size_t bytes_out = 0;
    for (int i = 0; i < 50; ++i)
        if (const answer a = eve.ask(eve.request(stun::method::allocate), 0ms); a)
            bytes_out += on_the_wire(a.raw(), eve.address());
    CHECK(bytes_out <= 1000);
    CHECK(bytes_out > 500);
    CHECK(w.dropped(direction::up, reason::rate_limited) > 0);
}

TEST_CASE("RFC 8489 16.1.2: the budget is one for a whole /24 or /56 and no more") {
    world w(budget(1000));
    auto eve = w.raw("eve", {.address = at("192.18.7.1:1000")});
    auto next_door = w.raw("eve", {.address = at("192.18.7.254:1")});
    auto other_street = w.raw("ann", {.address = at("192.18.8.1:1000")});
    CHECK(answered(eve, 50) > 0);
    CHECK(answered(next_door, 5) == 0);
    CHECK(answered(other_street, 5) == 5);

    auto six = w.raw("eve", {.listener = 1, .address = at("[2a01:7:0:ff00::1]:1000")});
    auto six_next_door = w.raw("eve", {.listener = 1, .address = at("[2a01:7:0:ffff:1::2]:1")});
    auto six_elsewhere = w.raw("ann", {.listener = 1, .address = at("[2a01:7:1:0::1]:1000")});
    CHECK(answered(six, 50) > 0);
    CHECK(answered(six_next_door, 5) == 0);
    CHECK(answered(six_elsewhere, 5) == 5);
}

TEST_CASE("RFC 8489 16.1.2: a Binding counts for the budget like a challenge") {
    world w(budget(1000));
    auto eve = w.raw("eve");
    int answers = 0;
    for (int i = 0; i < 50; ++i) answers += eve.ask(eve.request(stun::method::binding), 0ms).code() == success;
    CHECK(answers > 0);
    CHECK(answers < 20);
}

TEST_CASE("RFC 8489 16.1.2: a valid NONCE is always answered") {
    world w(budget(1000));
    auto ann = w.raw("ann", {.password = "guess", .address = at("192.18.7.1:1000")});
    auto eve = w.raw("eve", {.address = at("192.18.7.2:1000")});
    REQUIRE(ann.challenge().code() == 401);
    answered(eve, 50);
    REQUIRE(answered(eve, 1) == 0);

    for (int i = 0; i < 30; ++i) CHECK(ann.ask(ann.allocate_request(), 0ms).code() == 401); // even when it is no
    ann.password = password_of("ann");
    CHECK(ann.allocate().code() == success);
    for (int i = 0; i < 30; ++i) CHECK(ann.ask(ann.authenticated(stun::method::refresh), 0ms).code() == success);
}

TEST_CASE("RFC 8489 16.1.2: the budget comes back with time") {
    world w(budget(1000));
    auto eve = w.raw("eve");
    const int at_once = answered(eve, 50);
    w.pass(500ms);
    const int after_half_a_second = answered(eve, 50);
    CHECK(after_half_a_second > 0);
    CHECK(after_half_a_second < at_once);
    w.pass(10s);
    CHECK(answered(eve, 50) == at_once);
}

TEST_CASE("RFC 8489 16.1.2: exempt prefixes and a budget of zero know no limit") {
    relay_options options = budget(1000);
    options.unauthenticated_exempt = {prefix("192.18.7.0/24")};
    world w(options);
    auto exempt = w.raw("ann", {.address = at("192.18.7.1:1000")});
    auto eve = w.raw("eve", {.address = at("192.18.8.1:1000")});
    CHECK(answered(exempt, 50) == 50);
    CHECK(answered(eve, 50) < 50);

    world generous(budget(0));
    auto anybody = generous.raw("ann");
    CHECK(answered(anybody, 50) == 50);
}

} // namespace turn::test
