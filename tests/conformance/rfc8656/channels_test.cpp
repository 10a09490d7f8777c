/// Channels and ChannelBind: RFC 8656, 12 and 12.2.

#include "support/story.hpp"

namespace turn::test {

namespace {

/// Ann has an allocation; Bob is out there.
struct story {
    world w;
    raw_actor ann = w.raw("ann");
    peer_actor& bob = w.peer();

    explicit story(relay_options options = {}) : w(std::move(options)) { REQUIRE(ann.allocate().code() == success); }
};

} // namespace

TEST_CASE("RFC 8656 12.2: a bound channel permits its peer") {
    story s;
    REQUIRE(s.ann.bind_channel(0x4000, s.bob).code() == success);
    s.bob.send(s.ann.relayed, "hello");
    auto& elsewhere = s.w.peer(s.bob.address.with_port(9)); // the permission is for the address
    elsewhere.send(s.ann.relayed, "hello");
    s.w.settle();
    CHECK(s.ann.channel_data(0x4000) == texts{"hello"});
    CHECK(s.ann.data_from(elsewhere.address) == texts{"hello"});
}

TEST_CASE("RFC 8656 12.2: ChannelBind without a number or without a peer is answered 400") {
    story s;
    CHECK(s.ann.ask(s.ann.authenticated(stun::method::channel_bind).with<stun::channel_number>(0x4000)).code() == 400);
    CHECK(
        s.ann.ask(s.ann.authenticated(stun::method::channel_bind).with<stun::xor_peer_address>(s.bob.address)).code() ==
        400);
    CHECK(s.w.refused(reason::missing_attribute) == 2);
    CHECK(s.w.counters().permissions.value() == 0);
}

TEST_CASE("RFC 8656 12.2: a malformed peer in ChannelBind is answered 400") {
    story s;
    CHECK(s.ann
              .ask(s.ann.authenticated(stun::method::channel_bind)
                       .with<stun::channel_number>(0x4000)
                       .attribute(stun::xor_peer_address::type, octets({0, 1, 0, 80, 25, 0, 7})))
              .code() == 400);
    CHECK(s.w.refused(reason::bad_attribute) == 1);
}

TEST_CASE("RFC 8656 12.2: a number that is no channel's is answered 400") {
    story s;
    for (const int number : {0x0000, 0x0001, 0x3fff, 0x8000, 0xffff})
        CHECK(s.ann.bind_channel(static_cast<std::uint16_t>(number), s.bob).code() == 400);
    CHECK(s.w.refused(reason::bad_attribute) == 5);
    CHECK(s.ann.bind_channel(0x4000, s.bob).code() == success);
}

TEST_CASE("RFC 8656 12.2: a number that is bound to another peer is answered 400") {
    story s;
    auto& cat = s.w.peer();
    REQUIRE(s.ann.bind_channel(0x4000, s.bob).code() == success);
    CHECK(refused_signed(s.ann.bind_channel(0x4000, cat), s.ann, 400));
    CHECK(s.ann.bind_channel(0x4000, s.bob.address.with_port(9)).code() == 400); // a transport address has a port
    CHECK(s.w.refused(reason::channel_in_use) == 2);
    s.ann.send_channel_data(0x4000, "still for bob");
    CHECK(s.bob.received == texts{"still for bob"});
    CHECK(s.w.counters().permissions.value() == 1);
}

TEST_CASE("RFC 8656 12.2: a peer that is bound to another number is answered 400") {
    story s;
    REQUIRE(s.ann.bind_channel(0x4000, s.bob).code() == success);
    CHECK(refused_signed(s.ann.bind_channel(0x4001, s.bob), s.ann, 400));
    CHECK(s.w.refused(reason::channel_in_use) == 1);
    CHECK(s.ann.bind_channel(0x4001, s.bob.address.with_port(9)).code() == success); // another transport address
}

TEST_CASE("RFC 8656 12.2: a number of one channel with the peer of another is answered 400") {
    story s;
    auto& cat = s.w.peer();
    REQUIRE(s.ann.bind_channel(0x4000, s.bob).code() == success);
    REQUIRE(s.ann.bind_channel(0x4001, cat).code() == success);
    CHECK(s.ann.bind_channel(0x4001, s.bob).code() == 400);
    CHECK(s.ann.bind_channel(0x4000, cat).code() == 400);
}

TEST_CASE("RFC 8656 12.2: a ChannelBind for a family that is not relayed is answered 443") {
    story s;
    auto& six = s.w.peer(address_family::ipv6);
    CHECK(refused_signed(s.ann.bind_channel(0x4000, six), s.ann, 443));
    CHECK(s.w.refused(reason::wrong_family) == 1);
}

TEST_CASE("RFC 8656 12.2: a ChannelBind for a forbidden peer is answered 403") {
    story s;
    CHECK(refused_signed(s.ann.bind_channel(0x4000, at("169.254.169.254:80")), s.ann, 403));
    CHECK(s.w.refused(reason::peer_denied) == 1);
    CHECK(s.w.events.requests_refused.back().peer == at("169.254.169.254:80"));
    CHECK(s.ann.bind_channel(0x4000, s.bob.address.with_port(0)).code() == 403); // nobody lives at port 0
    CHECK(s.w.counters().channels.value() == 0);
}

TEST_CASE("RFC 8656 12.2: more channels than an allocation may have are answered 508") {
    relay_options options;
    options.channels_per_allocation = 1;
    story s(options);
    auto& cat = s.w.peer();
    REQUIRE(s.ann.bind_channel(0x4000, s.bob).code() == success);
    CHECK(refused_signed(s.ann.bind_channel(0x4001, cat), s.ann, 508));
    CHECK(s.w.refused(reason::channel_limit) == 1);
    CHECK(s.w.counters().permissions.value() == 1);
    CHECK(s.ann.bind_channel(0x4000, s.bob).code() == success); // to refresh takes no room
    s.w.pass(599s);
    CHECK(s.ann.refresh(600s).code() == success);
    s.w.pass(1s);
    CHECK(s.ann.bind_channel(0x4001, cat).code() == success); // what expired made room
}

TEST_CASE("RFC 8656 12.2: a channel whose permission finds no room is answered 508 and not bound") {
    relay_options options;
    options.permissions_per_allocation = 1;
    story s(options);
    auto& cat = s.w.peer();
    REQUIRE(s.ann.permit(cat).code() == success);
    CHECK(s.ann.bind_channel(0x4000, s.bob).code() == 508);
    CHECK(s.w.refused(reason::permission_limit) == 1);
    CHECK(s.w.counters().channels.value() == 0);
    CHECK(s.ann.bind_channel(0x4000, cat).code() == success);
}

TEST_CASE("RFC 8656 12.2: refusals come in the order 400 then 443 then 403 then 508") {
    relay_options options;
    options.channels_per_allocation = 1;
    story s(options);
    REQUIRE(s.ann.bind_channel(0x4000, s.bob).code() == success);
    CHECK(s.ann.bind_channel(0x3fff, at("[::1]:80")).code() == 400);
    CHECK(s.ann.bind_channel(0x4000, at("[::1]:80")).code() == 400);
    CHECK(s.ann.bind_channel(0x4001, at("[::1]:80")).code() == 443);
    CHECK(s.ann.bind_channel(0x4001, at("127.0.0.1:80")).code() == 403);
    CHECK(s.ann.bind_channel(0x4001, at("25.0.7.1:80")).code() == 508);
}

TEST_CASE("RFC 8656 12: a channel lasts 600 s") {
    story s;
    REQUIRE(s.ann.refresh(3600s).code() == success);
    REQUIRE(s.ann.bind_channel(0x4000, s.bob).code() == success);
    s.w.pass(599s);
    s.ann.send_channel_data(0x4000, "in time");
    s.w.pass(1s);
    s.ann.send_channel_data(0x4000, "too late");
    CHECK(s.bob.received == texts{"in time"});
    CHECK(s.w.dropped(direction::up, reason::no_channel) == 1);
}

TEST_CASE("RFC 8656 12: a channel that is bound again lasts 600 s from then") {
    story s;
    REQUIRE(s.ann.refresh(3600s).code() == success);
    REQUIRE(s.ann.bind_channel(0x4000, s.bob).code() == success);
    s.w.pass(500s);
    REQUIRE(s.ann.bind_channel(0x4000, s.bob).code() == success);
    s.w.pass(599s);
    s.ann.send_channel_data(0x4000, "in time");
    s.w.pass(1s);
    s.ann.send_channel_data(0x4000, "too late");
    CHECK(s.bob.received == texts{"in time"});
    CHECK(s.w.counters().channels.value() == 0);
}

TEST_CASE("RFC 8656 12: a peer whose channel has expired is heard by indication") {
    story s;
    REQUIRE(s.ann.refresh(3600s).code() == success);
    REQUIRE(s.ann.bind_channel(0x4000, s.bob).code() == success);
    s.w.pass(500s);
    REQUIRE(s.ann.permit(s.bob).code() == success);
    s.w.pass(100s);
    s.bob.send(s.ann.relayed, "hello");
    s.w.settle();
    CHECK(s.ann.channel_data(0x4000).empty());
    CHECK(s.ann.data_from(s.bob.address) == texts{"hello"});
}

TEST_CASE("RFC 8656 12: an expired channel frees its number and its peer") {
    story s;
    auto& cat = s.w.peer();
    REQUIRE(s.ann.refresh(3600s).code() == success);
    REQUIRE(s.ann.bind_channel(0x4000, s.bob).code() == success);
    s.w.pass(599s);
    CHECK(s.ann.bind_channel(0x4000, cat).code() == 400);
    CHECK(s.ann.bind_channel(0x4001, s.bob).code() == 400);
    s.w.pass(1s);
    CHECK(s.ann.bind_channel(0x4000, cat).code() == success);
    CHECK(s.ann.bind_channel(0x4001, s.bob).code() == success);
    s.ann.send_channel_data(0x4000, "for cat");
    s.ann.send_channel_data(0x4001, "for bob");
    CHECK(cat.received == texts{"for cat"});
    CHECK(s.bob.received == texts{"for bob"});
}

TEST_CASE("RFC 8656 12: the same channel number in two allocations leads to two peers") {
    story s;
    auto bea = s.w.raw("bea");
    auto& cat = s.w.peer();
    REQUIRE(bea.allocate().code() == success);
    REQUIRE(s.ann.bind_channel(0x4000, s.bob).code() == success);
    REQUIRE(bea.bind_channel(0x4000, cat).code() == success);
    s.ann.send_channel_data(0x4000, "for bob");
    bea.send_channel_data(0x4000, "for cat");
    CHECK(s.bob.received == texts{"for bob"});
    CHECK(cat.received == texts{"for cat"});
}

TEST_CASE("RFC 8656 12: channels end with their allocation") {
    story s;
    REQUIRE(s.ann.bind_channel(0x4000, s.bob).code() == success);
    s.w.pass(300s);
    REQUIRE(s.ann.bind_channel(0x4000, s.bob).code() == success);
    s.w.pass(300s);
    CHECK(s.w.counters().channels.value() == 0);
    REQUIRE(s.ann.allocate().code() == success);
    s.ann.send_channel_data(0x4000, "anybody?");
    CHECK(s.bob.received.empty());
}

TEST_CASE("RFC 8656 18.1: the reserved bits of CHANNEL-NUMBER do not matter but its size does") {
    story s;
    const auto with = [&](const blob& number) {
        return s.ann
            .ask(s.ann.authenticated(stun::method::channel_bind)
                     .attribute(stun::channel_number::type, number)
                     .with<stun::xor_peer_address>(s.bob.address))
            .code();
    };
    CHECK(with(octets({0x40, 0x00})) == 400);
    CHECK(with(octets({0x40, 0x00, 0x00})) == 400);
    CHECK(with(octets({0x40, 0x00, 0x00, 0x00, 0x00})) == 400);
    CHECK(with(octets({0x40, 0x00, 0xff, 0xff})) == success);
    s.ann.send_channel_data(0x4000, "hello");
    CHECK(s.bob.received == texts{"hello"});
}

} // namespace turn::test
