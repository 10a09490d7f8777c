#include <doctest/doctest.h>

#include "support/lonely_client.hpp"

using namespace std::chrono_literals;
using namespace turn;
using namespace turn::test;

namespace {

/// Milliseconds after the first request at which requests left, until the client gave up.
std::vector<int> timetable(lonely_client& ann) {
    std::vector<int> at;
    const time_point start = ann.now;
    ann.it.bind(ann.now, ann.out);
    for (std::vector<client::event> ended; ended.empty();) {
        for (std::size_t n = ann.sent().size(); n > 0; --n)
            at.push_back(
                static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(ann.now - start).count()));
        ended = ann.pass(std::chrono::ceil<std::chrono::milliseconds>(ann.it.next_deadline() - ann.now));
        if (!ended.empty())
            at.push_back(
                -static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(ann.now - start).count()));
    }
    return at;
}

} // namespace

TEST_CASE("RFC 8489 6.2.1: seven requests leave at the times of the example and the eighth wait is the last") {
    lonely_client ann;
    CHECK(timetable(ann) == std::vector<int>{0, 500, 1500, 3500, 7500, 15500, 31500, -39500});
    CHECK(ann.it.next_deadline() == time_point::max());
}

TEST_CASE("RFC 8489 6.2.2: over a stream a request leaves once and is given up after Ti") {
    lonely_client ann({.via = stream_id(3)});
    CHECK(timetable(ann) == std::vector<int>{0, -39500});
}

TEST_CASE("RFC 8489 6.2.1: RTO and Rc and Rm are the application's to choose") {
    lonely_client ann({.rto = 100ms, .rc = 3, .rm = 5});
    CHECK(timetable(ann) == std::vector<int>{0, 100, 300, -800});
}

TEST_CASE("RFC 8489 6.2.1: a retransmission is the same message and a late tick causes no burst") {
    lonely_client ann;
    ann.it.bind(ann.now, ann.out);
    const blob first = ann.request();
    ann.now += 20s; // five of them would have been due
    CHECK_FALSE(ann.it.tick(ann.now, ann.out));
    CHECK(ann.request() == first);
    CHECK(ann.it.next_deadline() == ann.now + 1000ms);
}

TEST_CASE("RFC 8489 6.3.3: a Binding success tells the mapped address and ends the transaction") {
    lonely_client ann;
    const auto id = ann.it.bind(ann.now, ann.out);
    const blob request = ann.request();
    CHECK(parsed(request).id() == id);
    CHECK_FALSE(parsed(request).has_integrity());
    const auto where = *transport_address::parse("192.0.2.1:40000");
    const auto event = as<client::mapped>(ann.hears(ann.success(request).with<stun::xor_mapped_address>(where)));
    REQUIRE(event);
    CHECK(event->address == where);
    CHECK(event->id == id);
    CHECK(ann.it.next_deadline() == time_point::max());
    CHECK_FALSE(ann.hears(ann.success(request).with<stun::xor_mapped_address>(where))); // again: nobody waits for it
}

TEST_CASE("RFC 8489 6.3.3: a Binding success without an address is a failure") {
    lonely_client ann;
    ann.it.bind(ann.now, ann.out);
    CHECK(as<client::failed>(ann.hears(ann.success(ann.request()))));
}

TEST_CASE("RFC 8489 6.3.3: unknown comprehension-required attributes make an answer a failure") {
    lonely_client ann;
    ann.it.bind(ann.now, ann.out);
    const auto event =
        as<client::failed>(ann.hears(ann.success(ann.request())
                                         .with<stun::xor_mapped_address>(*transport_address::parse("192.0.2.1:1"))
                                         .attribute(0x7001, "what")));
    REQUIRE(event);
    CHECK(event->code == 0);
}

TEST_CASE("RFC 8489 6.3.4: an error without ERROR-CODE is a failure") {
    lonely_client ann;
    ann.it.bind(ann.now, ann.out);
    CHECK(as<client::failed>(ann.hears(ann.answer(ann.request(), stun::message_class::error_response))));
}

TEST_CASE("RFC 8489 6.3.1: answers to other transactions or of another method or out of class are not ours") {
    lonely_client ann;
    ann.it.bind(ann.now, ann.out);
    const blob request = ann.request();
    const auto id = parsed(request).id();
    const auto where = *transport_address::parse("192.0.2.1:40000");
    using stun::message_class;

    auto other = id;
    other[11] ^= std::byte{1};
    CHECK_FALSE(ann.hears(test::message(message_class::success_response, stun::method::binding, other)
                              .with<stun::xor_mapped_address>(where)));
    CHECK_FALSE(ann.hears(test::message(message_class::success_response, stun::method::refresh, id)
                              .with<stun::xor_mapped_address>(where)));
    CHECK_FALSE(ann.hears(test::message(message_class::request, stun::method::binding, id)));
    CHECK_FALSE(ann.hears(test::message(message_class::indication, stun::method::binding, id)));
    CHECK_FALSE(ann.hears(bytes{}));
    CHECK_FALSE(ann.hears(to_blob("\x01\x01 not STUN")));
    CHECK(ann.sent().empty());
    CHECK(as<client::mapped>(ann.hears(ann.success(request).with<stun::xor_mapped_address>(where))));
}

TEST_CASE("RFC 8489 7.3: an answer whose FINGERPRINT is wrong is dropped") {
    lonely_client ann({.fingerprint = true});
    ann.it.bind(ann.now, ann.out);
    const blob request = ann.request();
    CHECK(parsed(request).check_fingerprint());
    const auto where = *transport_address::parse("192.0.2.1:40000");
    CHECK_FALSE(ann.hears(ann.success(request).with<stun::xor_mapped_address>(where).fingerprint(1)));
    CHECK(ann.hears(ann.success(request).with<stun::xor_mapped_address>(where).fingerprint()));
}

TEST_CASE("RFC 8489 14.14: SOFTWARE is sent when there is one") {
    lonely_client ann({.software = "a load generator"});
    ann.it.bind(ann.now, ann.out);
    const blob request = ann.request();
    CHECK(parsed(request).get<stun::software>().value_or("") == "a load generator");
}

TEST_CASE("several transactions are in flight at once and end in any order") {
    lonely_client ann;
    ann.allocate();
    const auto bob = *transport_address::parse("25.0.0.1:5000");
    const auto refresh = ann.it.refresh(900s, {}, ann.now, ann.out);
    const auto permit = ann.it.permit(std::array{bob}, ann.now, ann.out);
    const auto bind = ann.it.bind_channel(0x4001, bob, ann.now, ann.out);
    const auto requests = ann.sent();
    REQUIRE(requests.size() == 3);
    CHECK(parsed(requests[0]).id() == refresh);
    CHECK(parsed(requests[1]).id() == permit);
    CHECK(parsed(requests[2]).id() == bind);

    const auto bound = as<client::channel_bound>(ann.hears(ann.success(requests[2]).integrity(ann.key())));
    REQUIRE(bound);
    CHECK(bound->number == 0x4001);
    CHECK(bound->peer == bob);
    CHECK(bound->id == bind);
    const auto failed = as<client::failed>(ann.hears(ann.error(requests[1], 403).integrity(ann.key())));
    REQUIRE(failed);
    CHECK(failed->code == 403);
    CHECK(failed->method == stun::method::create_permission);
    CHECK(failed->id == permit);
    CHECK(failed->phrase == "so it is");
    const auto refreshed =
        as<client::refreshed>(ann.hears(ann.success(requests[0]).with<stun::lifetime>(900s).integrity(ann.key())));
    REQUIRE(refreshed);
    CHECK(refreshed->lifetime == 900s);
    CHECK(refreshed->id == refresh);
}

TEST_CASE("an outcome names the request that was made, whatever was sent on the way to it") {
    lonely_client ann;
    const auto first = ann.it.allocate({}, ann.now, ann.out);
    ann.hears(ann.challenge(ann.request(), 401));
    const blob signed_request = ann.request();
    CHECK(parsed(signed_request).id() != first);
    const auto made = as<client::allocated>(ann.hears(ann.allocate_success(signed_request).integrity(ann.key())));
    REQUIRE(made);
    CHECK(made->id == first);
    const auto permit = ann.it.permit(std::array{*transport_address::parse("25.0.0.1:5000")}, ann.now, ann.out);
    const auto permitted = as<client::permitted>(ann.hears(ann.success(ann.request()).integrity(ann.key())));
    REQUIRE(permitted);
    CHECK(permitted->id == permit);
}

TEST_CASE("no more than sixteen transactions are in flight") {
    lonely_client ann({}, 64);
    for (std::size_t i = 0; i < client::max_transactions; ++i)
        CHECK(ann.it.bind(ann.now, ann.out) != stun::transaction_id{});
    CHECK(ann.it.bind(ann.now, ann.out) == stun::transaction_id{});
    CHECK(ann.sent().size() == client::max_transactions);
}

TEST_CASE("a request that finds the outbox full leaves with the next tick") {
    lonely_client ann({}, 1);
    ann.it.bind(ann.now, ann.out);
    ann.it.bind(ann.now, ann.out);
    CHECK(ann.sent().size() == 1);
    CHECK(ann.it.next_deadline() <= ann.now);
    CHECK_FALSE(ann.it.tick(ann.now, ann.out));
    CHECK(ann.sent().size() == 1);
    CHECK(ann.it.next_deadline() == ann.now + 500ms);
}
