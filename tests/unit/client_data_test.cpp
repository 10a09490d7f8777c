#include <doctest/doctest.h>

#include "support/lonely_client.hpp"
#include "turn/channel_data.hpp"

using namespace std::chrono_literals;
using namespace turn;
using namespace turn::test;

namespace {

const transport_address bob = *transport_address::parse("25.0.0.1:5000");
const transport_address eve = *transport_address::parse("25.0.0.2:5000");

test::message data_indication(const transport_address& from) {
    return test::message(stun::message_class::indication, stun::method::data, {}).with<stun::xor_peer_address>(from);
}

void permit(lonely_client& ann, const transport_address& peer) {
    ann.it.permit(std::array{peer}, ann.now, ann.out);
    ann.hears(ann.success(ann.request()).integrity(ann.key()));
}

void bind(lonely_client& ann, std::uint16_t number, const transport_address& peer) {
    ann.it.bind_channel(number, peer, ann.now, ann.out);
    ann.hears(ann.success(ann.request()).integrity(ann.key()));
}

} // namespace

TEST_CASE("RFC 8656 11.1: without a channel data travels in a Send indication") {
    lonely_client ann;
    ann.allocate();
    for (const std::string text : {"", "a", "ab", "abc", "abcd"}) {
        CAPTURE(text);
        const blob payload = to_blob(text);
        REQUIRE(ann.it.send(bob, payload, ann.out));
        const blob raw = ann.request();
        const auto m = parsed(raw);
        CHECK(m.cls() == stun::message_class::indication);
        CHECK(m.method() == stun::method::send);
        CHECK(m.get<stun::xor_peer_address>().value_or(transport_address{}) == bob);
        REQUIRE(m.get<stun::data>());
        CHECK(to_text(*m.get<stun::data>()) == text);
        CHECK_FALSE(m.has<stun::dont_fragment>());
        CHECK(raw.size() % 4 == 0);
    }
}

TEST_CASE("RFC 8656 14: a Send indication may ask not to be fragmented") {
    lonely_client ann;
    ann.allocate();
    const blob payload = to_blob("whole");
    REQUIRE(ann.it.send_indication(*transport_address::parse("[2a01:5::1]:5000"), payload, true, ann.out));
    const blob raw = ann.request();
    CHECK(parsed(raw).has<stun::dont_fragment>());
    CHECK(parsed(raw).get<stun::xor_peer_address>().value_or(bob) == *transport_address::parse("[2a01:5::1]:5000"));
    CHECK(to_text(*parsed(raw).get<stun::data>()) == "whole");
}

TEST_CASE("RFC 8656 12.5: once a channel is bound data travels on it") {
    lonely_client ann;
    ann.allocate();
    ann.it.bind_channel(0x4abc, bob, ann.now, ann.out);
    const blob request = ann.request();
    const blob payload = to_blob("hello");
    REQUIRE(ann.it.send(bob, payload, ann.out)); // not bound yet
    CHECK(parsed(ann.request()).method() == stun::method::send);
    ann.hears(ann.success(request).integrity(ann.key()));

    REQUIRE(ann.it.send(bob, payload, ann.out));
    CHECK(ann.request() == channel_data_message(0x4abc, payload));
    REQUIRE(ann.it.send(eve, payload, ann.out)); // somebody else
    CHECK(parsed(ann.request()).method() == stun::method::send);
    REQUIRE(ann.it.send(bob.with_port(5001), payload, ann.out)); // a channel is for one port
    CHECK(parsed(ann.request()).method() == stun::method::send);
}

TEST_CASE("RFC 8656 12: a channel that was not kept alive is not used after ten minutes") {
    lonely_client ann({.keep_alive = false});
    ann.allocate(3600s);
    bind(ann, 0x4000, bob);
    ann.pass(600s);
    const blob payload = to_blob("late");
    REQUIRE(ann.it.send(bob, payload, ann.out));
    CHECK(parsed(ann.request()).method() == stun::method::send);
}

TEST_CASE("nothing can be sent without an allocation nor more than a datagram holds") {
    lonely_client ann;
    const blob payload = to_blob("x");
    CHECK(ann.it.send(bob, payload, ann.out).error() == errc::not_found);
    CHECK(ann.it.send_indication(bob, payload, false, ann.out).error() == errc::not_found);
    ann.allocate();
    CHECK(ann.it.send(bob, blob(65'507), ann.out).error() == errc::no_capacity);
    bind(ann, 0x4000, bob);
    CHECK(ann.it.send(bob, blob(65'504), ann.out).error() == errc::no_capacity);
    const blob most(65'503);
    CHECK(ann.it.send(bob, most, ann.out));
    CHECK(ann.request().size() == 65'507);
}

TEST_CASE("RFC 8656 12.6: ChannelData is heard on a channel that was asked for and on no other") {
    lonely_client ann;
    ann.allocate();
    bind(ann, 0x4000, bob);
    const auto heard = as<client::peer_data>(ann.hears(channel_data_message(0x4000, to_blob("hello"), 3)));
    REQUIRE(heard);
    CHECK(heard->from == bob);
    CHECK(to_text(heard->data) == "hello");
    CHECK_FALSE(ann.hears(channel_data_message(0x4001, to_blob("hello"))));

    blob cut = channel_data_message(0x4000, to_blob("hello"));
    cut.pop_back();
    CHECK_FALSE(ann.hears(cut));
}

TEST_CASE("RFC 8656 12.6: ChannelData that overtakes the answer to ChannelBind is heard") {
    lonely_client ann;
    ann.allocate();
    ann.it.bind_channel(0x4000, bob, ann.now, ann.out);
    const blob request = ann.request();
    CHECK(as<client::peer_data>(ann.hears(channel_data_message(0x4000, to_blob("early")))));
    ann.hears(ann.error(request, 403).integrity(ann.key()));
    CHECK_FALSE(ann.hears(channel_data_message(0x4000, to_blob("late"))));
}

TEST_CASE("RFC 8656 11.4: a Data indication is heard from those who were permitted") {
    lonely_client ann;
    ann.allocate();
    permit(ann, bob);
    const auto heard =
        as<client::peer_data>(ann.hears(data_indication(bob.with_port(7)).with<stun::data>(to_blob("hello"))));
    REQUIRE(heard); // a permission is for every port
    CHECK(heard->from == bob.with_port(7));
    CHECK(to_text(heard->data) == "hello");
    CHECK_FALSE(ann.hears(data_indication(eve).with<stun::data>(to_blob("psst"))));
}

TEST_CASE("RFC 8656 11.4: a permission that was not kept alive ends after five minutes") {
    lonely_client ann({.keep_alive = false});
    ann.allocate(3600s);
    permit(ann, bob);
    ann.pass(299s);
    CHECK(ann.hears(data_indication(bob).with<stun::data>(to_blob("early"))));
    ann.pass(1s);
    CHECK_FALSE(ann.hears(data_indication(bob).with<stun::data>(to_blob("late"))));
}

TEST_CASE("RFC 8656 11.4: Data indications without data or peer or with what we do not know are dropped") {
    lonely_client ann;
    ann.allocate();
    permit(ann, bob);
    CHECK_FALSE(ann.hears(data_indication(bob)));
    CHECK_FALSE(ann.hears(
        test::message(stun::message_class::indication, stun::method::data, {}).with<stun::data>(to_blob("x"))));
    CHECK_FALSE(ann.hears(data_indication(bob).with<stun::data>(to_blob("x")).attribute(0x7001, "what")));
    CHECK_FALSE(ann.hears(test::message(stun::message_class::indication, stun::method::send, {})
                              .with<stun::xor_peer_address>(bob)
                              .with<stun::data>(to_blob("x"))));
}

TEST_CASE("RFC 8656 11.6: what ICMP says of a permitted peer is told the application") {
    lonely_client ann;
    ann.allocate();
    permit(ann, bob);
    const auto told =
        as<client::peer_unreachable>(ann.hears(data_indication(bob.with_port(7)).with<stun::icmp>({3, 4, 1280})));
    REQUIRE(told);
    CHECK(told->peer == bob.with_port(7));
    CHECK(std::pair(+told->type, +told->code) == std::pair(3, 4));
    CHECK(told->mtu == 1280);
    CHECK_FALSE(ann.hears(data_indication(eve).with<stun::icmp>({3, 3, 0})));
    CHECK_FALSE(
        ann.hears(test::message(stun::message_class::indication, stun::method::data, {}).with<stun::icmp>({3, 3, 0})));
}
