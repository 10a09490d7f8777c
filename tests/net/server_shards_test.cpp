#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <thread>

#include "support/real_server.hpp"
#include "support/real_stream.hpp"

using namespace std::chrono_literals;
using namespace turn;
using namespace turn::test;

namespace {

std::vector<std::uint64_t> packets_by_shard(const server& s) {
    std::vector<std::uint64_t> packets;
    for (const auto& books : s.totals().relay_by_shard)
        packets.push_back(books.from_clients.packets + books.from_peers.packets);
    return packets;
}

/// Which shards' books have changed since `before`.
std::vector<std::size_t> shards_that_worked(const server& s, const std::vector<std::uint64_t>& before) {
    std::vector<std::size_t> who;
    const auto after = packets_by_shard(s);
    for (std::size_t i = 0; i < after.size(); ++i)
        if (after[i] != before[i]) who.push_back(i);
    return who;
}

/// Everything a client does, data from and to a peer included.
void live(real_client& ann, real_peer& bob) {
    const auto made = ann.allocate({.family = bob.local().family});
    REQUIRE(made);
    REQUIRE(ann.bind_channel(0x4001, bob.local()));
    for (int i = 0; i < 3; ++i) {
        ann.send(bob.local(), "ping");
        REQUIRE(bob.receive());
        bob.send(made->relayed, "pong");
        REQUIRE(ann.receive());
    }
    REQUIRE(ann.refresh(600s));
}

/// Listens over UDP and TCP on both families.
server_options with_shards(unsigned count) {
    auto o = on_loopback();
    for (const auto family : {address_family::ipv4, address_family::ipv6})
        o.listeners.push_back({.protocol = transport::tcp, .local = loopback(family)});
    o.threads = count;
    return o;
}

std::unique_ptr<real_client> client_of(const server& s, address_family family, transport protocol) {
    const auto to = listener_of(s, family, protocol);
    if (protocol == transport::udp) return std::make_unique<real_client>(to);
    return std::make_unique<real_client>(std::make_unique<real_stream>(to), to);
}

/// A peer whose port no listener has, not even one of TCP: nobody may name a service of the server as a peer, whatever
/// its protocol, and the kernel gives the number of a TCP port away for UDP.
real_peer peer_beside(const server& s, address_family family) {
    for (;;) {
        real_peer bob(family);
        const auto listeners = s.description().listeners;
        if (std::none_of(listeners.begin(), listeners.end(), [&](const auto& l) { return l.local == bob.local(); }))
            return bob;
    }
}

/// Nothing is shared between shards but what stands in shared_state: a packet of a client that met another shard than
/// its own would find no allocation there.
void check_nothing_crossed(const server_totals& t) {
    for (const auto& of_shard : t.relay_by_shard) {
        CHECK(of_shard.dropped[0][static_cast<std::size_t>(reason::no_allocation)] == 0);
        CHECK(of_shard.refused[static_cast<std::size_t>(reason::allocation_mismatch)] == 0);
        CHECK(of_shard.from_peers.packets == of_shard.relayed[1].packets);
    }
}

} // namespace

TEST_CASE("server: each of 1000 clients over UDP and TCP and both families lives on one shard, both directions") {
    unsigned shards = 0;
    SUBCASE("2 shards") {
        shards = 2;
    }
    SUBCASE("4 shards") {
        shards = 4;
    }
    auto s = server::start(with_shards(shards));
    REQUIRE(s);
    REQUIRE(s->description().shards == shards);

    constexpr std::size_t count = 1000;
    std::vector<std::unique_ptr<real_client>> clients; // kept, so that no source port comes twice
    std::map<std::pair<transport, std::size_t>, std::size_t> clients_of_shard;
    for (std::size_t i = 0; i < count; ++i) {
        const auto family = i % 2 == 0 ? address_family::ipv4 : address_family::ipv6;
        const auto protocol = i / 2 % 2 == 0 ? transport::udp : transport::tcp;
        clients.push_back(client_of(*s, family, protocol));
        auto bob = peer_beside(*s, family);
        const auto before = packets_by_shard(*s);
        live(*clients.back(), bob);
        const auto who = shards_that_worked(*s, before);
        REQUIRE(who.size() == 1);
        ++clients_of_shard[{protocol, who[0]}];
    }
    // Fair dice leave so few to one side once in 10^8 runs.
    const std::size_t fair = count / 2 / shards;
    for (const auto protocol : {transport::udp, transport::tcp})
        for (std::size_t i = 0; i < shards; ++i) CHECK(clients_of_shard[{protocol, i}] > fair / 2);
    CHECK(s->allocation_count() == count);

    const auto t = s->totals();
    CHECK(t.relay.relayed[0].packets == 3 * count);
    CHECK(t.relay.relayed[1].packets == 3 * count);
    CHECK(t.quota_in_use == count);
    CHECK(t.ports_in_use == count);
    check_nothing_crossed(t);

    for (auto& c : clients) {
        REQUIRE(c->refresh(0s));
        REQUIRE(c->bind());
    }
    CHECK(s->totals().quota_in_use == 0);
    CHECK(s->totals().ports_in_use == 0);
}

TEST_CASE("RFC 8656 7.2: a reservation made on one shard is redeemed on another") {
    transport protocol{}; // of the one who redeems
    SUBCASE("over UDP") {
        protocol = transport::udp;
    }
    SUBCASE("over TCP") {
        protocol = transport::tcp;
    }
    auto s = server::start(with_shards(2));
    REQUIRE(s);

    auto before = packets_by_shard(*s);
    real_client ann(listener_of(*s, address_family::ipv4));
    const auto rtp = ann.allocate({.even_port = true});
    REQUIRE(rtp);
    REQUIRE(rtp->token);
    const auto maker = shards_that_worked(*s, before);
    REQUIRE(maker.size() == 1);

    // Somebody whose source port leads to the other shard: one of 64 is.
    std::vector<std::unique_ptr<real_client>> tried;
    for (int i = 0; i < 64; ++i) {
        before = packets_by_shard(*s);
        tried.push_back(client_of(*s, address_family::ipv4, protocol));
        REQUIRE(tried.back()->bind());
        if (shards_that_worked(*s, before) != maker) break;
    }
    before = packets_by_shard(*s);
    auto& other = *tried.back();
    const auto rtcp = other.allocate({.token = rtp->token});
    REQUIRE(rtcp);
    CHECK(shards_that_worked(*s, before) != maker);
    CHECK(rtcp->relayed.port == rtp->relayed.port + 1);
    CHECK(s->totals().reservations == 0);

    real_peer bob;
    REQUIRE(other.permit(bob.local()));
    bob.send(rtcp->relayed, "to the adopted socket");
    const auto heard = other.receive();
    REQUIRE(heard);
    CHECK(heard->text == "to the adopted socket");

    REQUIRE(other.refresh(0s));
    REQUIRE(other.bind());
    CHECK(s->totals().ports_in_use == 1); // ann's
}

TEST_CASE("server: allocation ids are unique across shards") {
    attentive_observer events;
    auto o = on_loopback();
    o.threads = 4;
    o.events = &events;
    auto s = server::start(std::move(o));
    REQUIRE(s);
    std::vector<std::unique_ptr<real_client>> clients;
    for (int i = 0; i < 40; ++i) {
        clients.push_back(std::make_unique<real_client>(listener_of(*s, address_family::ipv4)));
        REQUIRE(clients.back()->allocate());
    }
    std::set<allocation_id> ids;
    for (const auto& c : events.created()) ids.insert(c.id);
    CHECK(ids.size() == 40);
}

TEST_CASE("server: clients that come and go on several threads leave nothing behind") {
    auto o = on_loopback();
    o.threads = 2;
    auto s = server::start(std::move(o));
    REQUIRE(s);
    std::array<int, 4> rounds{};
    std::vector<std::thread> crowds;
    for (std::size_t crowd = 0; crowd < rounds.size(); ++crowd)
        crowds.emplace_back([&, crowd] {
            const auto family = crowd % 2 == 0 ? address_family::ipv4 : address_family::ipv6;
            for (int i = 0; i < 25; ++i) {
                real_client ann(listener_of(*s, family));
                real_peer bob(family);
                const auto made = ann.allocate({.family = family});
                if (!made || !ann.bind_channel(0x4000, bob.local())) return;
                ann.send(bob.local(), "ping");
                if (!bob.receive()) return;
                bob.send(made->relayed, "pong");
                if (!ann.receive() || !ann.refresh(0s) || !ann.bind()) return;
                ++rounds.at(crowd);
            }
        });
    for (auto& c : crowds) c.join();
    for (const int done : rounds) CHECK(done == 25);

    const auto t = s->totals();
    CHECK(t.relay.allocations_created == 100);
    CHECK(t.relay.allocations_ended == 100);
    CHECK(t.relay.allocations == 0);
    CHECK(t.relay.permissions == 0);
    CHECK(t.relay.channels == 0);
    CHECK(t.quota_in_use == 0);
    CHECK(t.ports_in_use == 0);
    CHECK(t.ports_peak >= 1);
    CHECK(t.net.sent_packets[static_cast<std::size_t>(direction::up)] == 100);
    CHECK(t.net.sent_packets[static_cast<std::size_t>(direction::down)] == 100);
}
