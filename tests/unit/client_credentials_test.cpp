#include <doctest/doctest.h>

#include "support/lonely_client.hpp"

using namespace std::chrono_literals;
using namespace turn;
using namespace turn::test;

namespace {

/// Whether a request is signed with these, and by this key.
bool signed_as(bytes request, std::string_view user, std::string_view realm, std::string_view nonce,
               const stun::credential_key& key) {
    const auto m = parsed(request);
    return m.get<stun::username>().value_or("") == user && m.get<stun::realm>().value_or("") == realm &&
           m.get<stun::nonce>().value_or("") == nonce && m.check_integrity(key).has_value();
}

} // namespace

TEST_CASE("RFC 8489 9.2.3.1: the first request says nothing of the user") {
    lonely_client ann;
    ann.it.allocate({}, ann.now, ann.out);
    const blob request = ann.request();
    CHECK_FALSE(parsed(request).has_integrity());
    CHECK_FALSE(parsed(request).has<stun::username>());
    CHECK(ann.it.realm().empty());
}

TEST_CASE("RFC 8489 9.2.5: a challenge is answered with credentials and a new transaction id") {
    lonely_client ann;
    const auto id = ann.it.allocate({}, ann.now, ann.out);
    const blob first = ann.request();
    CHECK_FALSE(ann.hears(ann.challenge(first, 401)));
    const blob second = ann.request();
    CHECK(parsed(second).id() != id);
    CHECK(parsed(second).get<stun::requested_transport>().value_or(0) == 17);
    CHECK(signed_as(second, "ann", "example.org", "nonce-1", ann.key()));
    CHECK(ann.it.realm() == "example.org");

    const auto done = as<client::allocated>(ann.hears(ann.allocate_success(second).integrity(ann.key())));
    REQUIRE(done);
    CHECK(done->relayed == *transport_address::parse("203.0.113.5:50000"));
}

TEST_CASE("RFC 8489 9.2.5: the retry after a challenge has a timetable of its own") {
    lonely_client ann;
    ann.it.allocate({}, ann.now, ann.out);
    const blob first = ann.request();
    ann.pass(30s);
    ann.sent();
    ann.hears(ann.challenge(first, 401));
    ann.request();
    CHECK(ann.it.next_deadline() == ann.now + 500ms);
}

TEST_CASE("RFC 8489 9.2.3.2: later requests use what the challenge taught") {
    lonely_client ann;
    ann.allocate();
    ann.it.refresh(600s, {}, ann.now, ann.out);
    CHECK(signed_as(ann.request(), "ann", "example.org", "nonce-1", ann.key()));
}

TEST_CASE("RFC 8489 9.2.5: a 401 to a signed request ends it and nothing more is sent") {
    lonely_client ann;
    const auto id = ann.it.allocate({}, ann.now, ann.out);
    ann.hears(ann.challenge(ann.request(), 401));
    const auto failed = as<client::failed>(ann.hears(ann.challenge(ann.request(), 401, "nonce-2")));
    REQUIRE(failed);
    CHECK(failed->code == 401);
    CHECK(failed->id == id); // the application knows the first id only
    CHECK(ann.pass(60s).empty());
    CHECK(ann.sent().empty());
}

TEST_CASE("RFC 8489 9.2.5: a 401 with another realm is worth another try with the key of that realm") {
    lonely_client ann;
    ann.it.allocate({}, ann.now, ann.out);
    ann.hears(ann.challenge(ann.request(), 401));
    ann.hears(ann.challenge(ann.request(), 401, "nonce-2", "elsewhere.example"));
    CHECK(signed_as(ann.request(), "ann", "elsewhere.example", "nonce-2", ann.key("elsewhere.example")));
}

TEST_CASE("RFC 8489 9.2.5: a 401 without REALM or NONCE is no challenge") {
    lonely_client ann;
    ann.it.allocate({}, ann.now, ann.out);
    const auto failed = as<client::failed>(ann.hears(ann.error(ann.request(), 401).with<stun::nonce>("nonce-1")));
    REQUIRE(failed);
    CHECK(failed->code == 401);
    ann.it.allocate({}, ann.now, ann.out);
    CHECK(as<client::failed>(ann.hears(ann.error(ann.request(), 401).with<stun::realm>("example.org"))));
}

TEST_CASE("RFC 8489 9.2.5: a stale nonce is replaced by the new one") {
    lonely_client ann;
    ann.allocate();
    ann.it.refresh(600s, {}, ann.now, ann.out);
    CHECK_FALSE(ann.hears(ann.challenge(ann.request(), 438, "nonce-2")));
    const blob again = ann.request();
    CHECK(signed_as(again, "ann", "example.org", "nonce-2", ann.key()));
    CHECK(as<client::refreshed>(ann.hears(ann.success(again).with<stun::lifetime>(600s).integrity(ann.key()))));
    ann.it.refresh(600s, {}, ann.now, ann.out);
    CHECK(signed_as(ann.request(), "ann", "example.org", "nonce-2", ann.key()));
}

TEST_CASE("RFC 8489 9.2.5: a server that finds every nonce stale is given up") {
    lonely_client ann;
    ann.allocate();
    ann.it.refresh(600s, {}, ann.now, ann.out);
    int requests = 0;
    std::optional<client::failed> failed;
    for (auto sent = ann.sent(); !sent.empty() && requests < 20; sent = ann.sent()) {
        ++requests;
        failed = as<client::failed>(ann.hears(ann.challenge(sent.front(), 438, "nonce-x")));
    }
    REQUIRE(failed);
    CHECK(failed->code == 438);
    CHECK(requests == 4);
}

TEST_CASE("RFC 8489 9.2.5: a 438 without a nonce is a failure") {
    lonely_client ann;
    ann.allocate();
    ann.it.refresh(600s, {}, ann.now, ann.out);
    const auto failed = as<client::failed>(ann.hears(ann.error(ann.request(), 438)));
    REQUIRE(failed);
    CHECK(failed->code == 438);
}

TEST_CASE("a 431 with REALM and NONCE ends the transaction and a bare one could be anybody's") {
    lonely_client ann;
    ann.it.allocate({}, ann.now, ann.out);
    ann.hears(ann.challenge(ann.request(), 401));
    const blob signed_request = ann.request();
    CHECK_FALSE(ann.hears(ann.error(signed_request, 431)));
    const auto failed = as<client::failed>(ann.hears(ann.challenge(signed_request, 431, "nonce-2")));
    REQUIRE(failed);
    CHECK(failed->code == 431);
    CHECK(ann.sent().empty());
}

TEST_CASE("RFC 8489 9.2.5: an unsigned success to a signed request is as if it never came") {
    lonely_client ann;
    ann.it.allocate({}, ann.now, ann.out);
    ann.hears(ann.challenge(ann.request(), 401));
    const blob request = ann.request();
    CHECK_FALSE(ann.hears(ann.allocate_success(request)));
    const auto guess = *stun::long_term_key("ann", "example.org", "guess");
    CHECK_FALSE(ann.hears(ann.allocate_success(request).integrity(guess)));
    CHECK_FALSE(ann.it.has_allocation());

    SUBCASE("retransmissions go on and the right answer is still taken") {
        ann.pass(500ms);
        CHECK(ann.request() == request);
        CHECK(as<client::allocated>(ann.hears(ann.allocate_success(request).integrity(ann.key()))));
    }
    SUBCASE("when no better one comes the failure says why") {
        const auto events = ann.pass(60s);
        REQUIRE(events.size() == 1);
        const auto failed = as<client::failed>(events.front());
        REQUIRE(failed);
        CHECK(failed->code == 0);
        CHECK(failed->phrase != "no answer");
    }
}

TEST_CASE("RFC 8489 9.2.5: errors to signed requests count when they are signed") {
    for (const std::uint16_t code : std::initializer_list<std::uint16_t>{400, 403, 437, 441, 443, 486, 500, 508}) {
        CAPTURE(code);
        lonely_client ann;
        ann.allocate();
        ann.it.permit(std::array{*transport_address::parse("25.0.0.1:1")}, ann.now, ann.out);
        const blob request = ann.request();
        CHECK_FALSE(ann.hears(ann.error(request, code)));
        const auto failed = as<client::failed>(ann.hears(ann.error(request, code).integrity(ann.key())));
        REQUIRE(failed);
        CHECK(failed->code == code);
    }
}

TEST_CASE("RFC 8489 9.2.5: an unsigned 400 is discarded even when the request was unsigned") {
    lonely_client ann;
    ann.it.allocate({}, ann.now, ann.out);
    const blob request = ann.request();
    CHECK_FALSE(ann.hears(ann.error(request, 400)));
    CHECK_FALSE(ann.hears(ann.challenge(request, 401))); // still in flight: it is retried
    CHECK(ann.sent().size() == 1);
}

TEST_CASE("RFC 8489 9.2.3: Binding needs no credentials and takes unsigned errors") {
    lonely_client ann;
    ann.allocate();
    ann.it.bind(ann.now, ann.out);
    const blob request = ann.request();
    CHECK_FALSE(parsed(request).has_integrity());
    const auto failed = as<client::failed>(ann.hears(ann.error(request, 400)));
    REQUIRE(failed);
    CHECK(failed->code == 400);
}

TEST_CASE("an error to an unsigned request that is no challenge ends it") {
    lonely_client ann;
    ann.it.allocate({}, ann.now, ann.out);
    const auto failed = as<client::failed>(ann.hears(ann.error(ann.request(), 508)));
    REQUIRE(failed);
    CHECK(failed->code == 508);
}

TEST_CASE("RFC 8265 4.2: a password that no server could know is reported and not sent") {
    lonely_client ann({.password = "bell\a"});
    ann.it.allocate({}, ann.now, ann.out);
    const auto failed = as<client::failed>(ann.hears(ann.challenge(ann.request(), 401)));
    REQUIRE(failed);
    CHECK(failed->code == 0);
    CHECK(ann.sent().empty());
}
