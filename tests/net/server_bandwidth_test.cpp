#include <deque>

#include <doctest/doctest.h>

#include "support/real_server.hpp"

using namespace turn;
using namespace turn::test;

TEST_CASE("server: a client that floods beyond its bandwidth is stopped and equal clients beside it are not") {
    auto o = on_loopback();
    o.relay.bandwidth_per_allocation = 64'000; // 8 bytes a millisecond; a bucket of 64 KiB
    auto s = server::start(std::move(o));
    REQUIRE(s);
    struct pair {
        real_client client;
        real_peer peer{};
        std::size_t heard = 0;
        explicit pair(const transport_address& server) : client(server) {
            REQUIRE(client.allocate());
            REQUIRE(client.bind_channel(0x4000, peer.local()));
        }
    };
    pair flood(listener_of(*s));
    std::deque<pair> equals;
    for (int i = 0; i < 4; ++i) equals.emplace_back(listener_of(*s));

    constexpr std::size_t turns = 100, flood_a_turn = 30;
    const std::string large(1000, 'x');
    for (std::size_t turn = 0; turn < turns; ++turn) {
        for (std::size_t i = 0; i < flood_a_turn; ++i) flood.client.send(flood.peer.local(), large);
        for (pair& p : equals) p.client.send(p.peer.local(), "a little");
        for (pair& p : equals) p.heard += p.peer.receive() ? 1 : 0; // so nothing is queued when the flood goes on
    }
    for (const pair& p : equals) CHECK(p.heard == turns);

    REQUIRE(flood.client.bind()); // what was sent before has been booked
    const auto totals = s->totals();
    const auto stopped = totals.relay.dropped[0][static_cast<std::size_t>(reason::bandwidth)];
    const auto relayed = totals.relay.relayed[0].packets - equals.size() * turns;
    CHECK(stopped + relayed == turns * flood_a_turn);
    CHECK(relayed >= 65);
    CHECK(stopped > turns * flood_a_turn / 2);
    // What was stopped never reached a socket.
    CHECK(totals.net.sent_packets[0] + totals.net.dropped[0][static_cast<std::size_t>(reason::socket_buffer_full)] ==
          totals.relay.relayed[0].packets);
}
