/// SHA-256 in place of MD5 and SHA-1, and protection from whoever would rather have it the old way: RFC 8489, 9.2.1,
/// 9.2.4 and 14.6.

#include "support/story.hpp"

namespace turn::test {

namespace {

using enum stun::password_algorithm_number;

stun::password_algorithms::value_type list_of(std::initializer_list<stun::password_algorithm_number> numbers) {
    stun::password_algorithms::value_type list;
    for (const auto n : numbers) list.list[list.count++].number = n;
    return list;
}

/// Ann with a nonce, and a request of hers that is as good as she can make it.
raw_actor ann_of_8489(world& w) {
    auto ann = w.raw("ann");
    ann.algorithm = sha256;
    REQUIRE(ann.challenge().code() == 401);
    return ann;
}

/// An Allocate that says of algorithms just what the test says.
template <class Say>
message allocate_saying(const raw_actor& ann, const stun::credential_key& key, Say say) {
    message m = ann.request(stun::method::allocate).with<stun::requested_transport>(17);
    m.credentials(ann.username, ann.realm, ann.nonce, key);
    say(m);
    return m;
}

bool is_signed_by_sha256(const answer& a, const stun::credential_key& key) {
    return a.has<stun::message_integrity_sha256>() && !a.has<stun::message_integrity>() && a.signed_with(key);
}
bool is_signed_by_sha1(const answer& a, const stun::credential_key& key) {
    return a.has<stun::message_integrity>() && !a.has<stun::message_integrity_sha256>() && a.signed_with(key);
}

} // namespace

TEST_CASE("RFC 8489 9.2: NONCE begins with the nonce cookie and the features that are in use") {
    world w;
    auto ann = w.raw("ann");
    CHECK(nonce_of(ann.challenge()).starts_with("obMatJos2AAAB"));

    relay_options options;
    options.username_anonymity = true;
    world hidden(options);
    auto bea = hidden.raw("bea");
    CHECK(nonce_of(bea.challenge()).starts_with("obMatJos2AAAD"));
}

TEST_CASE("RFC 8489 9.2: a server without security features says so in 24 zero bits and offers no algorithms") {
    relay_options options;
    options.password_algorithms = false;
    world w(options);
    auto ann = w.raw("ann");
    const answer challenged = ann.challenge();
    CHECK(nonce_of(challenged).starts_with("obMatJos2AAAA"));
    CHECK_FALSE(challenged.has<stun::password_algorithms>());
    CHECK(ann.allocate().code() == success);
}

TEST_CASE("RFC 8489 9.2.4: 401 and 438 carry PASSWORD-ALGORITHMS with SHA-256 before MD5") {
    world w;
    auto ann = w.raw("ann", {.password = "guess"});
    auto nobody = w.raw("nobody", {.known = false});
    auto late = w.raw("late");
    const answer unsigned_one = ann.challenge();
    const answer wrong = ann.allocate();
    const answer unknown = nobody.allocate();
    REQUIRE(late.challenge().code() == 401);
    w.pass(3601s);
    const answer stale = late.allocate();
    late.nonce = "foreign";
    const answer foreign = late.allocate();
    const int codes[] = {401, 401, 401, 438, 438};
    const answer* const answers[] = {&unsigned_one, &wrong, &unknown, &stale, &foreign};
    for (std::size_t i = 0; i < std::size(answers); ++i) {
        CAPTURE(i);
        CHECK(answers[i]->code() == codes[i]);
        const auto offered = answers[i]->get<stun::password_algorithms>();
        REQUIRE(offered);
        REQUIRE(offered->count == 2);
        CHECK(offered->list[0].number == sha256);
        CHECK(offered->list[1].number == md5);
    }
}

TEST_CASE("RFC 8489 9.2.4: who takes SHA-256 is known by that key and answered with MESSAGE-INTEGRITY-SHA256") {
    world w;
    auto ann = ann_of_8489(w);
    auto& bob = w.peer();
    REQUIRE(ann.key().size == 32);
    for (const answer& done : {ann.allocate(), ann.refresh(600s), ann.permit(bob), ann.bind_channel(0x4000, bob)}) {
        REQUIRE(done.code() == success);
        CHECK(is_signed_by_sha256(done, ann.key()));
        CHECK_FALSE(done.has<stun::username>());
        CHECK_FALSE(done.has<stun::realm>());
        CHECK_FALSE(done.has<stun::nonce>());
    }
    CHECK(w.users.lookups == 1);
    bob.send(ann.relayed, "hello");
    CHECK(ann.channel_data(0x4000) == texts{"hello"});
}

TEST_CASE("RFC 8489 9.2.4: refusals of such requests are signed by SHA-256 as well") {
    world w;
    auto ann = ann_of_8489(w);
    const answer mismatch = ann.refresh(600s);
    CHECK(mismatch.code() == 437);
    CHECK(is_signed_by_sha256(mismatch, ann.key()));
}

TEST_CASE("RFC 8489 9.2.4: a wrong password with SHA-256 is answered 401 unsigned") {
    world w;
    auto ann = ann_of_8489(w);
    ann.password = "guess";
    const answer refused = ann.allocate();
    CHECK(refused.code() == 401);
    CHECK_FALSE(refused.view().has_integrity());
    CHECK(w.refused(reason::bad_password) == 1);
}

TEST_CASE("RFC 8489 9.2.4: who takes MD5 has its key and is answered with MESSAGE-INTEGRITY-SHA256 all the same") {
    world w;
    auto ann = w.raw("ann");
    ann.algorithm = md5;
    const answer done = ann.allocate();
    REQUIRE(done.code() == success);
    REQUIRE(ann.key().size == 16);
    CHECK(is_signed_by_sha256(done, ann.key()));
}

TEST_CASE("RFC 8489 9.2.4: who names no algorithm has an MD5 key and is answered with MESSAGE-INTEGRITY") {
    world w;
    auto ann = w.raw("ann"); // as clients of RFC 5389 do
    const answer done = ann.allocate();
    REQUIRE(done.code() == success);
    CHECK(is_signed_by_sha1(done, ann.key()));

    // Even when the request is signed by SHA-256.
    auto bea = w.raw("bea");
    REQUIRE(bea.challenge().code() == 401);
    const answer made = bea.ask(bea.allocate_request().integrity_sha256());
    REQUIRE(made.code() == success);
    CHECK(is_signed_by_sha1(made, bea.key()));
}

TEST_CASE("RFC 8489 9.2.4: PASSWORD-ALGORITHMS that was not sent so or PASSWORD-ALGORITHM that is not in it is 400") {
    world w;
    auto ann = ann_of_8489(w);
    const auto key = ann.key();
    const auto refused = [&](auto say) {
        const answer a = ann.ask(allocate_saying(ann, key, say).integrity_sha256());
        return a.code() == 400 && !a.view().has_integrity() && !a.has<stun::realm>() && !a.has<stun::nonce>();
    };
    using list = stun::password_algorithms;
    using choice = stun::password_algorithm;
    CHECK(refused([](message& m) { m.with<list>(list_of({md5})).with<choice>({md5}); })); // a bid-down
    CHECK(refused([](message& m) { m.with<list>(list_of({md5, sha256})).with<choice>({sha256}); }));
    CHECK(refused([](message& m) { m.with<list>(list_of({sha256, md5, md5})).with<choice>({sha256}); }));
    CHECK(refused([](message& m) { m.with<list>(list_of({})).with<choice>({sha256}); }));
    CHECK(
        refused([](message& m) { m.with<list>(both_algorithms).with<choice>({stun::password_algorithm_number(3)}); }));
    CHECK(w.refused(reason::algorithms_altered) == 5);
    CHECK(refused([](message& m) { m.with<list>(both_algorithms); }));
    CHECK(refused([](message& m) { m.with<choice>({sha256}); }));
    CHECK(w.refused(reason::missing_attribute) == 2);
    CHECK(refused([](message& m) { m.attribute(list::type, "odd").with<choice>({sha256}); }));
    CHECK(refused([](message& m) { m.with<list>(both_algorithms).attribute(choice::type, "odd bytes"); }));
    CHECK(w.refused(reason::bad_attribute) == 2);
    CHECK(w.users.lookups == 0);
    CHECK(ann.allocate().code() == success);
}

TEST_CASE("RFC 8489 9.2.4: the algorithms are looked at before the user and after whose NONCE it is") {
    world w;
    auto nobody = w.raw("nobody", {.known = false});
    REQUIRE(nobody.challenge().code() == 401);
    const auto altered = [&] {
        message m = nobody.request(stun::method::allocate);
        m.credentials(nobody.username, nobody.realm, nobody.nonce, nobody.key());
        m.with<stun::password_algorithms>(list_of({md5})).with<stun::password_algorithm>({md5});
        return m.integrity_sha256();
    };
    CHECK(nobody.ask(altered()).code() == 400);
    nobody.nonce = "foreign";
    CHECK(nobody.ask(altered()).code() == 438);
}

TEST_CASE("RFC 8489 9.2.1: a NONCE out of which the features were taken is answered 438 with the features") {
    world w;
    auto ann = w.raw("ann");
    REQUIRE(ann.challenge().code() == 401);
    ann.nonce.replace(9, 4, "AAAA"); // and the client never learns of SHA-256
    const answer refused = ann.allocate();
    CHECK(refused.code() == 438);
    CHECK(nonce_of(refused).starts_with("obMatJos2AAAB"));
    CHECK(refused.has<stun::password_algorithms>());
    ann.nonce.erase(0, stun::nonce_cookie_size);
    CHECK(ann.allocate().code() == 438);
    CHECK(w.users.lookups == 0);
}

TEST_CASE("RFC 8489 9.2.4: where no algorithms were offered those in a request do not matter") {
    relay_options options;
    options.password_algorithms = false;
    world w(options);
    auto ann = w.raw("ann");
    REQUIRE(ann.challenge().code() == 401);
    const message request = allocate_saying(ann, ann.key(), [](message& m) {
        m.with<stun::password_algorithms>(both_algorithms).with<stun::password_algorithm>({sha256});
    });
    const answer done = ann.ask(request);
    REQUIRE(done.code() == success);
    CHECK(is_signed_by_sha1(done, ann.key()));
}

TEST_CASE("RFC 8489 9.2.4: an allocation is refreshed with either key of its user and the other one is looked up") {
    world w;
    auto ann = ann_of_8489(w);
    REQUIRE(ann.allocate().code() == success);
    ann.algorithm.reset();
    const answer by_md5 = ann.refresh(600s);
    CHECK(by_md5.code() == success);
    CHECK(is_signed_by_sha1(by_md5, ann.key()));
    CHECK(w.users.lookups == 2);
    ann.algorithm = sha256;
    CHECK(ann.refresh(600s).code() == success);
    CHECK(w.users.lookups == 2);
}

TEST_CASE("RFC 8489 9.2.4: with both signatures MESSAGE-INTEGRITY-SHA256 is the one that counts") {
    world w;
    auto ann = w.raw("ann");
    REQUIRE(ann.challenge().code() == 401);
    const auto guess = *stun::long_term_key("ann", "example.org", "guess");
    CHECK(ann.ask(ann.allocate_request().integrity().integrity_sha256(guess)).code() == 401);
    CHECK(ann.ask(ann.allocate_request().integrity(guess).integrity_sha256(ann.key())).code() == success);
}

TEST_CASE("RFC 8489 9: attributes behind MESSAGE-INTEGRITY-SHA256 are not obeyed") {
    world w;
    auto ann = ann_of_8489(w);
    auto& bob = w.peer();
    auto& eve = w.peer();
    REQUIRE(ann.allocate().code() == success);
    message permit = ann.authenticated(stun::method::create_permission).with<stun::xor_peer_address>(bob.address);
    permit.integrity_sha256().with<stun::xor_peer_address>(eve.address);
    CHECK(ann.ask(permit).code() == success);
    bob.send(ann.relayed, "from bob");
    eve.send(ann.relayed, "from eve");
    CHECK(ann.data_from(bob.address) == texts{"from bob"});
    CHECK(ann.data_from(eve.address).empty());
}

TEST_CASE("RFC 8489 14.6: MESSAGE-INTEGRITY-SHA256 may be cut to 16 bytes and in words") {
    for (const std::size_t size : {0U, 4U, 12U, 14U, 15U, 16U, 18U, 20U, 24U, 28U, 30U, 31U, 32U}) {
        CAPTURE(size);
        world w;
        auto ann = ann_of_8489(w);
        const bool is_good = size >= 16 && size % 4 == 0;
        const answer a = ann.ask(ann.allocate_request().integrity_sha256(ann.key(), size));
        CHECK(a.code() == (is_good ? success : silence));
        if (is_good) CHECK(a.get<stun::message_integrity_sha256>()->size() == 32); // ours are whole
        CHECK(w.dropped(direction::up, reason::malformed) == (is_good ? 0 : 1));
    }
}

TEST_CASE("RFC 8489 14.6: one wrong byte in a cut MESSAGE-INTEGRITY-SHA256 is a wrong password") {
    for (const std::size_t size : {16U, 32U})
        for (const std::size_t wrong : {std::size_t{1}, size}) { // counted from the end of the message
            world w;
            auto ann = ann_of_8489(w);
            message request = ann.allocate_request().integrity_sha256(ann.key(), size);
            request.raw()[request.raw().size() - wrong] ^= std::byte{1};
            CHECK(ann.ask(request).code() == 401);
        }
}

TEST_CASE("RFC 8489 14.6: FINGERPRINT behind MESSAGE-INTEGRITY-SHA256 does not disturb it") {
    world w;
    auto ann = ann_of_8489(w);
    const answer done = ann.ask(ann.allocate_request().integrity_sha256().fingerprint());
    REQUIRE(done.code() == success);
    CHECK(done.signed_with(ann.key()));
    CHECK(bool(done.view().check_fingerprint()));
}

TEST_CASE("RFC 8489 9.2.5: turn::client takes SHA-256 where it is offered and MD5 where it is not") {
    for (const bool offered : {true, false}) {
        relay_options options;
        options.password_algorithms = offered;
        world w(options);
        auto ann = w.client("ann");
        auto& bob = w.peer();
        REQUIRE(ann.allocate() == 0);
        CHECK(ann.bind_channel(0x4000, bob) == 0);
        CHECK(w.users.last_algorithm == (offered ? sha256 : md5));
    }
}

} // namespace turn::test
