/// USERHASH in place of USERNAME: RFC 8489, 9.2.4 and 14.4.

#include "support/story.hpp"

namespace turn::test {

namespace {

relay_options hiding() {
    relay_options options;
    options.username_anonymity = true;
    return options;
}

} // namespace

TEST_CASE("RFC 8489 9.2.4: who hides its name behind USERHASH is served and known by its name") {
    world w(hiding());
    auto ann = w.raw("ann");
    auto& bob = w.peer();
    ann.hides_name = true;
    for (const answer& done : {ann.allocate(), ann.refresh(600s), ann.permit(bob), ann.bind_channel(0x4000, bob)}) {
        REQUIRE(done.code() == success);
        CHECK(done.signed_with(ann.key()));
        CHECK_FALSE(done.has<stun::userhash>());
    }
    CHECK(w.users.lookups == 1);
    REQUIRE(w.events.allocations_created.size() == 1);
    CHECK(w.events.allocations_created[0].username == "ann");
}

TEST_CASE("RFC 8489 9.2.4: USERHASH goes with SHA-256 and its allocation answers to the name as well") {
    world w(hiding());
    auto ann = w.raw("ann");
    ann.hides_name = true;
    ann.algorithm = stun::password_algorithm_number::sha256;
    REQUIRE(ann.allocate().code() == success);
    ann.hides_name = false;
    CHECK(ann.refresh(600s).code() == success);
    ann.hides_name = true;
    CHECK(ann.refresh(600s).code() == success);

    // And the other way round: what was made by name is asked for by hash.
    auto bea = w.raw("bea");
    REQUIRE(bea.allocate().code() == success);
    bea.hides_name = true;
    CHECK(bea.refresh(600s).code() == success);
}

TEST_CASE("RFC 8489 9.2.4: a USERHASH that nobody has is answered 401 with REALM and NONCE") {
    world w(hiding());
    auto nobody = w.raw("nobody", {.known = false});
    nobody.hides_name = true;
    const answer refused = nobody.allocate();
    CHECK(refused.code() == 401);
    CHECK(refused.get<stun::realm>() == "example.org");
    CHECK(refused.has<stun::nonce>());
    CHECK(refused.has<stun::password_algorithms>());
    CHECK_FALSE(refused.has<stun::userhash>());
    CHECK_FALSE(refused.view().has_integrity());
    CHECK(w.refused(reason::unknown_user) == 1);
}

TEST_CASE("RFC 8489 9.2.4: the log hears who it was that hid its name and gave a wrong password") {
    world w(hiding());
    auto ann = w.raw("ann", {.password = "guess"});
    ann.hides_name = true;
    CHECK(ann.allocate().code() == 401);
    CHECK(w.events.requests_refused.back().why == reason::bad_password);
    CHECK(w.events.requests_refused.back().username == "ann");
}

TEST_CASE("RFC 8489 9.2.4: an allocation is refused to another USERHASH with 441") {
    world w(hiding());
    auto ann = w.raw("ann");
    ann.hides_name = true;
    REQUIRE(ann.allocate().code() == success);
    w.users.add("eve", "hers");
    ann.username = "eve";
    ann.password = "hers";
    CHECK(refused_signed(ann.refresh(600s), ann, 441));
}

TEST_CASE("RFC 8489 9.2.4: the quota of a user counts what he has under name and hash together") {
    world w(world_options{.relay = hiding(), .quota = {.total = 100, .per_user = 1}});
    auto open = w.raw("ann");
    auto hidden = w.raw("ann");
    hidden.hides_name = true;
    REQUIRE(open.allocate().code() == success);
    CHECK(hidden.allocate().code() == 486);
}

TEST_CASE("RFC 8489 9.2.4: a user who is removed loses what he has under his hash") {
    world w(hiding());
    auto ann = w.raw("ann");
    ann.hides_name = true;
    REQUIRE(ann.allocate().code() == success);
    w.end_allocations_of("example.org", "ann");
    CHECK(ann.refresh(600s).code() == 437);
}

TEST_CASE("RFC 8489 14.4: a USERHASH that has not 32 bytes is answered 400") {
    world w(hiding());
    auto ann = w.raw("ann");
    REQUIRE(ann.challenge().code() == 401);
    for (const std::size_t size : {0U, 31U, 33U}) {
        message m = ann.request(stun::method::allocate).with<stun::requested_transport>(17);
        m.credentials("", ann.realm, ann.nonce, ann.key()).attribute(stun::userhash::type, std::string(size, 'x'));
        CHECK(ann.ask(m).code() == 400);
    }
    CHECK(w.refused(reason::bad_attribute) == 3);
}

TEST_CASE("RFC 8489 14.4: the hash is made of what OpaqueString makes of the name") {
    world w(hiding());
    w.users.add("j\u00fcrgen", "gr\u00fc\u00dfe");
    auto decomposed = w.raw("ju\u0308rgen", {.known = false, .password = "gr\u00fc\u00dfe"});
    decomposed.hides_name = true;
    message m = decomposed.request(stun::method::allocate).with<stun::requested_transport>(17);
    REQUIRE(decomposed.challenge().code() == 401);
    const auto key = *stun::long_term_key("j\u00fcrgen", "example.org", "gr\u00fc\u00dfe");
    m.credentials("", decomposed.realm, decomposed.nonce, key);
    m.with<stun::userhash>(*stun::hash_username(decomposed.username, decomposed.realm));
    CHECK(decomposed.ask(m).code() == success);
}

TEST_CASE("RFC 8489 9.2.4: with USERNAME and USERHASH the name is what counts") {
    world w(hiding());
    w.users.add("eve");
    auto ann = w.raw("ann");
    message m = ann.allocate_request().with<stun::userhash>(*stun::hash_username("eve", "example.org"));
    CHECK(ann.ask(m).code() == success);
    CHECK(w.events.allocations_created.at(0).username == "ann");
}

TEST_CASE("RFC 8489 9.2.4: who tells its name where it need not is served all the same") {
    world w(hiding());
    auto ann = w.raw("ann"); // a client of RFC 5389
    CHECK(ann.allocate().code() == success);
}

TEST_CASE("RFC 8489 9.2.5: turn::client hides its name where it is asked to and is known all the same") {
    for (const bool asked : {true, false}) {
        relay_options options;
        options.username_anonymity = asked;
        world w(options);
        auto ann = w.client("ann", {.keep_alive = true});
        auto& bob = w.peer();
        REQUIRE(ann.allocate() == 0);
        CHECK(w.users.asked_by_hash == (asked ? 1U : 0U));
        REQUIRE(ann.bind_channel(0x4000, bob) == 0);
        w.pass(4000s); // nonces become stale on the way
        bob.send(ann.relayed, "still there");
        CHECK(ann.channel_data(0x4000) == texts{"still there"});
        CHECK(w.users.lookups == 1);
        CHECK(w.events.allocations_created.at(0).username == "ann");
    }
}

} // namespace turn::test
