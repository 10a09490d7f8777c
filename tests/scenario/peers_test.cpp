#include <doctest/doctest.h>

#include "support/world.hpp"

using namespace std::chrono_literals;
using namespace turn;
using turn::test::world;
using texts = std::vector<std::string>;

TEST_CASE("one Send indication to port 0 does not silence an allocation") {
    world w;
    auto ann = w.client("ann");
    auto& bob = w.peer();
    REQUIRE(ann.allocate() == 0);
    REQUIRE(ann.permit(bob) == 0);
    ann.send_indication(bob, "before");
    const auto payload = turn::test::to_blob("x");
    REQUIRE(ann.core().send_indication(bob.address.with_port(0), payload, false, ann.out()));
    ann.flush();
    ann.send_indication(bob, "after");
    bob.send(ann.relayed, "back");
    CHECK(bob.received == texts{"before", "after"});
    CHECK(ann.data_from(bob) == texts{"back"});
    w.drain();
}

TEST_CASE("two clients talk through two relays of one server") {
    world w;
    auto ann = w.client("ann");
    auto bob = w.client("bob");
    REQUIRE(ann.allocate() == 0);
    REQUIRE(bob.allocate() == 0);
    REQUIRE(ann.bind_channel(0x4000, bob.relayed) == 0);
    REQUIRE(bob.permit({ann.relayed}) == 0);
    ann.send_channel_data(0x4000, "are you there?");
    const auto payload = turn::test::to_blob("yes");
    REQUIRE(bob.core().send(ann.relayed, payload, bob.out()));
    bob.flush();
    CHECK(ann.channel_data(0x4000) == texts{"yes"});
    w.drain();
}

TEST_CASE("RFC 8656 9: a permission is for an address whatever the port and for one allocation only") {
    world w;
    auto ann = w.client("ann");
    auto cleo = w.client("cleo");
    auto& bob = w.peer();
    auto& neighbour = w.peer(bob.address.with_port(9));
    auto& stranger = w.peer();
    REQUIRE(ann.allocate() == 0);
    REQUIRE(cleo.allocate() == 0);
    REQUIRE(ann.permit(bob) == 0);
    bob.send(ann.relayed, "bob");
    neighbour.send(ann.relayed, "from the same house");
    stranger.send(ann.relayed, "psst");
    bob.send(cleo.relayed, "not you");
    CHECK(ann.data_from(bob) == texts{"bob"});
    CHECK(ann.data_from(neighbour) == texts{"from the same house"});
    CHECK(ann.data_from(stranger).empty());
    CHECK(cleo.data_from(bob).empty());
    CHECK(w.dropped(direction::down, reason::no_permission) == 2);
    w.drain();
}

TEST_CASE("the largest datagrams pass both ways or are counted as too big") {
    world w;
    auto ann = w.client("ann");
    auto& bob = w.peer();
    REQUIRE(ann.allocate() == 0);
    REQUIRE(ann.permit(bob) == 0);
    const auto most_in_data = std::string(65'507 - 36, 'd'); // head of a Data indication for IPv4: 36 bytes
    bob.send(ann.relayed, most_in_data.substr(0, 65'468));   // a multiple of four, so without padding
    bob.send(ann.relayed, std::string(65'507, 'd'));
    REQUIRE(ann.data_from(bob).size() == 1);
    CHECK(ann.data_from(bob)[0].size() == 65'468);
    CHECK(w.dropped(direction::down, reason::too_big) == 1);

    REQUIRE(ann.bind_channel(0x4000, bob) == 0);
    bob.send(ann.relayed, std::string(65'503, 'c'));
    bob.send(ann.relayed, std::string(65'504, 'c'));
    REQUIRE(ann.channel_data(0x4000).size() == 1);
    CHECK(ann.channel_data(0x4000)[0].size() == 65'503);
    CHECK(w.dropped(direction::down, reason::too_big) == 2);
    ann.send_channel_data(0x4000, std::string(65'503, 'u'));
    REQUIRE(bob.received.size() == 1);
    CHECK(bob.received[0].size() == 65'503);
    w.drain();
}

TEST_CASE("RFC 8656 12.4: an empty datagram is a datagram") {
    world w;
    auto ann = w.client("ann");
    auto& bob = w.peer();
    REQUIRE(ann.allocate() == 0);
    REQUIRE(ann.permit(bob) == 0);
    ann.send_indication(bob, "");
    bob.send(ann.relayed, "");
    REQUIRE(ann.bind_channel(0x4000, bob) == 0);
    ann.send_channel_data(0x4000, "");
    bob.send(ann.relayed, "");
    CHECK(bob.received == texts{"", ""});
    CHECK(ann.data_from(bob) == texts{""});
    CHECK(ann.channel_data(0x4000) == texts{""});
    w.drain();
}

TEST_CASE("RFC 8656 14: DONT-FRAGMENT reaches the socket for this datagram and no other") {
    world w;
    auto ann = w.client("ann");
    auto& bob = w.peer();
    REQUIRE(ann.allocate() == 0);
    REQUIRE(ann.permit(bob) == 0);
    ann.send_indication(bob, "whole", true);
    ann.send_indication(bob, "perhaps in pieces");
    CHECK(bob.arrived_dont_fragment == std::vector<bool>{true, false});
    w.drain();
}

TEST_CASE("whoever embeds the server has a further say over peers") {
    world w;
    auto ann = w.client("ann");
    auto& bob = w.peer();
    auto& eve = w.peer();
    w.events.peers_allowed = [&](const transport_address& peer) { return !peer.same_ip(eve.address); };
    REQUIRE(ann.allocate() == 0);
    CHECK(ann.permit(bob) == 0);
    CHECK(ann.permit(eve) == 403);
    CHECK(ann.bind_channel(0x4000, eve) == 403);
    CHECK(w.refused(reason::peer_denied) == 2);
    w.drain();
}
