/// Every "no" has a reason: each refusal and each dropped packet is counted under one, and the observer hears why.

#include "support/story.hpp"

namespace turn::test {

namespace {

/// The one reason that was counted for this direction since the last call; none when nothing was.
struct drop_watch {
    const world& w;
    direction way;
    std::array<std::uint64_t, reason_count> seen{};

    drop_watch(const world& the_world, direction d) : w(the_world), way(d) { (void)news(); }
    std::vector<reason> news() {
        std::vector<reason> found;
        for (std::size_t i = 0; i < reason_count; ++i) {
            const std::uint64_t now = w.dropped(way, reason(i));
            for (; seen[i] < now; ++seen[i]) found.push_back(reason(i));
        }
        return found;
    }
};

} // namespace

TEST_CASE("Every dropped packet of a client is counted once under its reason") {
    world w;
    auto ann = w.raw("ann");
    auto& bob = w.peer();
    drop_watch up(w, direction::up);
    using reasons = std::vector<reason>;

    ann.send_channel_data(0x4000, "x");
    CHECK(up.news() == reasons{reason::no_allocation});
    REQUIRE(ann.allocate().code() == success);
    ann.send_channel_data(0x4000, "x");
    CHECK(up.news() == reasons{reason::no_channel});
    ann.send_indication(bob.address, "x");
    CHECK(up.news() == reasons{reason::no_permission});
    ann.send(octets({0x40, 0x00, 0x00, 0x09, 1}));
    CHECK(up.news() == reasons{reason::truncated_data});
    ann.send(octets({0x80, 0x00, 0x00, 0x00}));
    CHECK(up.news() == reasons{reason::malformed});
    ann.send(ann.request(stun::method(0x123)));
    CHECK(up.news() == reasons{reason::unknown_method});
    ann.send(ann.indication(stun::method::allocate));
    CHECK(up.news() == reasons{reason::unexpected_class});
    ann.send(ann.request(stun::method::binding).fingerprint(1));
    CHECK(up.news() == reasons{reason::fingerprint_mismatch});
    ann.send(ann.indication(stun::method::send));
    CHECK(up.news() == reasons{reason::no_data});
}

TEST_CASE("The observer hears every refusal as the client does and knows more") {
    world w;
    auto ann = w.raw("ann", {.password = "guess"});
    const answer refused = ann.allocate();
    REQUIRE(w.events.requests_refused.size() == 2); // the challenge, then the wrong password
    const auto& challenge = w.events.requests_refused[0];
    CHECK(challenge.code == 401);
    CHECK(challenge.why == reason::first_challenge);
    CHECK(challenge.username.empty());
    const auto& wrong = w.events.requests_refused[1];
    CHECK(wrong.code == refused.code());
    CHECK(wrong.why == reason::bad_password);
    CHECK(wrong.username == "ann");
    CHECK(wrong.realm == "example.org");
    CHECK(wrong.client == ann.address());
    CHECK(wrong.method == stun::method::allocate);
    CHECK(w.requests(request_method::allocate, request_result::challenged) == 1);
    CHECK(w.requests(request_method::allocate, request_result::refused) == 1);
}

TEST_CASE("The observer hears whose request was refused before anybody was looked up") {
    world w;
    auto ann = w.raw("ann");
    ann.nonce = "invented";
    REQUIRE(ann.allocate().code() == 438);
    REQUIRE(ann.challenge().code() == 401);
    ann.realm = "example.com";
    REQUIRE(ann.allocate().code() == 401);
    message no_nonce = ann.request(stun::method::allocate);
    no_nonce.credentials("ann", "example.org", "", ann.key());
    REQUIRE(ann.ask(no_nonce).code() == 400);
    CHECK(w.users.lookups == 0);

    std::vector<reason> why;
    for (const auto& refused : w.events.requests_refused) {
        why.push_back(refused.why);
        // As claimed: nobody has proven it. An unsigned request claims nothing.
        CHECK(refused.username == (refused.why == reason::first_challenge ? "" : "ann"));
    }
    CHECK(why ==
          std::vector{reason::foreign_nonce, reason::first_challenge, reason::wrong_realm, reason::missing_attribute});
}

TEST_CASE("The observer hears whose name is proven and which allocation a refused client has") {
    world w;
    auto ann = w.raw("ann");
    REQUIRE(ann.allocate().code() == success);
    auto& refused = w.events.requests_refused;
    CHECK(refused.back().why == reason::first_challenge);
    CHECK(refused.back().allocation == allocation_id{});
    CHECK_FALSE(refused.back().authenticated);

    REQUIRE(ann.permit({at("127.0.0.1:9")}).code() == 403);
    CHECK(refused.back().why == reason::peer_denied);
    CHECK(refused.back().allocation == w.events.allocations_created[0].id);
    CHECK(refused.back().authenticated);

    ann.password = "guess"; // on the same 5-tuple
    REQUIRE(ann.refresh(600s).code() == 401);
    CHECK(refused.back().why == reason::bad_password);
    CHECK(refused.back().allocation == w.events.allocations_created[0].id);
    CHECK_FALSE(refused.back().authenticated);
}

TEST_CASE("The observer hears of each allocation twice with all it needs for a bill") {
    world w;
    auto ann = w.raw("ann");
    auto& bob = w.peer();
    REQUIRE(ann.allocate().code() == success);
    REQUIRE(w.events.allocations_created.size() == 1);
    const auto created = w.events.allocations_created[0];
    CHECK(created.username == "ann");
    CHECK(created.realm == "example.org");
    CHECK(created.client == ann.address());
    CHECK(created.server == w.listener().local);
    CHECK(created.relayed == ann.relayed);
    CHECK(created.relayed_additional.port == 0);

    REQUIRE(ann.permit(bob).code() == success);
    ann.send_indication(bob.address, "four");
    bob.send(ann.relayed, "thirteen more");
    bob.send(ann.relayed, "");
    w.pass(90s);
    REQUIRE(ann.refresh(0s).code() == success);
    REQUIRE(w.events.allocations_ended.size() == 1);
    const auto& ended = w.events.allocations_ended[0];
    CHECK(ended.what.id == created.id);
    CHECK(ended.use.packets_up == 1);
    CHECK(ended.use.bytes_up == 4);
    CHECK(ended.use.packets_down == 2);
    CHECK(ended.use.bytes_down == 13);
    CHECK(ended.use.age == 90s);

    REQUIRE(ann.allocate().code() == success);
    CHECK(w.events.allocations_created[1].id != created.id); // a name is never used again
}

TEST_CASE("One peer's errors never touch another") {
    world w;
    auto ann = w.raw("ann");
    auto& bob = w.peer();
    REQUIRE(ann.allocate().code() == success);
    REQUIRE(ann.permit(bob).code() == success);
    for (int i = 0; i < 100; ++i) {
        ann.send_indication(bob.address.with_port(0), "nowhere");
        ann.send_indication(at("127.0.0.1:9"), "forbidden");
        ann.send_channel_data(0x4000, "unbound");
    }
    ann.send_indication(bob.address, "still here");
    bob.send(ann.relayed, "still here");
    w.settle();
    CHECK(bob.received == texts{"still here"});
    CHECK(ann.data_from(bob.address) == texts{"still here"});
}

TEST_CASE("After everybody has left nothing is left") {
    world w;
    for (int i = 0; i < 20; ++i) {
        auto somebody = w.raw("ann");
        auto& bob = w.peer();
        REQUIRE(somebody.ask(somebody.allocate_request().with<stun::even_port>({true})).code() == success);
        REQUIRE(somebody.permit(bob).code() == success);
        REQUIRE(somebody.bind_channel(0x4000, bob).code() == success);
    }
    w.drain(); // throws when ports, quota, permissions, channels or look-ups remain
    CHECK(w.counters().allocations_ended.value() == 20);
    CHECK(w.counters().allocations.value() == 0);
}

} // namespace turn::test
