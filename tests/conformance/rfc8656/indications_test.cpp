/// Send and Data indications: RFC 8656, 11, and DF of section 14.

#include "support/story.hpp"

namespace turn::test {

namespace {

/// Ann may speak with Bob.
struct story {
    world w;
    raw_actor ann = w.raw("ann");
    peer_actor& bob = w.peer();

    explicit story(relay_options options = {}) : w(std::move(options)) {
        REQUIRE(ann.allocate().code() == success);
        REQUIRE(ann.permit(bob).code() == success);
    }
};

} // namespace

TEST_CASE("RFC 8656 11.2: a Send indication becomes a datagram from the relayed address") {
    story s;
    s.ann.send_indication(s.bob.address, "hello");
    CHECK(s.bob.received == texts{"hello"});
    CHECK(s.bob.senders[0] == s.ann.relayed);
    CHECK(s.ann.received().empty()); // never an answer
}

TEST_CASE("RFC 8656 11.2: a Send indication without a peer or without data is discarded") {
    story s;
    s.ann.send(s.ann.indication(stun::method::send).with<stun::data>(to_blob("to whom?")));
    s.ann.send(s.ann.indication(stun::method::send).with<stun::xor_peer_address>(s.bob.address));
    CHECK(s.bob.received.empty());
    CHECK(s.ann.received().empty());
    CHECK(s.w.dropped(direction::up, reason::no_data) == 2);
}

TEST_CASE("RFC 8656 11.2: a Send indication with a malformed peer is discarded") {
    story s;
    s.ann.send(s.ann.indication(stun::method::send)
                   .attribute(stun::xor_peer_address::type, octets({0, 1, 0, 80, 25, 0, 7}))
                   .with<stun::data>(to_blob("to whom?")));
    CHECK(s.w.dropped(direction::up, reason::bad_attribute) == 1);
}

TEST_CASE("RFC 8656 11.2: a Send indication may carry no bytes at all") {
    story s;
    s.ann.send_indication(s.bob.address, "");
    CHECK(s.bob.received == texts{""});
}

TEST_CASE("RFC 8656 11.2: a Send indication to a peer without permission is discarded") {
    story s;
    auto& eve = s.w.peer();
    s.ann.send_indication(eve.address, "hello");
    CHECK(eve.received.empty());
    CHECK(s.w.dropped(direction::up, reason::no_permission) == 1);
}

TEST_CASE("RFC 8656 11.2: a Send indication to the other family is discarded") {
    story s;
    auto& six = s.w.peer(address_family::ipv6);
    s.ann.send_indication(six.address, "hello");
    CHECK(six.received.empty());
    CHECK(s.w.dropped(direction::up, reason::wrong_family) == 1);
}

TEST_CASE("RFC 8656 11.2: sending does not refresh the permission") {
    story s;
    s.w.pass(299s);
    s.ann.send_indication(s.bob.address, "in time");
    s.w.pass(1s);
    s.ann.send_indication(s.bob.address, "too late");
    CHECK(s.bob.received == texts{"in time"});
}

TEST_CASE("RFC 8656 11.2: a Send indication to a forbidden port of a permitted address is discarded") {
    relay_options options;
    options.peers.allow = {prefix("25.0.7.1/32")};
    options.peers.own_services = {at("25.0.7.1:5432")}; // our database, on the host of an allowed application
    story s(options);
    auto& database = s.w.peer(at("25.0.7.1:5432"));
    auto& application = s.w.peer(at("25.0.7.1:9000"));
    REQUIRE(s.ann.permit(application).code() == success);
    s.ann.send_indication(application.address, "hello");
    s.ann.send_indication(database.address, "drop table users");
    CHECK(application.received == texts{"hello"});
    CHECK(database.received.empty());
    CHECK(s.w.dropped(direction::up, reason::peer_denied) == 1);
}

TEST_CASE("RFC 8656 11.2: a Send indication to port 0 is discarded and harms nobody") {
    story s;
    s.ann.send_indication(s.bob.address.with_port(0), "into the void");
    CHECK(s.w.dropped(direction::up, reason::peer_denied) == 1);
    s.ann.send_indication(s.bob.address, "hello");
    s.bob.send(s.ann.relayed, "hello");
    s.w.settle();
    CHECK(s.bob.received == texts{"hello"});
    CHECK(s.ann.data_from(s.bob.address) == texts{"hello"});
}

TEST_CASE("RFC 8656 11.2: a Send indication reaches a peer that has a channel too") {
    story s;
    REQUIRE(s.ann.bind_channel(0x4000, s.bob).code() == success);
    s.ann.send_indication(s.bob.address, "by indication");
    s.ann.send_channel_data(0x4000, "by channel");
    CHECK(s.bob.received == texts{"by indication", "by channel"});
}

TEST_CASE("RFC 8656 14: DONT-FRAGMENT sets DF on that datagram only") {
    story s;
    s.ann.send(s.ann.indication(stun::method::send)
                   .with<stun::xor_peer_address>(s.bob.address)
                   .with<stun::dont_fragment>({})
                   .with<stun::data>(to_blob("whole")));
    s.ann.send_indication(s.bob.address, "as you like");
    REQUIRE(s.ann.bind_channel(0x4000, s.bob).code() == success);
    s.ann.send_channel_data(0x4000, "as you like");
    CHECK(s.bob.arrived_dont_fragment == std::vector<bool>{true, false, false});
}

TEST_CASE("RFC 8656 13: DONT-FRAGMENT is ignored where a datagram comes or goes over IPv6") {
    world w;
    auto& four = w.peer();
    auto& six = w.peer(address_family::ipv6);
    for (const std::size_t listener : {0U, 1U}) { // of IPv4, of IPv6
        auto ann = w.raw(listener == 0 ? "ann" : "bea", {.listener = listener});
        const auto dual = ann.ask(ann.allocate_request().with<stun::additional_address_family>(address_family::ipv6));
        REQUIRE(dual.all<stun::xor_relayed_address>().size() == 2);
        REQUIRE(ann.permit({four.address, six.address}).code() == success);
        for (const peer_actor* peer : {&four, &six})
            ann.send(ann.indication(stun::method::send)
                         .with<stun::xor_peer_address>(peer->address)
                         .with<stun::dont_fragment>({})
                         .with<stun::data>(to_blob("whole")));
    }
    CHECK(four.arrived_dont_fragment == std::vector<bool>{true, false});
    CHECK(six.arrived_dont_fragment == std::vector<bool>{false, false});
}

TEST_CASE("RFC 8656 14: DSCP and ECN of a datagram are those of the one it came in") {
    constexpr std::uint8_t voice = 46 << 2 | 1; // expedited forwarding, ECT(1)
    story s;
    std::vector<unsigned> classes;
    s.w.conditions.lose = [&](const flight& f) {
        classes.push_back(f.traffic_class);
        return false;
    };
    const auto goes = [&](flight f) {
        f.traffic_class = voice;
        s.w.send(std::move(f));
        s.w.settle();
        return std::exchange(classes, {});
    };
    const transport_address server = s.w.listener().local;
    auto send = s.ann.indication(stun::method::send)
                    .with<stun::xor_peer_address>(s.bob.address)
                    .with<stun::data>(to_blob("hello"));
    CHECK(goes({s.ann.address(), server, send.raw()}) == std::vector<unsigned>{voice, voice});
    CHECK(goes({s.bob.address, s.ann.relayed, to_blob("hello")}) == std::vector<unsigned>{voice, voice});
    REQUIRE(s.ann.bind_channel(0x4000, s.bob).code() == success);
    CHECK(std::exchange(classes, {}) == std::vector<unsigned>{0, 0}); // a request and its answer
    CHECK(goes({s.ann.address(), server, channel_data_message(0x4000, to_blob("hello"))}) ==
          std::vector<unsigned>{voice, voice});
    CHECK(goes({s.bob.address, s.ann.relayed, to_blob("hello")}) == std::vector<unsigned>{voice, voice});
}

TEST_CASE("RFC 8656 11.3: a datagram of a permitted peer becomes a Data indication") {
    story s;
    s.bob.send(s.ann.relayed, "hello");
    s.w.settle();
    const auto heard = s.ann.take();
    REQUIRE(heard.size() == 1);
    const auto indication = stun::message_view::parse(heard[0]);
    REQUIRE(indication);
    CHECK(indication->cls() == stun::message_class::indication);
    CHECK(indication->method() == stun::method::data);
    CHECK(*indication->get<stun::xor_peer_address>() == s.bob.address);
    CHECK(to_text(*indication->get<stun::data>()) == "hello");
    CHECK_FALSE(indication->has_integrity());
}

TEST_CASE("RFC 8656 11.3: an empty datagram becomes a Data indication with empty DATA") {
    story s;
    s.bob.send(s.ann.relayed, "");
    s.w.settle();
    CHECK(s.ann.data_from(s.bob.address) == texts{""});
}

TEST_CASE("RFC 8656 11.3: a Data indication tells an IPv6 peer by its address") {
    world w;
    auto ann = w.raw("ann");
    auto& six = w.peer(address_family::ipv6);
    const answer allocated = ann.ask(ann.allocate_request().with<stun::requested_address_family>(address_family::ipv6));
    REQUIRE(allocated.code() == success);
    REQUIRE(ann.permit(six).code() == success);
    six.send(*allocated.get<stun::xor_relayed_address>(), "hello");
    w.settle();
    CHECK(ann.data_from(six.address) == texts{"hello"});
}

TEST_CASE("RFC 8656 11.3: with a channel bound the datagram becomes ChannelData") {
    story s;
    REQUIRE(s.ann.bind_channel(0x4000, s.bob).code() == success);
    s.bob.send(s.ann.relayed, "hello");
    s.w.settle();
    CHECK(s.ann.channel_data(0x4000) == texts{"hello"});
    CHECK(s.ann.data_from(s.bob.address).empty());
}

TEST_CASE("RFC 8656 11.3: another port of a peer with a channel is heard by indication") {
    story s;
    REQUIRE(s.ann.bind_channel(0x4000, s.bob).code() == success);
    auto& elsewhere = s.w.peer(s.bob.address.with_port(9));
    elsewhere.send(s.ann.relayed, "hello");
    s.w.settle();
    CHECK(s.ann.channel_data(0x4000).empty());
    CHECK(s.ann.data_from(elsewhere.address) == texts{"hello"});
}

TEST_CASE("RFC 8656 11.3: a channel outlives its permission and then the peer is not heard") {
    story s;
    REQUIRE(s.ann.bind_channel(0x4000, s.bob).code() == success);
    s.bob.send(s.ann.relayed, "early");
    s.w.pass(301s); // permission: 300 s; channel: 600 s
    s.bob.send(s.ann.relayed, "late");
    s.w.settle();
    CHECK(s.ann.channel_data(0x4000) == texts{"early"});
    CHECK(s.w.dropped(direction::down, reason::no_permission) == 1);
}

TEST_CASE("RFC 8656 11.3: the largest datagram that fits passes and the next larger one is counted") {
    // 65507 bytes is what UDP over IPv4 holds; a Data indication adds 20 + 12 + 4 bytes and padding.
    story s;
    const std::string fits(65'507 - 36 - 3, 'x'), does_not(65'507 - 36 + 1, 'x');
    s.bob.send(s.ann.relayed, fits);
    s.bob.send(s.ann.relayed, does_not);
    s.w.settle();
    CHECK(s.ann.data_from(s.bob.address) == texts{fits});
    CHECK(s.w.dropped(direction::down, reason::too_big) == 1);

    REQUIRE(s.ann.bind_channel(0x4000, s.bob).code() == success);
    const std::string fits_a_channel(65'507 - 4, 'y');
    s.bob.send(s.ann.relayed, fits_a_channel);
    s.bob.send(s.ann.relayed, fits_a_channel + "y");
    s.w.settle();
    CHECK(s.ann.channel_data(0x4000) == texts{fits_a_channel});
    CHECK(s.w.dropped(direction::down, reason::too_big) == 2);
}

TEST_CASE("RFC 8656 11.2: as much as a datagram holds goes up whole") {
    story s;
    const std::string much(65'507 - 36, 'x');
    s.ann.send_indication(s.bob.address, much.substr(3));
    CHECK(s.bob.received == texts{much.substr(3)});
}

TEST_CASE("RFC 8656 17: a Data indication from a client goes nowhere") {
    story s;
    s.ann.send(s.ann.indication(stun::method::data)
                   .with<stun::xor_peer_address>(s.bob.address)
                   .with<stun::data>(to_blob("the wrong way")));
    CHECK(s.bob.received.empty());
    CHECK(s.w.dropped(direction::up, reason::unexpected_class) == 1);
}

TEST_CASE("RFC 8656 11.5: an ICMP error about a permitted peer becomes a Data indication with ICMP") {
    story s;
    s.w.icmp(s.ann.relayed, s.bob.address, 3, 3);
    const auto heard = s.ann.take();
    REQUIRE(heard.size() == 1);
    const auto told = stun::message_view::parse(heard[0]);
    REQUIRE(told);
    CHECK(told->cls() == stun::message_class::indication);
    CHECK(told->method() == stun::method::data);
    CHECK(*told->get<stun::xor_peer_address>() == s.bob.address); // with the port that the datagram went to
    CHECK_FALSE(told->has<stun::data>());
    const auto icmp = told->get<stun::icmp>();
    REQUIRE(icmp);
    CHECK(std::pair(+icmp->type, +icmp->code) == std::pair(3, 3));
    CHECK(icmp->error_data == 0);
}

TEST_CASE("RFC 8656 11.5: ICMP types 3 and 11 and ICMPv6 types 1 to 3 are told and no others") {
    world w;
    auto ann = w.raw("ann");
    auto& four = w.peer();
    auto& six = w.peer(address_family::ipv6);
    const auto dual = ann.ask(ann.allocate_request().with<stun::additional_address_family>(address_family::ipv6));
    REQUIRE(dual.code() == success);
    const auto relayed = dual.all<stun::xor_relayed_address>();
    REQUIRE(relayed.size() == 2);
    REQUIRE(ann.permit({four.address, six.address}).code() == success);
    const auto told = [&](const transport_address& peer, const transport_address& from) {
        std::string types;
        for (int type = 0; type < 128; ++type) {
            ann.take();
            w.icmp(from, peer, static_cast<std::uint8_t>(type), 0);
            if (!ann.received().empty()) types += std::to_string(type) + ' ';
        }
        return types;
    };
    CHECK(told(four.address, relayed[0]) == "3 11 ");
    CHECK(told(six.address, relayed[1]) == "1 2 3 ");
    CHECK(w.counters().icmp.dropped[static_cast<std::size_t>(reason::icmp_type)].value() == 126 + 125);
}

TEST_CASE("RFC 8656 11.5: ICMP about a peer without permission is dropped whoever sent it") {
    story s;
    auto& eve = s.w.peer();
    s.w.icmp(s.ann.relayed, eve.address, 3, 1);
    s.w.icmp(s.ann.relayed, s.bob.address.with_port(7), 3, 1); // permissions are for addresses
    CHECK(s.ann.take().size() == 1);
    s.w.pass(300s);
    s.w.icmp(s.ann.relayed, s.bob.address, 3, 1); // the permission has ended
    CHECK(s.ann.take().empty());
    CHECK(s.w.counters().icmp.dropped[static_cast<std::size_t>(reason::no_permission)].value() == 2);
}

TEST_CASE("RFC 8656 11.5: ICMP about a port where no allocation is any more is dropped") {
    story s;
    REQUIRE(s.ann.refresh(0s).code() == success);
    s.w.icmp(s.ann.relayed, s.bob.address, 3, 3);
    CHECK(s.ann.take().empty());
    CHECK(s.w.counters().icmp.dropped[static_cast<std::size_t>(reason::socket_closed)].value() == 1);
}

TEST_CASE("RFC 8656 11.5: ICMP is told by indication also where a channel is bound") {
    story s;
    REQUIRE(s.ann.bind_channel(0x4000, s.bob).code() == success);
    s.w.icmp(s.ann.relayed, s.bob.address, 11, 0);
    const auto heard = s.ann.take();
    REQUIRE(heard.size() == 1);
    CHECK(stun::message_view::parse(heard[0])->get<stun::icmp>()->type == 11);
}

TEST_CASE("RFC 8656 11.5: ICMP errors count against the bandwidth of the allocation") {
    story s({.bandwidth_per_allocation = 8'000});
    for (int i = 0; i < 2000; ++i) s.w.icmp(s.ann.relayed, s.bob.address, 3, 3);
    CHECK(s.ann.take().size() == 1024); // 64 KiB may come at once, each counting for 64 bytes
    CHECK(s.w.counters().icmp.dropped[static_cast<std::size_t>(reason::bandwidth)].value() == 976);
}

TEST_CASE("RFC 8656 18.13: error data is the MTU where something was too big and else zero") {
    world w;
    auto ann = w.raw("ann");
    auto& four = w.peer();
    auto& six = w.peer(address_family::ipv6);
    const auto dual = ann.ask(ann.allocate_request().with<stun::additional_address_family>(address_family::ipv6));
    const auto relayed = dual.all<stun::xor_relayed_address>();
    REQUIRE(relayed.size() == 2);
    REQUIRE(ann.permit({four.address, six.address}).code() == success);
    const auto told = [&](const peer_actor& peer, std::uint8_t type, std::uint8_t code) {
        ann.take();
        w.icmp(relayed[peer.address.is_ipv4() ? 0 : 1], peer.address, type, code, 1280);
        const blob raw = ann.received().at(0);
        CHECK(to_blob(bytes(raw).last(8).first(2)) == octets({0, 0})); // the reserved bits
        return stun::message_view::parse(raw)->get<stun::icmp>()->error_data;
    };
    CHECK(told(four, 3, 4) == 1280);
    CHECK(told(four, 3, 1) == 0);
    CHECK(told(four, 11, 4) == 0);
    CHECK(told(six, 2, 0) == 1280);
    CHECK(told(six, 1, 4) == 0);
    CHECK(told(six, 3, 4) == 0);
}

} // namespace turn::test
