/// Who may ask: RFC 8489, 9.2.4.

#include "support/story.hpp"

#include <set>

namespace turn::test {

TEST_CASE("RFC 8489 9.2.4: a request without MESSAGE-INTEGRITY is answered 401 with REALM and NONCE") {
    world w;
    auto ann = w.raw("ann");
    for (const auto m :
         {stun::method::allocate, stun::method::refresh, stun::method::create_permission, stun::method::channel_bind}) {
        const answer challenged = ann.ask(ann.request(m));
        CHECK(challenged.code() == 401);
        CHECK(challenged.get<stun::realm>() == "example.org");
        CHECK(challenged.has<stun::nonce>());
    }
    CHECK(w.refused(reason::first_challenge) == 4);
    CHECK(w.requests(request_method::allocate, request_result::challenged) == 1);
}

TEST_CASE("RFC 8489 9.2.4: a 401 is not signed and repeats no USERNAME") {
    world w;
    auto ann = w.raw("ann", {.password = "guess"});
    for (const answer& refused : {ann.challenge(), ann.allocate()}) {
        REQUIRE(refused.code() == 401);
        CHECK_FALSE(refused.view().has_integrity());
        CHECK_FALSE(refused.has<stun::username>());
    }
}

TEST_CASE("RFC 8489 9.2.4: no two challenges have the same NONCE") {
    world w;
    auto ann = w.raw("ann");
    auto bea = w.raw("bea");
    std::set<std::string> nonces;
    for (int i = 0; i < 50; ++i) {
        nonces.insert(nonce_of(ann.challenge()));
        nonces.insert(nonce_of(bea.challenge()));
    }
    CHECK(nonces.size() == 100);
}

TEST_CASE("RFC 8489 9.2.4: MESSAGE-INTEGRITY without USERNAME or REALM or NONCE is answered 400 unsigned") {
    world w;
    auto ann = w.raw("ann");
    REQUIRE(ann.challenge().code() == 401);
    for (const int missing : {0, 1, 2}) {
        message allocate = ann.request(stun::method::allocate);
        if (missing != 0) allocate.with<stun::username>(ann.username);
        if (missing != 1) allocate.with<stun::realm>(ann.realm);
        if (missing != 2) allocate.with<stun::nonce>(ann.nonce);
        allocate.with<stun::requested_transport>(17).integrity(ann.key());
        const answer refused = ann.ask(allocate);
        CHECK(refused.code() == 400);
        CHECK_FALSE(refused.view().has_integrity());
        CHECK_FALSE(refused.has<stun::username>());
        CHECK_FALSE(refused.has<stun::realm>());
        CHECK_FALSE(refused.has<stun::nonce>());
    }
    CHECK(w.refused(reason::missing_attribute) == 3);
    CHECK(w.users.lookups == 0);
}

TEST_CASE("RFC 8489 9.2.4: an unknown user is answered 401 with REALM and NONCE") {
    world w;
    auto nobody = w.raw("nobody", {.known = false});
    const answer refused = nobody.allocate();
    CHECK(refused.code() == 401);
    CHECK(refused.get<stun::realm>() == "example.org");
    CHECK(refused.has<stun::nonce>());
    CHECK(w.refused(reason::unknown_user) == 1);
}

TEST_CASE("RFC 8489 9.2.4: a wrong password is answered 401 with REALM and NONCE") {
    world w;
    auto ann = w.raw("ann", {.password = "guess"});
    const answer refused = ann.allocate();
    CHECK(refused.code() == 401);
    CHECK(refused.get<stun::realm>() == "example.org");
    CHECK(refused.has<stun::nonce>());
    CHECK(w.refused(reason::bad_password) == 1);
    CHECK(w.addresses.open().empty());
}

TEST_CASE("RFC 8489 9.2.4: an unknown user and a wrong password get the same answer byte for byte") {
    const auto without_nonce = [](const answer& a) {
        std::string raw = to_text(a.raw());
        const std::string nonce = nonce_of(a);
        raw.replace(raw.find(nonce), nonce.size(), nonce.size(), 'n');
        return raw.erase(8, 12); // transaction id
    };
    for (const int code : {401, 431}) {
        relay_options options;
        options.integrity_failure_code = static_cast<std::uint16_t>(code);
        world w(options);
        auto ann = w.raw("ann", {.password = "guess"});
        auto nil = w.raw("nil", {.known = false});
        const answer wrong = ann.allocate();
        const answer unknown = nil.allocate();
        REQUIRE(wrong.code() == code);
        CHECK(without_nonce(wrong) == without_nonce(unknown));
    }
}

TEST_CASE("RFC 8489 9.2.4: after a wrong password the right one is heard at once") {
    world w;
    auto ann = w.raw("ann", {.password = "guess"});
    REQUIRE(ann.allocate().code() == 401);
    ann.password = password_of("ann");
    CHECK(ann.allocate().code() == success);
}

TEST_CASE("RFC 8489 9.2.4: integrity failure is answered 431 where the operator says so and with REALM and NONCE") {
    relay_options options;
    options.integrity_failure_code = 431;
    world w(options);
    auto ann = w.raw("ann", {.password = "guess"});
    auto nobody = w.raw("nobody", {.known = false});
    CHECK(ann.challenge().code() == 401); // to ask for credentials at all stays 401
    for (const answer& refused : {ann.allocate(), nobody.allocate()}) {
        CHECK(refused.code() == 431);
        CHECK(refused.get<stun::realm>() == "example.org");
        CHECK(refused.has<stun::nonce>());
    }
}

TEST_CASE("RFC 8489 9.2.4: an expired NONCE is answered 438 with REALM and a NONCE that works") {
    world w;
    auto ann = w.raw("ann");
    REQUIRE(ann.challenge().code() == 401);
    w.pass(3601s);
    const answer stale = ann.allocate();
    REQUIRE(stale.code() == 438);
    CHECK(stale.get<stun::realm>() == "example.org");
    CHECK(w.refused(reason::stale_nonce) == 1);

    ann.nonce = nonce_of(stale);
    CHECK(ann.allocate().code() == success);
}

TEST_CASE("RFC 8489 9.2.4: a wrong password with an expired NONCE is a wrong password") {
    world w;
    auto ann = w.raw("ann", {.password = "guess"});
    auto nobody = w.raw("nobody", {.known = false});
    REQUIRE(ann.challenge().code() == 401);
    REQUIRE(nobody.challenge().code() == 401);
    w.pass(3601s);
    CHECK(ann.allocate().code() == 401);
    CHECK(nobody.allocate().code() == 401);
}

TEST_CASE("RFC 8489 9.2.4: a NONCE we never gave to this address is answered 438 before anybody is looked up") {
    world w;
    auto ann = w.raw("ann");
    auto eve = w.raw("eve");
    REQUIRE(ann.challenge().code() == 401);

    for (const std::string& foreign :
         {ann.nonce, std::string(1, 'x'), std::string(32, 'A'), std::string(763, 'A'), ann.nonce + "x"}) {
        eve.nonce = foreign;
        const answer refused = eve.ask(eve.allocate_request());
        REQUIRE(refused.code() == 438);
        CHECK(refused.get<stun::realm>() == "example.org");
        CHECK_FALSE(refused.view().has_integrity());
        CHECK(nonce_of(refused) != foreign);
    }
    CHECK(w.users.lookups == 0);
    CHECK(w.refused(reason::foreign_nonce) == 5);
}

TEST_CASE("RFC 8489 9.2.4: a NONCE is good for another port of the same address") {
    world w;
    auto ann = w.raw("ann", {.address = at("198.51.100.20:1000")});
    auto same_host = w.raw("ann", {.address = at("198.51.100.20:2000")});
    REQUIRE(ann.challenge().code() == 401);
    same_host.nonce = ann.nonce;
    CHECK(same_host.allocate().code() == success);
}

TEST_CASE("RFC 8489 9.2.4: a REALM of somebody else is answered 401 with ours") {
    world w;
    auto ann = w.raw("ann");
    REQUIRE(ann.challenge().code() == 401);
    ann.realm = "example.com";
    const answer refused = ann.allocate();
    CHECK(refused.code() == 401);
    CHECK(refused.get<stun::realm>() == "example.org");
    CHECK(w.refused(reason::wrong_realm) == 1);
    CHECK(w.users.lookups == 0);
}

TEST_CASE("RFC 8489 9.2.4: each listener challenges with its own REALM and knows its own users") {
    world w(world_options{
        .listeners = {{at("198.51.100.1:3478"), "red.example"}, {at("198.51.100.1:3479"), "blue.example"}}});
    w.users.add("ann", "in red", "red.example");
    w.users.add("ann", "in blue", "blue.example");
    auto red = w.raw("ann", {.listener = 0, .known = false, .password = "in red"});
    auto blue = w.raw("ann", {.listener = 1, .known = false, .password = "in blue"});
    auto mixed = w.raw("ann", {.listener = 1, .known = false, .password = "in red"});
    CHECK(red.challenge().get<stun::realm>() == "red.example");
    CHECK(blue.challenge().get<stun::realm>() == "blue.example");
    CHECK(red.allocate().code() == success);
    CHECK(blue.allocate().code() == success);
    CHECK(mixed.allocate().code() == 401);
}

TEST_CASE("RFC 8489 9.2.4: a success response is signed with the key of the request") {
    world w;
    auto ann = w.raw("ann");
    auto& bob = w.peer();
    for (const answer& done : {ann.allocate(), ann.refresh(600s), ann.permit(bob), ann.bind_channel(0x4000, bob)}) {
        REQUIRE(done.code() == success);
        CHECK(done.signed_with(ann.key()));
        CHECK_FALSE(done.has<stun::username>());
        CHECK_FALSE(done.has<stun::realm>());
        CHECK_FALSE(done.has<stun::nonce>());
    }
}

TEST_CASE("RFC 8489 9.2.4: a refusal of an authenticated request is signed too") {
    relay_options options;
    options.permissions_per_allocation = 1;
    world w(world_options{.relay = options, .quota = {.total = 100, .per_user = 1}});
    auto ann = w.raw("ann");
    auto again = w.raw("ann");
    auto& bob = w.peer();
    auto& eve = w.peer();
    CHECK(refused_signed(ann.refresh(600s), ann, 437));
    CHECK(refused_signed(ann.ask(ann.authenticated(stun::method::allocate)), ann, 400));
    CHECK(refused_signed(ann.ask(ann.allocate_request().attribute(0x7abc, "")), ann, 420));
    CHECK(refused_signed(ann.ask(ann.authenticated(stun::method::allocate).with<stun::requested_transport>(6)), ann,
                         442));
    w.addresses.has_ipv6 = false;
    CHECK(refused_signed(ann.ask(ann.allocate_request().with<stun::requested_address_family>(address_family::ipv6)),
                         ann, 440));
    REQUIRE(ann.allocate().code() == success);
    CHECK(refused_signed(ann.allocate(), ann, 437));
    CHECK(refused_signed(again.allocate(), again, 486));
    CHECK(refused_signed(ann.permit({at("[2600::1]:5")}), ann, 443));
    CHECK(refused_signed(ann.permit({at("127.0.0.1:80")}), ann, 403));
    CHECK(refused_signed(ann.permit({bob.address, eve.address}), ann, 508));
}

TEST_CASE("RFC 8489 9.2.2: a name and a password beyond ASCII authenticate") {
    world w;
    w.users.add("j\xc3\xbcrgen", "gr\xc3\xbc\xc3\x9f"
                                 "e");
    auto composed = w.raw("j\xc3\xbcrgen", {.known = false,
                                            .password = "gr\xc3\xbc\xc3\x9f"
                                                        "e"});
    CHECK(composed.allocate().code() == success);
    // u and a combining diaeresis in the password: the same after OpaqueString.
    auto decomposed = w.raw("j\xc3\xbcrgen", {.known = false,
                                              .password = "gru\xcc\x88\xc3\x9f"
                                                          "e"});
    CHECK(decomposed.allocate().code() == success);
}

TEST_CASE("RFC 8489 9.2.2: a name with a zero byte in it is not the name before the zero byte") {
    world w;
    w.users.add("ann", "secret");
    auto eve = w.raw(std::string("ann\0junk", 8), {.known = false, .password = "secret"});
    CHECK(eve.allocate().code() == 401);
    CHECK(w.refused(reason::unknown_user) == 1);
}

TEST_CASE("RFC 8489 9.2: a name is only a name however strange") {
    world w;
    for (const std::string strange :
         {"%s%n%x", "'; DROP TABLE users; --", "<script>alert(1)</script>", "ann\r\nSET x 1", "1735689600:ann", " "}) {
        w.users.add(strange, "secret");
        auto somebody = w.raw(strange, {.known = false, .password = "secret"});
        CHECK(somebody.allocate().code() == success);
        REQUIRE_FALSE(w.events.allocations_created.empty());
        CHECK(w.events.allocations_created.back().username == strange);
    }
}

} // namespace turn::test
