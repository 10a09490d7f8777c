/// A client that is sent to another server: RFC 8489, 10.

#include <doctest/doctest.h>

#include "support/lonely_client.hpp"

namespace turn::test {

using namespace std::chrono_literals;

namespace {

const auto first_server = *transport_address::parse("198.51.100.1:3478");
const auto second_server = *transport_address::parse("198.51.100.2:3479");
const auto third_server = *transport_address::parse("198.51.100.3:3478");
const auto other_family = *transport_address::parse("[2001:db8::2]:3478");

/// Until ann's signed Allocate, which is returned.
blob ask(lonely_client& ann) {
    ann.it.allocate({}, ann.now, ann.out);
    ann.hears(lonely_client::challenge(ann.request(), 401));
    return ann.request();
}

message sent_to(bytes request, std::initializer_list<transport_address> servers) {
    message m = lonely_client::error(request, 300);
    for (const auto& s : servers) m.with<stun::alternate_server>(s);
    return m;
}

} // namespace

TEST_CASE("RFC 8489 10: a redirected Allocate begins anew at the other server") {
    lonely_client ann;
    const auto id = ann.it.allocate({}, ann.now, ann.out);
    ann.hears(lonely_client::challenge(ann.request(), 401));
    const blob request = ann.request();
    const message answer = sent_to(request, {second_server, other_family}).with<stun::alternate_domain>("b.example");
    const auto told = as<client::redirected>(ann.hears(message(answer).integrity(ann.key())));
    REQUIRE(told);
    CHECK(told->server == second_server);
    CHECK(told->domain == "b.example");
    CHECK(told->id == id);
    CHECK(ann.it.server() == second_server);

    const blob anew = ann.request();
    CHECK_FALSE(parsed(anew).has_integrity()); // a stranger there: RFC 8489, 9.2.3.1
    CHECK_FALSE(parsed(anew).has<stun::nonce>());
    CHECK(parsed(anew).get<stun::requested_transport>().value_or(0) == 17);
    ann.hears(lonely_client::challenge(anew, 401, "nonce-b", "b.example"));
    const blob signed_there = ann.request();
    CHECK(parsed(signed_there).check_integrity(ann.key("b.example")).has_value());
    CHECK(as<client::allocated>(ann.hears(ann.allocate_success(signed_there).integrity(ann.key("b.example")))));
}

TEST_CASE("RFC 8489 10: datagrams go to the other server from then on") {
    lonely_client ann;
    ann.hears(sent_to(ask(ann), {second_server}).integrity(ann.key()));
    ann.sent();
    ann.it.bind(ann.now, ann.out);
    REQUIRE(ann.out.datagrams().size() == 1);
    CHECK(ann.out.datagrams()[0].to == second_server);
}

TEST_CASE("RFC 8489 14.8: a redirection that nobody signed is not followed") {
    SUBCASE("to a signed request it is as if it never came") {
        lonely_client ann;
        const blob request = ask(ann);
        CHECK_FALSE(ann.hears(sent_to(request, {second_server})));
        CHECK(ann.it.server() == first_server);
        CHECK(as<client::allocated>(ann.hears(ann.allocate_success(request).integrity(ann.key()))));
    }
    SUBCASE("to an unsigned one it is a failure") {
        lonely_client ann;
        ann.it.allocate({}, ann.now, ann.out);
        const auto failed = as<client::failed>(ann.hears(sent_to(ann.request(), {second_server})));
        REQUIRE(failed);
        CHECK(failed->code == 300);
        CHECK(ann.sent().empty());
    }
}

TEST_CASE("RFC 8489 10: a redirection to nowhere we could go is a failure") {
    for (const bool family : {true, false}) {
        lonely_client ann;
        const blob request = ask(ann);
        message m = family ? sent_to(request, {other_family}) : sent_to(request, {});
        const auto failed = as<client::failed>(ann.hears(m.integrity(ann.key())));
        REQUIRE(failed);
        CHECK(failed->code == 300);
        CHECK(ann.it.server() == first_server);
    }
}

TEST_CASE("RFC 8489 10: a server that was asked within five minutes is not asked again") {
    lonely_client ann;
    ann.hears(sent_to(ask(ann), {second_server}).integrity(ann.key()));
    ann.hears(lonely_client::challenge(ann.request(), 401));
    SUBCASE("not back to where we came from") {
        const auto failed = as<client::failed>(ann.hears(sent_to(ann.request(), {first_server}).integrity(ann.key())));
        REQUIRE(failed);
        CHECK(failed->code == 300);
        CHECK(ann.sent().empty());
    }
    SUBCASE("not to itself") {
        CHECK(as<client::failed>(ann.hears(sent_to(ann.request(), {second_server}).integrity(ann.key()))));
    }
    SUBCASE("but on to a third one") {
        CHECK(as<client::redirected>(ann.hears(sent_to(ann.request(), {third_server}).integrity(ann.key()))));
        CHECK(ann.it.server() == third_server);
    }
    SUBCASE("and after five minutes back") {
        ann.pass(300s);
        ann.sent();
        ann.it.allocate({}, ann.now, ann.out); // signed at once, with what the challenge taught
        CHECK(as<client::redirected>(ann.hears(sent_to(ann.request(), {first_server}).integrity(ann.key()))));
        CHECK(ann.it.server() == first_server);
    }
}

TEST_CASE("RFC 8489 10: a chain of redirections ends") {
    lonely_client ann;
    std::optional<client::event> event;
    blob request = ask(ann);
    int servers = 0;
    for (std::uint16_t port = 1; port < 100; ++port, ++servers) {
        event = ann.hears(sent_to(request, {first_server.with_port(port)}).integrity(ann.key()));
        if (!as<client::redirected>(event)) break;
        ann.hears(lonely_client::challenge(ann.request(), 401));
        request = ann.request();
    }
    CHECK(servers == 8);
    REQUIRE(as<client::failed>(event));
    CHECK(as<client::failed>(event)->code == 300);
}

TEST_CASE("RFC 8489 10: with an allocation nobody goes anywhere") {
    lonely_client ann;
    ann.allocate();
    ann.it.refresh(600s, {}, ann.now, ann.out);
    const auto failed = as<client::failed>(ann.hears(sent_to(ann.request(), {second_server}).integrity(ann.key())));
    REQUIRE(failed);
    CHECK(failed->code == 300);
    CHECK(ann.it.server() == first_server);
    CHECK(ann.it.has_allocation());
}

TEST_CASE("RFC 8489 10: over a stream the other server is asked when there is a connection to it") {
    lonely_client ann({.via = stream_id(7)});
    REQUIRE(as<client::redirected>(ann.hears(sent_to(ask(ann), {second_server}).integrity(ann.key()))));
    CHECK(ann.sent().empty());
    CHECK(ann.pass(120s).empty()); // however long connecting takes
    CHECK(ann.sent().empty());

    ann.it.reconnected(stream_id(8), ann.now, ann.out);
    REQUIRE(ann.out.frames().size() == 1);
    CHECK(ann.out.frames()[0].via == stream_id(8));
    CHECK(ann.out.frames()[0].to == second_server);
    ann.hears(lonely_client::challenge(ann.request(), 401));
    CHECK(as<client::allocated>(ann.hears(ann.allocate_success(ann.request()).integrity(ann.key()))));
}

TEST_CASE("RFC 8489 10: what else is under way begins anew at the other server") {
    lonely_client ann;
    const auto bound = ann.it.bind(ann.now, ann.out);
    const blob first = ann.request();
    ann.hears(sent_to(ask(ann), {second_server}).integrity(ann.key()));
    const auto sent = ann.sent();
    REQUIRE(sent.size() == 2);
    CHECK_FALSE(parsed(sent[0]).has_integrity());
    CHECK(parsed(sent[0]).method() == stun::method::binding);
    const auto here = *transport_address::parse("192.0.2.1:40000");
    CHECK_FALSE(ann.hears(lonely_client::success(first).with<stun::xor_mapped_address>(here)));
    const auto mapped =
        as<client::mapped>(ann.hears(lonely_client::success(sent[0]).with<stun::xor_mapped_address>(here)));
    REQUIRE(mapped);
    CHECK(mapped->id == bound);
}

TEST_CASE("RFC 8489 10: over a stream what is under way or asked for waits for the other connection") {
    for (const socket_id old : {stream_id(7), dtls_id(7)}) {
        lonely_client ann({.via = old});
        ann.it.bind(ann.now, ann.out);
        ann.request();
        ann.hears(sent_to(ask(ann), {second_server}).integrity(ann.key()));
        const auto asked = ann.it.bind(ann.now, ann.out);
        CHECK(ann.pass(120s).empty());
        CHECK(ann.sent().empty());
        ann.it.reconnected(old, ann.now, ann.out);
        const auto sent = ann.sent();
        REQUIRE(sent.size() == 3);
        const auto here = *transport_address::parse("192.0.2.1:40000");
        const auto mapped =
            as<client::mapped>(ann.hears(lonely_client::success(sent[2]).with<stun::xor_mapped_address>(here)));
        REQUIRE(mapped);
        CHECK(mapped->id == asked);
        ann.it.bind(ann.now, ann.out);
        CHECK(ann.sent().size() == 1); // at once again
    }
}

TEST_CASE("RFC 8489 14.16: what is no name in ALTERNATE-DOMAIN is as if not there") {
    for (const std::string_view domain : {std::string_view("b.example\0.c.example", 20), std::string_view("b example"),
                                          std::string_view(".example"), std::string_view("")}) {
        lonely_client ann;
        const message answer = sent_to(ask(ann), {second_server}).with<stun::alternate_domain>(domain);
        const auto told = as<client::redirected>(ann.hears(message(answer).integrity(ann.key())));
        REQUIRE(told);
        CHECK(told->domain.empty());
    }
}

TEST_CASE("RFC 8489 10: a server that is reached and silent is given up in the usual time") {
    lonely_client ann({.via = stream_id(7)});
    ann.hears(sent_to(ask(ann), {second_server}).integrity(ann.key()));
    ann.it.reconnected(stream_id(8), ann.now, ann.out);
    ann.sent();
    CHECK(ann.pass(39s).empty());
    CHECK(ann.pass(1s).size() == 1);
}

} // namespace turn::test
