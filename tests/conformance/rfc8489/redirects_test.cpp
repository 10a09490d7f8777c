/// Sending clients to another server: RFC 8489, 10, 14.8, 14.15 and 14.16.

#include "support/story.hpp"

namespace turn::test {

namespace {

const char* const here = "198.51.100.1:3478";
const char* const there = "198.51.100.2:3478";

/// Two servers, as it were: whoever asks for an allocation here is sent there.
world_options two_servers(alternate_server other, transport protocol = transport::udp) {
    relay_options options;
    options.redirect = [other](const redirect_question& q) -> std::optional<alternate_server> {
        if (q.server.to_string() != here) return std::nullopt;
        return other;
    };
    return {.relay = options, .listeners = {{at(here), "a.example", protocol}, {at(there), "b.example"}}};
}

} // namespace

TEST_CASE("RFC 8489 10: an authenticated Allocate is answered 300 with ALTERNATE-SERVER of the client's family") {
    world w(two_servers({.address = at(there)}));
    auto ann = w.raw("ann");
    REQUIRE(ann.challenge().code() == 401); // nobody is sent away before it is known who it is: 14.8
    const answer sent = ann.allocate();
    CHECK(refused_signed(sent, ann, 300));
    CHECK(sent.all<stun::alternate_server>() == std::vector{at(there)});
    CHECK_FALSE(sent.has<stun::alternate_domain>());
    CHECK(w.refused(reason::redirected) == 1);
    CHECK(w.addresses.open().empty());
    CHECK(w.events.requests_refused.back().why == reason::redirected);
}

TEST_CASE("RFC 8489 10: the address of the other family comes second") {
    world w(two_servers({.address = at(there), .other_family = at("[2001:db8::2]:3478")}));
    auto ann = w.raw("ann");
    CHECK(ann.allocate().all<stun::alternate_server>() == std::vector{at(there), at("[2001:db8::2]:3478")});
}

TEST_CASE("RFC 8489 14.8: a wrong password is not sent away") {
    world w(two_servers({.address = at(there)}));
    auto ann = w.raw("ann", {.password = "guess"});
    const answer refused = ann.allocate();
    CHECK(refused.code() == 401);
    CHECK_FALSE(refused.has<stun::alternate_server>());
}

TEST_CASE("RFC 8489 14.8: an open relay that can sign nothing sends nobody away") {
    auto options = two_servers({.address = at(there)});
    options.relay.anonymous = true;
    world w(options);
    auto ann = w.raw("ann");
    message open = ann.request(stun::method::allocate).with<stun::requested_transport>(17);
    CHECK(ann.ask(open).code() == success);
}

TEST_CASE("RFC 8489 10: ALTERNATE-DOMAIN is for clients over TLS and DTLS that sign with SHA-256") {
    for (const auto protocol : {transport::udp, transport::tcp, transport::tls, transport::dtls})
        for (const bool sha256 : {true, false}) {
            CAPTURE(name(protocol));
            CAPTURE(sha256);
            world w(two_servers({.address = at(there), .domain = "b.example.net"}, protocol));
            auto ann = w.raw("ann");
            if (sha256) ann.algorithm = stun::password_algorithm_number::sha256;
            const answer sent = ann.allocate();
            REQUIRE(refused_signed(sent, ann, 300));
            const bool has_certificate = protocol == transport::tls || protocol == transport::dtls;
            CHECK(sent.has<stun::alternate_domain>() == (has_certificate && sha256));
            if (sent.has<stun::alternate_domain>()) CHECK(sent.get<stun::alternate_domain>() == "b.example.net");
        }
}

TEST_CASE("RFC 8489 10: another server that the client could not be told of is none") {
    const alternate_server bad[] = {
        {.address = at("[2001:db8::2]:3478")}, // no address of the client's family
        {.address = at(there), .other_family = at("198.51.100.3:3478")},
        {.address = at(there), .domain = std::string(256, 'a')}, // RFC 8489, 14.16
        {.address = at(there), .domain = "b\u00fccher.example"},
        {.address = at(there), .domain = std::string("b.example\0", 10)},
    };
    for (const alternate_server& other : bad) {
        world w(two_servers(other));
        auto ann = w.raw("ann");
        CHECK(ann.allocate().code() == success);
    }
    world w(two_servers({.address = at(there), .domain = std::string(255, 'a')}));
    auto ann = w.raw("ann");
    CHECK(ann.allocate().code() == 300);
}

TEST_CASE("RFC 8489 10: a policy that throws sends nobody away") {
    relay_options options;
    options.redirect = [](const redirect_question&) -> std::optional<alternate_server> { throw 42; };
    world w(options);
    auto ann = w.raw("ann");
    CHECK(ann.allocate().code() == success);
}

TEST_CASE("RFC 8656 7.2: who has an allocation keeps it and a bad request is refused for what is bad in it") {
    bool elsewhere = false;
    relay_options options;
    options.redirect = [&](const redirect_question& q) -> std::optional<alternate_server> {
        CHECK(q.username == "ann");
        CHECK(q.realm == "example.org");
        CHECK(q.protocol == transport::udp);
        if (!elsewhere) return std::nullopt;
        return alternate_server{.address = at(there)};
    };
    world w(options);
    auto ann = w.raw("ann");
    auto again = w.raw("ann");
    const message first = ann.allocate_request().integrity();
    REQUIRE(ann.ask(first).code() == success);
    elsewhere = true;
    CHECK(ann.ask(first).code() == success); // retransmitted
    CHECK(ann.allocate().code() == 437);
    CHECK(ann.refresh(600s).code() == success);
    CHECK(again.ask(again.authenticated(stun::method::allocate)).code() == 400);
    CHECK(again.allocate().code() == 300);
}

TEST_CASE("RFC 8489 10: a draining server still knows of another one") {
    world w(two_servers({.address = at(there)}));
    auto ann = w.raw("ann");
    w.stop_accepting();
    CHECK(ann.allocate().code() == 300);
}

TEST_CASE("RFC 8489 10: turn::client follows and relays through the other server") {
    world w(two_servers({.address = at(there)}));
    w.users.add("ann", {}, "b.example");
    auto ann = w.client("ann");
    auto& bob = w.peer();
    REQUIRE(ann.allocate() == 0);
    CHECK(ann.core().server() == at(there));
    CHECK(ann.core().realm() == "b.example");
    REQUIRE(ann.bind_channel(0x4000, bob) == 0);
    bob.send(ann.relayed, "hello");
    CHECK(ann.channel_data(0x4000) == texts{"hello"});
    REQUIRE(w.events.allocations_created.size() == 1);
    CHECK(w.events.allocations_created[0].server == at(there));
}

TEST_CASE("RFC 8489 10: turn::client is not sent round in circles") {
    relay_options options;
    options.redirect = [](const redirect_question& q) -> std::optional<alternate_server> {
        return alternate_server{.address = q.server.to_string() == here ? at(there) : at(here)};
    };
    world w(world_options{.relay = options, .listeners = {{at(here), "a.example"}, {at(there), "b.example"}}});
    w.users.add("ann", {}, "b.example");
    auto ann = w.client("ann");
    CHECK(ann.allocate() == 300);
    CHECK(w.refused(reason::redirected) == 2);
}

} // namespace turn::test
