#include <doctest/doctest.h>

#include "support/lonely_client.hpp"

using namespace std::chrono_literals;
using namespace turn;
using namespace turn::test;

namespace {

const transport_address bob = *transport_address::parse("25.0.0.1:5000");
const transport_address eve = *transport_address::parse("[2a01:5::1]:5000");

/// Answers every keep-alive with success and counts them by method until `duration` has passed.
struct kept_alive {
    int refreshes = 0, permissions = 0, channels = 0;
};
kept_alive keep_alive_for(lonely_client& ann, std::chrono::seconds duration) {
    kept_alive count;
    for (const time_point until = ann.now + duration; ann.now < until;) {
        const auto step = std::min(ann.it.next_deadline(), until) - ann.now;
        CHECK(ann.pass(std::chrono::ceil<std::chrono::milliseconds>(step)).empty());
        for (const blob& request : ann.sent()) {
            auto answer = ann.success(request);
            switch (parsed(request).method()) {
            case stun::method::refresh:
                ++count.refreshes;
                answer.with<stun::lifetime>(600s);
                break;
            case stun::method::create_permission:
                ++count.permissions;
                break;
            case stun::method::channel_bind:
                ++count.channels;
                break;
            default:
                FAIL("nobody asked for that");
            }
            CHECK_FALSE(ann.hears(answer.integrity(ann.key()))); // what is automatic is no event
        }
    }
    return count;
}

} // namespace

TEST_CASE("RFC 8656 7.1: every wish becomes its attribute") {
    lonely_client ann({.lifetime = 3600s});
    const std::array token{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4},
                           std::byte{5}, std::byte{6}, std::byte{7}, std::byte{8}};
    ann.it.allocate({.family = address_family::ipv6, .even_port = true, .dont_fragment = true}, ann.now, ann.out);
    ann.it.allocate({.additional_ipv6 = true, .even_port = false}, ann.now, ann.out);
    ann.it.allocate({.token = token}, ann.now, ann.out);
    const auto sent = ann.sent();
    REQUIRE(sent.size() == 3);

    const auto first = parsed(sent[0]);
    CHECK(first.get<stun::requested_transport>().value_or(0) == 17);
    CHECK(first.get<stun::lifetime>().value_or(0s) == 3600s);
    CHECK(first.get<stun::requested_address_family>().value_or(address_family::ipv4) == address_family::ipv6);
    REQUIRE(first.get<stun::even_port>());
    CHECK(first.get<stun::even_port>()->reserve_next);
    CHECK(first.has<stun::dont_fragment>());
    CHECK_FALSE(first.has<stun::reservation_token>());
    CHECK_FALSE(first.has<stun::additional_address_family>());

    const auto second = parsed(sent[1]);
    CHECK(second.get<stun::additional_address_family>().value_or(address_family::ipv4) == address_family::ipv6);
    REQUIRE(second.get<stun::even_port>());
    CHECK_FALSE(second.get<stun::even_port>()->reserve_next);
    CHECK_FALSE(second.has<stun::dont_fragment>());

    REQUIRE(parsed(sent[2]).get<stun::reservation_token>());
    CHECK(*parsed(sent[2]).get<stun::reservation_token>() == token);
}

TEST_CASE("RFC 8656 7.3: what was allocated is told in full") {
    lonely_client ann;
    ann.it.allocate({.additional_ipv6 = true}, ann.now, ann.out);
    const auto relayed6 = *transport_address::parse("[2001:db8:f::5]:50000");
    const std::array token{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4},
                           std::byte{5}, std::byte{6}, std::byte{7}, std::byte{8}};
    ann.hears(ann.challenge(ann.request(), 401));
    const auto a = as<client::allocated>(
        ann.hears(ann.success(ann.request())
                      .with<stun::xor_relayed_address>(relayed6)
                      .with<stun::xor_relayed_address>(*transport_address::parse("203.0.113.5:50002"))
                      .with<stun::xor_mapped_address>(*transport_address::parse("192.0.2.1:40000"))
                      .with<stun::lifetime>(777s)
                      .with<stun::reservation_token>(token)
                      .with<stun::address_error_code>({address_family::ipv6, 508, "no"})
                      .integrity(ann.key())));
    REQUIRE(a);
    CHECK(a->relayed == *transport_address::parse("203.0.113.5:50002")); // IPv4 first, whatever the order
    CHECK(a->relayed_additional == relayed6);
    CHECK(a->mapped == *transport_address::parse("192.0.2.1:40000"));
    CHECK(a->lifetime == 777s);
    CHECK(a->additional_error == 508);
    REQUIRE(a->token);
    CHECK(*a->token == token);
    CHECK(ann.it.has_allocation());
}

TEST_CASE("RFC 8656 7.2: an Allocate success needs a relayed and a mapped address and a lifetime") {
    const auto relayed = *transport_address::parse("203.0.113.5:50002");
    const auto mapped = *transport_address::parse("192.0.2.1:40000");
    for (const int missing : {0, 1, 2}) {
        CAPTURE(missing);
        lonely_client ann;
        ann.it.allocate({}, ann.now, ann.out);
        ann.hears(ann.challenge(ann.request(), 401));
        auto m = ann.success(ann.request());
        if (missing != 0) m.with<stun::xor_relayed_address>(relayed);
        if (missing != 1) m.with<stun::xor_mapped_address>(mapped);
        if (missing != 2) m.with<stun::lifetime>(600s);
        CHECK(as<client::failed>(ann.hears(m.integrity(ann.key()))));
        CHECK_FALSE(ann.it.has_allocation());
    }
}

TEST_CASE("RFC 8656 8: the allocation is refreshed a minute before it expires") {
    lonely_client ann({.lifetime = 900s});
    ann.allocate(600s);
    CHECK(ann.pass(539s).empty());
    CHECK(ann.sent().empty());
    CHECK(ann.pass(1s).empty());
    const blob request = ann.request();
    CHECK(parsed(request).method() == stun::method::refresh);
    CHECK(parsed(request).get<stun::lifetime>().value_or(0s) == 900s);
    CHECK(parsed(request).check_integrity(ann.key()));
    CHECK_FALSE(ann.hears(ann.success(request).with<stun::lifetime>(900s).integrity(ann.key())));
    CHECK(ann.pass(839s).empty());
    CHECK(ann.sent().empty());
    ann.pass(1s);
    CHECK(ann.sent().size() == 1);
}

TEST_CASE("RFC 8656 8: a short-lived allocation is refreshed half-way") {
    lonely_client ann;
    ann.allocate(60s);
    ann.pass(29s);
    CHECK(ann.sent().empty());
    ann.pass(1s);
    CHECK(parsed(ann.request()).method() == stun::method::refresh);
}

TEST_CASE("RFC 8656 9 and 12: permissions are kept alive every four minutes and channels every nine") {
    lonely_client ann;
    ann.allocate(600s);
    ann.it.permit(std::array{eve}, ann.now, ann.out);
    ann.hears(ann.success(ann.request()).integrity(ann.key()));
    ann.it.bind_channel(0x4000, bob, ann.now, ann.out);
    ann.hears(ann.success(ann.request()).integrity(ann.key()));

    const kept_alive count = keep_alive_for(ann, 3600s);
    CHECK(count.refreshes == 6);    // every 540 s
    CHECK(count.channels == 6);     // every 540 s
    CHECK(count.permissions >= 15); // both peers at 240 s; the channel's shifts with each binding
    CHECK(count.permissions <= 30);
    CHECK(ann.it.has_allocation());
}

TEST_CASE("nothing is refreshed when keep-alive is off") {
    lonely_client ann({.keep_alive = false});
    ann.allocate(600s);
    ann.it.permit(std::array{bob}, ann.now, ann.out);
    ann.hears(ann.success(ann.request()).integrity(ann.key()));
    const auto events = ann.pass(599s);
    CHECK(events.empty());
    CHECK(ann.sent().empty());
    CHECK(ann.it.has_allocation());
}

TEST_CASE("RFC 8656 6: an allocation that expires is an event and is gone") {
    lonely_client ann({.keep_alive = false});
    ann.allocate(600s);
    const auto events = ann.pass(600s);
    REQUIRE(events.size() == 1);
    const auto gone = as<client::refreshed>(events.front());
    REQUIRE(gone);
    CHECK(gone->lifetime == 0s);
    CHECK(gone->id == stun::transaction_id{});
    CHECK_FALSE(ann.it.has_allocation());
    CHECK(ann.it.next_deadline() == time_point::max());
}

TEST_CASE("a refresh that meets silence is tried again while the allocation lives") {
    lonely_client ann;
    ann.allocate(600s);
    ann.pass(540s);
    const blob first = ann.request();
    const auto events = ann.pass(39500ms);
    REQUIRE(events.size() == 1);
    const auto failed = as<client::failed>(events.front());
    REQUIRE(failed);
    CHECK(failed->method == stun::method::refresh);
    CHECK(failed->code == 0);
    ann.sent();
    ann.pass(5s);
    const blob second = ann.request();
    CHECK(parsed(second).method() == stun::method::refresh);
    CHECK(parsed(second).id() != parsed(first).id());
}

TEST_CASE("RFC 8656 8.3: a 437 to a refresh means that the allocation is gone") {
    lonely_client ann;
    ann.allocate();
    ann.it.refresh(600s, {}, ann.now, ann.out);
    const auto failed = as<client::failed>(ann.hears(ann.error(ann.request(), 437).integrity(ann.key())));
    REQUIRE(failed);
    CHECK(failed->code == 437);
    CHECK_FALSE(ann.it.has_allocation());
}

TEST_CASE("RFC 8656 8.3: a 437 to a deletion is a success") {
    lonely_client ann;
    ann.allocate();
    const auto deletion = ann.it.refresh(0s, {}, ann.now, ann.out);
    const auto gone = as<client::refreshed>(ann.hears(ann.error(ann.request(), 437).integrity(ann.key())));
    REQUIRE(gone);
    CHECK(gone->lifetime == 0s);
    CHECK(gone->id == deletion);
    CHECK_FALSE(ann.it.has_allocation());
}

TEST_CASE("RFC 8656 8.1: deleting one family leaves the other and what belongs to it") {
    lonely_client ann;
    ann.it.allocate({.additional_ipv6 = true}, ann.now, ann.out);
    ann.hears(ann.challenge(ann.request(), 401));
    const blob request = ann.request();
    ann.hears(ann.allocate_success(request)
                  .with<stun::xor_relayed_address>(*transport_address::parse("[2001:db8:f::5]:50000"))
                  .integrity(ann.key()));
    for (const auto& [number, peer] : {std::pair{std::uint16_t{0x4000}, bob}, std::pair{std::uint16_t{0x4001}, eve}}) {
        ann.it.bind_channel(number, peer, ann.now, ann.out);
        ann.hears(ann.success(ann.request()).integrity(ann.key()));
    }
    ann.it.refresh(0s, address_family::ipv4, ann.now, ann.out);
    const blob deletion = ann.request();
    CHECK(parsed(deletion).get<stun::requested_address_family>().value_or(address_family::ipv6) ==
          address_family::ipv4);
    CHECK(as<client::refreshed>(ann.hears(ann.success(deletion).with<stun::lifetime>(0s).integrity(ann.key()))));

    CHECK(ann.it.has_allocation());
    CHECK_FALSE(ann.hears(channel_data_message(0x4000, to_blob("from bob"))));
    CHECK(as<client::peer_data>(ann.hears(channel_data_message(0x4001, to_blob("from eve")))));
}

TEST_CASE("a permission that is refused is not asked for again") {
    lonely_client ann;
    ann.allocate(3600s);
    ann.it.permit(std::array{bob}, ann.now, ann.out);
    ann.hears(ann.success(ann.request()).integrity(ann.key()));
    ann.pass(240s);
    const auto failed = as<client::failed>(ann.hears(ann.error(ann.request(), 403).integrity(ann.key())));
    REQUIRE(failed);
    CHECK(failed->code == 403);
    ann.pass(1000s);
    CHECK(ann.sent().empty());
}
