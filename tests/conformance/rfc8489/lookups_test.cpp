/// What the server asks its user directory, and when it does not: RFC 8489, 9.2.4, with answers that take their time.

#include "support/story.hpp"

namespace turn::test {

TEST_CASE("RFC 8656 6: an allocation lives on its key and asks nobody again") {
    world w;
    auto ann = w.raw("ann");
    auto& bob = w.peer();
    REQUIRE(ann.allocate().code() == success);
    CHECK(w.users.lookups == 1);
    // The password is changed; whoever holds the allocation goes on with the old one.
    w.users.add("ann", "changed");
    CHECK(ann.refresh(600s).code() == success);
    CHECK(ann.permit(bob).code() == success);
    CHECK(ann.bind_channel(0x4000, bob).code() == success);
    CHECK(w.users.lookups == 1);

    auto elsewhere = w.raw("ann", {.known = false, .password = password_of("ann")});
    CHECK(elsewhere.allocate().code() == 401);
}

TEST_CASE("RFC 8656 6: an allocation outlives the expiry of the credential it was made with") {
    world w;
    auto ann = w.raw("ann");
    REQUIRE(ann.allocate().code() == success);
    w.users.add("ann").refused = reason::expired;
    CHECK(ann.refresh(600s).code() == success);
}

TEST_CASE("RFC 8656 6: an integrity failure on an allocation is one and does it no harm") {
    world w;
    auto ann = w.raw("ann");
    REQUIRE(ann.allocate().code() == success);
    ann.password = "guess";
    CHECK(ann.refresh(0s).code() == 401);
    CHECK(w.refused(reason::bad_password) == 1);
    ann.password = password_of("ann");
    CHECK(ann.refresh(600s).code() == success);
}

TEST_CASE("RFC 8489 9.2.4: an expired credential is answered 401 and the observer hears since when") {
    world w;
    auto& user = w.users.add("ann");
    user.refused = reason::expired;
    user.expired_for = 90s;
    auto ann = w.raw("ann", {.known = false, .password = password_of("ann")});
    CHECK(ann.allocate().code() == 401);
    REQUIRE(w.refused(reason::expired) == 1);
    const auto& told = w.events.requests_refused.back();
    CHECK(told.why == reason::expired);
    CHECK(told.expired_for == 90s);
    CHECK(told.username == "ann");
}

TEST_CASE("RFC 8489 14.8: a directory that fails is our fault and answered 500") {
    world w;
    w.users.add("ann").refused = reason::credential_source_failed;
    auto ann = w.raw("ann", {.known = false, .password = password_of("ann")});
    CHECK(ann.allocate().code() == 500);
    CHECK(w.refused(reason::credential_source_failed) == 1);
}

TEST_CASE("RFC 8489 14.8: a directory that never answers is answered 500 for after the time-out") {
    world w;
    w.users.silent = true;
    auto ann = w.raw("ann");
    REQUIRE(ann.challenge().code() == 401);
    ann.send(ann.allocate_request().integrity());
    w.pass(9s);
    CHECK(ann.received().empty());
    CHECK(w.counters().pending.value() == 1);
    w.pass(2s);
    REQUIRE(ann.received().size() == 1);
    CHECK(answer(ann.take()[0], {}).code() == 500);
    CHECK(w.refused(reason::credential_timeout) == 1);
    CHECK(w.counters().pending.value() == 0);
}

TEST_CASE("RFC 8489 6.3.1: retransmissions while the directory thinks cost one look-up and get one answer") {
    world w;
    w.users.delay = 2s;
    auto ann = w.raw("ann");
    REQUIRE(ann.challenge().code() == 401);
    message allocate = ann.allocate_request();
    allocate.integrity();
    for (int i = 0; i < 3; ++i) {
        ann.send(allocate);
        w.pass(500ms);
    }
    CHECK(w.users.lookups == 1);
    w.pass(2s);
    CHECK(ann.received().size() == 1);
    CHECK(w.addresses.open().size() == 1);
}

TEST_CASE("RFC 8489 9.2.4: a request that waited for the directory until its NONCE expired is answered 438") {
    relay_options options;
    options.nonce_lifetime = 60s;
    world w(options);
    auto ann = w.raw("ann");
    REQUIRE(ann.challenge().code() == 401);
    w.pass(58s);
    w.users.delay = 5s;
    CHECK(ann.ask(ann.allocate_request()).code() == 438);
}

TEST_CASE("RFC 8489 9.2.4: more look-ups at once than the server keeps are dropped with a reason") {
    relay_options options;
    options.max_lookups = 2;
    world w(options);
    w.users.delay = 1s;
    std::vector<raw_actor> people;
    for (const char* name : {"ann", "bea", "cat"}) {
        people.push_back(w.raw(name));
        REQUIRE(people.back().challenge().code() == 401);
        people.back().send(people.back().allocate_request().integrity());
    }
    w.settle();
    CHECK(w.counters().pending.value() == 2);
    CHECK(w.dropped(direction::up, reason::lookups_full) == 1);
    w.pass(2s);
    CHECK(w.addresses.open().size() == 2);
    CHECK(people.back().allocate().code() == success); // her client retransmits
}

TEST_CASE("RFC 8489 9.2.4: a request above 4096 bytes does not wait for the directory and is dropped with a reason") {
    world w;
    auto ann = w.raw("ann");
    REQUIRE(ann.challenge().code() == 401);
    constexpr std::uint16_t nobody_minds = 0x80ff; // comprehension-optional
    constexpr std::size_t around = 4 + 24;         // its header, and MESSAGE-INTEGRITY behind it
    const auto of_size = [&](message m, std::size_t size) {
        return m.attribute(nobody_minds, std::string(size - around - m.raw().size(), 'x')).integrity();
    };
    CHECK(ann.ask(of_size(ann.allocate_request(), 4100)).code() == silence);
    CHECK(w.dropped(direction::up, reason::too_big) == 1);
    CHECK(w.users.lookups == 0);
    CHECK(w.counters().pending.value() == 0);

    CHECK(ann.ask(of_size(ann.allocate_request(), 4096)).code() == success);
    CHECK(w.users.lookups == 1);
    // Whoever has an allocation waits for nobody.
    CHECK(ann.ask(of_size(ann.authenticated(stun::method::refresh), 8000)).code() == success);
}

} // namespace turn::test
