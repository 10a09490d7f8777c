#include <algorithm>
#include <deque>

#include <doctest/doctest.h>

#include "support/real_server.hpp"

using namespace std::chrono_literals;
using namespace turn;
using namespace turn::test;

namespace {

void relay_both_ways(const server& s, address_family family) {
    real_client ann(listener_of(s, family));
    real_peer bob(family);
    const auto made = ann.allocate({.family = family});
    REQUIRE(made);
    CHECK(made->relayed.same_ip(loopback(family)));
    CHECK(made->mapped == ann.local());

    REQUIRE(ann.permit(bob.local()));
    ann.send(bob.local(), "by indication");
    auto heard = bob.receive();
    REQUIRE(heard);
    CHECK(heard->text == "by indication");
    CHECK(heard->from == made->relayed);
    bob.send(made->relayed, "heard you");
    auto answer = ann.receive();
    REQUIRE(answer);
    CHECK(answer->text == "heard you");
    CHECK(answer->from == bob.local());

    REQUIRE(ann.bind_channel(0x4000, bob.local()));
    ann.send(bob.local(), "by channel");
    heard = bob.receive();
    REQUIRE(heard);
    CHECK(heard->text == "by channel");
    bob.send(made->relayed, "still here");
    answer = ann.receive();
    REQUIRE(answer);
    CHECK(answer->text == "still here");
    CHECK(answer->from == bob.local());
}

} // namespace

TEST_CASE("RFC 8656 3: data goes both ways over real sockets by indication and by channel") {
    auto s = server::start(on_loopback());
    REQUIRE(s);
    SUBCASE("IPv4") {
        relay_both_ways(*s, address_family::ipv4);
    }
    SUBCASE("IPv6") {
        relay_both_ways(*s, address_family::ipv6);
    }
    const auto books = s->totals().relay;
    CHECK(books.relayed[0].packets == 2);
    CHECK(books.relayed[1].packets == 2);
}

TEST_CASE("server: the largest datagrams pass both ways whole, and what has no room for a header is counted") {
    auto s = server::start(on_loopback());
    REQUIRE(s);
    real_client ann(listener_of(*s));
    real_peer bob;
    const auto made = ann.allocate();
    REQUIRE(made);
    REQUIRE(ann.bind_channel(0x4000, bob.local()));
    for (const std::size_t size : {std::size_t{16'385}, std::size_t{32'769}, std::size_t{65'507 - 4}}) {
        CAPTURE(size);
        ann.send(bob.local(), std::string(size, 'u'));
        const auto heard = bob.receive();
        REQUIRE(heard);
        CHECK(heard->text == std::string(size, 'u'));
        bob.send(made->relayed, std::string(size, 'd'));
        const auto answer = ann.receive();
        REQUIRE(answer);
        CHECK(answer->text == std::string(size, 'd'));
    }
    bob.send(made->relayed, std::string(65'507, 'd'));
    bob.send(made->relayed, "and small ones go on");
    const auto answer = ann.receive();
    REQUIRE(answer);
    CHECK(answer->text == "and small ones go on");
    CHECK(s->totals().relay.dropped[1][static_cast<std::size_t>(reason::too_big)] == 1);
}

TEST_CASE("RFC 8489 12: a server that does not relay answers Binding and nothing else") {
    auto o = on_loopback();
    o.relay.relaying = false;
    o.realm.clear();
    auto s = server::start(std::move(o));
    REQUIRE(s);
    real_client ann(listener_of(*s));
    const auto seen = ann.bind();
    REQUIRE(seen);
    CHECK(seen->address == ann.local());
    CHECK(s->description().relays.empty());
    CHECK(s->description().capacity == 0);

    ann.start_allocate();
    REQUIRE(ann.bind()); // the Allocate was handled before this
    CHECK(s->totals().relay.dropped[0][static_cast<std::size_t>(reason::relay_disabled)] == 1);
}

TEST_CASE("RFC 8656 7.2: the client is told the advertised address with the bound port") {
    auto o = on_loopback();
    const auto advertised = *transport_address::parse_ip("198.51.100.7");
    o.relay_addresses = {{.bind = loopback(), .advertised = advertised}};
    auto s = server::start(std::move(o));
    REQUIRE(s);
    real_client ann(listener_of(*s));
    real_peer bob;
    const auto made = ann.allocate();
    REQUIRE(made);
    CHECK(made->relayed.same_ip(advertised));

    REQUIRE(ann.permit(bob.local()));
    ann.send(bob.local(), "hello");
    const auto heard = bob.receive();
    REQUIRE(heard);
    CHECK(heard->from == loopback().with_port(made->relayed.port));
    CHECK(s->description().relays.at(0).advertised == advertised);
}

TEST_CASE("RFC 8656 7.2: a reserved port is the next higher one and belongs to who brings the token") {
    auto s = server::start(on_loopback());
    REQUIRE(s);
    real_client ann(listener_of(*s));
    const auto rtp = ann.allocate({.even_port = true});
    REQUIRE(rtp);
    CHECK(rtp->relayed.port % 2 == 0);
    REQUIRE(rtp->token);
    CHECK(s->totals().reservations == 1);
    CHECK(s->totals().ports_in_use == 2);

    real_client same_ann(listener_of(*s));
    const auto rtcp = same_ann.allocate({.token = rtp->token});
    REQUIRE(rtcp);
    CHECK(rtcp->relayed == rtp->relayed.with_port(static_cast<std::uint16_t>(rtp->relayed.port + 1)));
    CHECK(s->totals().reservations == 0);
    CHECK(s->totals().ports_in_use == 2);

    real_peer bob;
    REQUIRE(same_ann.permit(bob.local()));
    same_ann.send(bob.local(), "over the reserved port");
    const auto heard = bob.receive();
    REQUIRE(heard);
    CHECK(heard->from == rtcp->relayed);

    real_client late(listener_of(*s));
    const auto again = late.allocate({.token = rtp->token});
    REQUIRE_FALSE(again);
    CHECK(again.error() == 508);
}

TEST_CASE("RFC 8656 7.2: an even port without a reservation takes one port") {
    auto s = server::start(on_loopback());
    REQUIRE(s);
    real_client ann(listener_of(*s));
    const auto made = ann.allocate({.even_port = false});
    REQUIRE(made);
    CHECK(made->relayed.port % 2 == 0);
    CHECK_FALSE(made->token);
    CHECK(s->totals().ports_in_use == 1);
}

TEST_CASE("RFC 8656 7.2: a dual allocation has an address of each family") {
    auto s = server::start(on_loopback());
    REQUIRE(s);
    real_client ann(listener_of(*s));
    const auto made = ann.allocate({.additional_ipv6 = true});
    REQUIRE(made);
    CHECK(made->relayed.is_ipv4());
    CHECK_FALSE(made->relayed_additional.is_ipv4());
    CHECK(s->totals().ports_in_use == 2);
    CHECK(s->totals().quota_in_use == 1);

    real_peer bob(address_family::ipv6);
    REQUIRE(ann.permit(bob.local()));
    ann.send(bob.local(), "from four to six");
    const auto heard = bob.receive();
    REQUIRE(heard);
    CHECK(heard->from == made->relayed_additional);
}

TEST_CASE("RFC 8656 7.2: a family without a relay address is refused with 440") {
    auto o = on_loopback();
    o.relay_addresses = {{.bind = loopback()}};
    auto s = server::start(std::move(o));
    REQUIRE(s);
    real_client ann(listener_of(*s));
    const auto made = ann.allocate({.family = address_family::ipv6});
    REQUIRE_FALSE(made);
    CHECK(made.error() == 440);
}

TEST_CASE("RFC 8656 7.2: ports run out with 508 and come back with the allocation") {
    auto o = on_loopback();
    o.relay_addresses = {{.bind = own_loopback()}};
    o.relay_port_min = 50000;
    o.relay_port_max = 50001;
    o.allocations_total = 2;
    auto s = server::start(std::move(o));
    REQUIRE(s);
    real_client ann(listener_of(*s));
    REQUIRE(ann.allocate({.even_port = true})); // one port and the next one reserved
    real_client bob(listener_of(*s), "bob", "bob's password");
    const auto refused = bob.allocate();
    REQUIRE_FALSE(refused);
    CHECK(refused.error() == 508);
    CHECK(s->totals().relay.refused[static_cast<std::size_t>(reason::no_ports)] == 1);
    REQUIRE(ann.refresh(0s));
    CHECK(bob.allocate());
}

TEST_CASE("RFC 8656 8: after the last Refresh ports quota and sockets are as before") {
    auto s = server::start(on_loopback());
    REQUIRE(s);
    for (int round = 0; round < 50; ++round) {
        real_client ann(listener_of(*s));
        REQUIRE(ann.allocate({.additional_ipv6 = true}));
        CHECK(s->totals().ports_in_use == 2);
        REQUIRE(ann.refresh(0s));
        REQUIRE(ann.bind()); // handled after the batch in which the sockets were closed
    }
    const auto t = s->totals();
    CHECK(t.ports_in_use == 0);
    CHECK(t.ports_peak >= 2); // more when a port turned out to be another program's
    CHECK(t.quota_in_use == 0);
    CHECK(t.relay.allocations == 0);
    CHECK(t.relay.allocations_created == 50);
    CHECK(t.relay.allocations_ended == 50);
    CHECK(s->allocation_count() == 0);
}

TEST_CASE("server: two in one process keep to themselves") {
    attentive_observer of_one, of_two;
    auto options = on_loopback();
    options.events = &of_one;
    auto one = server::start(std::move(options));
    options = on_loopback();
    options.events = &of_two;
    auto two = server::start(std::move(options));
    REQUIRE(one);
    REQUIRE(two);
    CHECK(listener_of(*one) != listener_of(*two));

    real_client ann(listener_of(*one));
    real_client bob(listener_of(*two), "bob", "bob's password");
    const auto relayed_ann = ann.allocate();
    const auto relayed_bob = bob.allocate();
    REQUIRE(relayed_ann);
    REQUIRE(relayed_bob);
    CHECK(one->allocation_count() == 1);
    CHECK(two->allocation_count() == 1);
    CHECK(of_one.created().at(0).username == "ann");
    CHECK(of_two.created().at(0).username == "bob");

    // Each is the other's peer: the data passes both servers.
    REQUIRE(ann.permit(relayed_bob->relayed));
    REQUIRE(bob.permit(relayed_ann->relayed));
    ann.send(relayed_bob->relayed, "across");
    const auto heard = bob.receive();
    REQUIRE(heard);
    CHECK(heard->text == "across");
    CHECK(heard->from == relayed_ann->relayed);
}

TEST_CASE("server: its end ends every allocation and the observer hears of each") {
    attentive_observer events;
    {
        auto o = on_loopback();
        o.events = &events;
        o.threads = 2;
        auto s = server::start(std::move(o));
        REQUIRE(s);
        std::vector<std::unique_ptr<real_client>> clients;
        for (int i = 0; i < 20; ++i) {
            clients.push_back(std::make_unique<real_client>(listener_of(*s)));
            REQUIRE(clients.back()->allocate());
        }
        CHECK(events.ended().empty());
    }
    const auto ended = events.ended();
    CHECK(ended.size() == 20);
    for (const auto& e : ended) CHECK(e.why == allocation_end::shutdown);
}

TEST_CASE("server: it can be moved while it runs") {
    auto started = server::start(on_loopback());
    REQUIRE(started);
    server moved = std::move(*started);
    real_client ann(listener_of(moved));
    CHECK(ann.allocate());
    CHECK(moved.allocation_count() == 1);
}

TEST_CASE("server: a drained server refuses newcomers with 508 and serves those it has") {
    auto s = server::start(on_loopback());
    REQUIRE(s);
    real_client ann(listener_of(*s));
    real_peer bob;
    REQUIRE(ann.allocate());
    s->stop_accepting();
    REQUIRE(ann.permit(bob.local()));
    ann.send(bob.local(), "still served");
    CHECK(bob.receive());

    std::uint16_t code = 1; // the order travels to the shard: the first newcomer may still slip in
    for (int i = 0; i < 100 && code != 508; ++i) {
        real_client newcomer(listener_of(*s), "bob", "bob's password");
        const auto refused = newcomer.allocate();
        code = refused ? std::uint16_t{1} : refused.error();
    }
    CHECK(code == 508);
}

TEST_CASE("server: the allocations of a removed user end and nobody else's do") {
    attentive_observer events;
    auto o = on_loopback();
    o.events = &events;
    o.threads = 2;
    auto s = server::start(std::move(o));
    REQUIRE(s);
    std::vector<std::unique_ptr<real_client>> clients;
    for (const char* name : {"ann", "bob", "ann", "bob", "ann", "ann"}) {
        clients.push_back(std::make_unique<real_client>(listener_of(*s), name, std::string(name) + "'s password"));
        REQUIRE(clients.back()->allocate());
    }
    s->end_allocations_of("example.org", "ann");
    REQUIRE(events.wait_for_ends(4));
    s->end_allocations_of("elsewhere.example", "bob");
    for (const auto& e : events.ended()) {
        CHECK(e.username == "ann");
        CHECK(e.why == allocation_end::user_removed);
    }
    REQUIRE(clients[1]->refresh(600s)); // bob's live on
    REQUIRE(clients[3]->refresh(600s));
}

TEST_CASE("server: a user's allocations are limited across shards with 486") {
    auto o = on_loopback();
    o.threads = 2;
    o.allocations_per_user = 3;
    auto s = server::start(std::move(o));
    REQUIRE(s);
    std::vector<std::unique_ptr<real_client>> clients;
    int made = 0;
    for (int i = 0; i < 12; ++i) {
        clients.push_back(std::make_unique<real_client>(listener_of(*s)));
        const auto outcome = clients.back()->allocate();
        made += outcome.has_value();
        if (!outcome) CHECK(outcome.error() == 486);
    }
    CHECK(made == 3);
    CHECK(s->totals().quota_in_use == 3);
}

TEST_CASE("server: all allocations together are limited across shards with 508") {
    auto o = on_loopback();
    o.threads = 2;
    o.allocations_total = 3;
    auto s = server::start(std::move(o));
    REQUIRE(s);
    std::vector<std::unique_ptr<real_client>> clients;
    int made = 0;
    for (int i = 0; i < 12; ++i) {
        clients.push_back(std::make_unique<real_client>(listener_of(*s)));
        const auto outcome = clients.back()->allocate();
        made += outcome.has_value();
        if (!outcome) CHECK(outcome.error() == 508);
    }
    CHECK(made == 3);
}

TEST_CASE("RFC 8656 8: an allocation that nobody refreshes ends by the clock and gives its port back") {
    attentive_observer events;
    auto o = on_loopback();
    o.relay.default_lifetime = 1s;
    o.relay.max_lifetime = 1s;
    o.events = &events;
    auto s = server::start(std::move(o));
    REQUIRE(s);
    real_client ann(listener_of(*s));
    const auto made = ann.allocate();
    REQUIRE(made);
    CHECK(made->lifetime == 1s);
    REQUIRE(events.wait_for_ends(1)); // ann does nothing meanwhile
    CHECK(events.ended().at(0).why == allocation_end::expired);
    REQUIRE(ann.bind());
    CHECK(s->totals().ports_in_use == 0);
    CHECK(s->totals().quota_in_use == 0);
}

TEST_CASE("server: relayed addresses of its own are peers though private ones are not allowed") {
    auto o = on_loopback();
    o.relay.peers.allow.clear();
    auto s = server::start(std::move(o));
    REQUIRE(s);
    real_client ann(listener_of(*s));
    real_client bob(listener_of(*s), "bob", "bob's password");
    const auto to_ann = ann.allocate();
    const auto to_bob = bob.allocate();
    REQUIRE(to_ann);
    REQUIRE(to_bob);
    REQUIRE(ann.bind_channel(0x4000, to_bob->relayed));
    REQUIRE(bob.bind_channel(0x4000, to_ann->relayed));
    ann.send(to_bob->relayed, "from relay to relay");
    const auto heard = bob.receive();
    REQUIRE(heard);
    CHECK(heard->text == "from relay to relay");

    const real_peer outsider;
    const auto refused = ann.bind_channel(0x4001, outsider.local().with_port(1));
    REQUIRE_FALSE(refused);
    CHECK(refused.error() == 403);
}

TEST_CASE("RFC 8656 11.5: a client hears that nobody listens at its peer") {
    auto s = server::start(on_loopback());
    REQUIRE(s);
    std::deque<real_client> clients;
    std::uint64_t told = 0;
    for (const auto family : {address_family::ipv4, address_family::ipv6}) {
        real_client& ann = clients.emplace_back(listener_of(*s, family));
        real_peer bob(family);
        REQUIRE(ann.allocate({.family = family}));
        std::optional<client::peer_unreachable> unreachable;
        std::vector<transport_address> nobodies;
        // Beside others a freed port may be taken at once, and Linux sends no more ICMP a second than it likes.
        while (nobodies.size() < 4 && !unreachable) {
            nobodies.push_back(std::make_unique<real_peer>(family)->local());
            REQUIRE(ann.permit(nobodies.back()));
            ann.send(nobodies.back(), "anybody there?");
            unreachable = ann.unreachable();
        }
        REQUIRE(unreachable);
        ++told;
        CHECK(std::ranges::count(nobodies, unreachable->peer) == 1);
        CHECK(std::pair(+unreachable->type, +unreachable->code) ==
              (family == address_family::ipv4 ? std::pair(3, 3) : std::pair(1, 4)));
        ann.send(bob.local(), "hello"); // in spite of the error on the socket
        CHECK(bob.receive());
    }
    s->stop(); // whatever was relayed has arrived
    for (real_client& ann : clients)
        while (ann.unreachable(0s)) ++told; // answers to more than one try
    CHECK(s->totals().relay.icmp.relayed == told);
}
