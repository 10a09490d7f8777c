/// What a server can say of an allocation: while it is alive, and when it has ended.

#include <doctest/doctest.h>

#include <algorithm>

#include "support/world.hpp"

using namespace std::chrono_literals;
using namespace turn;
using turn::test::world;

namespace {

verdict verdict_of_the_last(const world& w) {
    REQUIRE(!w.events.allocations_ended.empty());
    return w.events.allocations_ended.back().use.verdict;
}

std::uint32_t successes(const allocation_report& r, request_method m) {
    return r.requests[static_cast<std::size_t>(m)];
}

std::uint32_t dropped(const allocation_report& r, direction way, reason why) {
    std::uint32_t packets = 0;
    for (const auto& d : r.dropped)
        if (d.way == way && d.why == why) packets += d.packets;
    return packets;
}

} // namespace

TEST_CASE("a report of an allocation tells what it is, what it has and what happened to it") {
    world w;
    auto ann = w.client("ann");
    auto& bob = w.peer();
    auto& eve = w.peer();
    REQUIRE(ann.allocate() == 0);
    REQUIRE(ann.permit(eve) == 0);
    w.pass(10s);
    REQUIRE(ann.bind_channel(0x4000, bob) == 0);
    ann.send(bob, "hello");
    bob.send(ann.relayed, "hello yourself");
    ann.send_channel_data(0x4001, "to nobody");
    w.peer().send(ann.relayed, "psst");
    CHECK(ann.permit({*transport_address::parse("10.0.0.1:9")}) == 403);

    const auto all = w.reports();
    REQUIRE(all.size() == 1);
    const allocation_report& r = all[0];
    CHECK(r.id == w.events.allocations_created[0].id);
    CHECK(r.client == ann.address());
    CHECK(r.server == w.listener().local);
    CHECK(r.relayed == ann.relayed);
    CHECK(r.relayed_additional.port == 0);
    CHECK(r.username == "ann");
    CHECK(r.account == "ann");
    CHECK(r.realm == "example.org");
    CHECK(r.protocol == transport::udp);
    CHECK(r.used.packets_up == 1);
    CHECK(r.used.bytes_up == 5);
    CHECK(r.used.packets_down == 1);
    CHECK(r.used.bytes_down == 14);
    CHECK(r.used.age == 10s);
    CHECK(r.used.verdict == verdict::ok);
    CHECK(r.expires_in == 590s);
    REQUIRE(r.permissions.size() == 2);
    CHECK(r.permissions[0].peer == eve.address.with_port(0));
    CHECK(r.permissions[0].expires_in == 290s);
    CHECK(r.permissions[1].peer == bob.address.with_port(0));
    CHECK(r.permissions[1].expires_in == 300s);
    REQUIRE(r.channels.size() == 1);
    CHECK(r.channels[0].number == 0x4000);
    CHECK(r.channels[0].peer == bob.address);
    CHECK(r.channels[0].expires_in == 600s);
    CHECK(r.peers == std::vector{eve.address.with_port(0), bob.address});
    CHECK(successes(r, request_method::allocate) == 1);
    CHECK(successes(r, request_method::create_permission) == 1);
    CHECK(successes(r, request_method::channel_bind) == 1);
    CHECK(successes(r, request_method::refresh) == 0);
    REQUIRE(r.refused.size() == 1);
    CHECK(r.refused[0].why == reason::peer_denied);
    CHECK(r.refused[0].requests == 1);
    CHECK(r.dropped.size() == 2);
    CHECK(dropped(r, direction::up, reason::no_channel) == 1);
    CHECK(dropped(r, direction::down, reason::no_permission) == 1);
    w.drain();
    CHECK(w.reports().empty());
}

TEST_CASE("a report leaves out permissions and channels that are over") {
    world w;
    auto ann = w.client("ann", {.lifetime = 3600s});
    auto& bob = w.peer();
    REQUIRE(ann.allocate() == 0);
    REQUIRE(ann.bind_channel(0x4000, bob) == 0);
    w.pass(301s);
    REQUIRE(w.reports().size() == 1);
    CHECK(w.reports()[0].permissions.empty());
    CHECK(w.reports()[0].channels.size() == 1);
    w.pass(300s);
    CHECK(w.reports()[0].channels.empty());
    CHECK(w.reports()[0].peers == std::vector{bob.address}); // but who it was is remembered
    w.drain();
}

TEST_CASE("reports are asked for by user, account, realm, client address and id") {
    turn::test::world_options o;
    o.listeners = {{*transport_address::parse("198.51.100.1:3478"), "example.org"},
                   {*transport_address::parse("198.51.100.1:3479"), "example.net"}};
    world w(o);
    w.users.add("1700000000:ann").account = "ann";
    auto ann = w.client("ann");
    auto rest = w.client("1700000000:ann");
    auto net = w.client("ann", {.listener = 1});
    auto bob = w.client("bob");
    REQUIRE(ann.allocate() == 0);
    REQUIRE(rest.allocate() == 0);
    REQUIRE(net.allocate() == 0);
    REQUIRE(bob.allocate() == 0);

    CHECK(w.reports().size() == 4);
    CHECK(w.reports({.user = "ann"}).size() == 3);
    CHECK(w.reports({.user = "ann", .realm = "example.net"}).size() == 1);
    CHECK(w.reports({.realm = "example.org"}).size() == 3);
    CHECK(w.reports({.user = "1700000000:ann"}).size() == 1);
    CHECK(w.reports({.user = "an"}).empty());
    const auto bobs = w.reports({.client = bob.address().with_port(1)});
    REQUIRE(bobs.size() == 1);
    CHECK(bobs[0].username == "bob");
    CHECK(w.reports({.id = bobs[0].id}).size() == 1);
    CHECK(w.reports({.id = bobs[0].id, .user = "ann"}).empty());
    CHECK(w.reports({.id = allocation_id{0}}).empty());
    w.drain();
}

TEST_CASE("no more reports are given than were asked for, and the walk goes on where it stopped") {
    world w;
    for (int i = 0; i < 5; ++i) {
        auto ann = w.client("ann");
        REQUIRE(ann.allocate() == 0);
    }
    std::vector<allocation_report> found;
    allocation_cursor at;
    w.relay().report({}, at, 2, 100, w.now(), found);
    CHECK(found.size() == 2);
    CHECK(!at.done);
    w.relay().report({}, at, 100, 4, w.now(), found);
    CHECK(found.size() == 4);
    CHECK(at.done);
    w.drain();
}

TEST_CASE("one allocation is ended by its id and no other") {
    world w;
    auto ann = w.client("ann");
    auto bob = w.client("bob");
    REQUIRE(ann.allocate() == 0);
    REQUIRE(bob.allocate() == 0);
    const allocation_id id = w.reports({.user = "ann"}).at(0).id;
    CHECK(w.end_allocation(id));
    CHECK(!w.end_allocation(id));
    REQUIRE(w.events.allocations_ended.size() == 1);
    CHECK(w.events.allocations_ended[0].how == allocation_end::kicked);
    CHECK(w.events.allocations_ended[0].what.id == id);
    CHECK(ann.refresh(600s) == 437);
    CHECK(bob.refresh(600s) == 0);
    w.drain();
}

TEST_CASE("a removed user's allocations are found by the account behind a time-limited name") {
    world w;
    w.users.add("1700000000:ann").account = "ann";
    auto ann = w.client("1700000000:ann");
    auto bob = w.client("bob");
    REQUIRE(ann.allocate() == 0);
    REQUIRE(bob.allocate() == 0);
    w.end_allocations_of("example.org", "ann");
    REQUIRE(w.events.allocations_ended.size() == 1);
    CHECK(w.events.allocations_ended[0].what.username == "1700000000:ann");
    w.drain();
}

TEST_CASE("the end of an allocation names its peers, at most eight of them, the last ones") {
    world w;
    auto ann = w.client("ann");
    REQUIRE(ann.allocate() == 0);
    std::vector<transport_address> peers;
    for (int i = 0; i < 10; ++i) {
        peers.push_back(w.peer().address);
        REQUIRE(ann.permit({peers.back()}) == 0);
        REQUIRE(ann.permit({peers.back()}) == 0); // a refresh names nobody new
    }
    REQUIRE(ann.bind_channel(0x4000, peers[9]) == 0);
    REQUIRE(ann.refresh(0s) == 0);
    auto named = w.events.allocations_ended.at(0).peers;
    REQUIRE(named.size() == 8);
    CHECK(std::count(named.begin(), named.end(), peers[9]) == 1); // with the port of its channel
    for (std::size_t i = 2; i < 9; ++i) CHECK(std::count(named.begin(), named.end(), peers[i].with_port(0)) == 1);
    w.drain();
}

TEST_CASE("verdict: data both ways is ok") {
    world w;
    auto ann = w.client("ann");
    auto& bob = w.peer();
    bob.echo();
    REQUIRE(ann.allocate() == 0);
    REQUIRE(ann.permit(bob) == 0);
    ann.send(bob, "hello?");
    w.drain();
    CHECK(verdict_of_the_last(w) == verdict::ok);
}

TEST_CASE("verdict: a client that sends and never hears has silent peers") {
    world w;
    auto ann = w.client("ann");
    auto& bob = w.peer();
    REQUIRE(ann.allocate() == 0);
    REQUIRE(ann.permit(bob) == 0);
    ann.send(bob, "hello?");
    w.pass(600s); // nothing more, not even a Refresh
    CHECK(verdict_of_the_last(w) == verdict::peer_silent);
    CHECK(w.events.allocations_ended.back().peers == std::vector{bob.address.with_port(0)});
    w.drain();
}

TEST_CASE("verdict: of a client that allocates and vanishes nothing was heard") {
    world w;
    auto ann = w.client("ann");
    REQUIRE(ann.allocate() == 0);
    w.pass(600s);
    CHECK(verdict_of_the_last(w) == verdict::client_silent);
    w.drain();
}

TEST_CASE("verdict: a peer that the client never permitted is heard and not let in") {
    world w;
    auto ann = w.client("ann");
    auto& bob = w.peer();
    REQUIRE(ann.allocate() == 0);
    bob.send(ann.relayed, "ann? ann!");
    REQUIRE(w.reports().size() == 1);
    CHECK(w.reports()[0].used.verdict == verdict::no_permission);
    w.drain();
    CHECK(verdict_of_the_last(w) == verdict::no_permission);
}

TEST_CASE("verdict: a client that sends to whom it has not permitted, or on a channel it has not bound") {
    world w;
    auto ann = w.raw("ann");
    auto cleo = w.raw("cleo");
    auto& bob = w.peer();
    REQUIRE(ann.allocate().code() == 0);
    REQUIRE(cleo.allocate().code() == 0);
    ann.send_indication(bob.address, "hello?");
    cleo.send_channel_data(0x4000, "hello?");
    w.settle();
    CHECK(w.reports({.user = "ann"}).at(0).used.verdict == verdict::no_permission);
    CHECK(w.reports({.user = "cleo"}).at(0).used.verdict == verdict::no_channel);
    w.drain();
}

TEST_CASE("verdict: a client whose peers are all of the other family") {
    world w;
    auto ann = w.client("ann");
    auto& bob = w.peer(address_family::ipv6);
    REQUIRE(ann.allocate() == 0);
    CHECK(ann.permit(bob) == 443);
    w.drain();
    CHECK(verdict_of_the_last(w) == verdict::wrong_family);
}

TEST_CASE("verdict: a client whose peers are all private") {
    world w;
    auto ann = w.client("ann");
    REQUIRE(ann.allocate() == 0);
    CHECK(ann.permit({*transport_address::parse("192.168.1.2:5000")}) == 403);
    w.drain();
    CHECK(verdict_of_the_last(w) == verdict::peer_denied);
}

TEST_CASE("verdict: a peer at our own relay address on a port that is no relay port") {
    world w;
    auto ann = w.raw("ann");
    auto cleo = w.raw("cleo");
    REQUIRE(ann.allocate().code() == 0);
    REQUIRE(cleo.allocate().code() == 0);
    const auto outside = w.addresses.ipv4.with_port(40'000);
    CHECK(ann.bind_channel(0x4000, outside).code() == 403);
    CHECK(w.refused(reason::outside_range) == 1);
    CHECK(w.reports({.user = "ann"}).at(0).used.verdict == verdict::outside_range);

    REQUIRE(cleo.permit({w.addresses.ipv4}).code() == 0);
    cleo.send_indication(outside, "hello?");
    w.settle();
    CHECK(w.dropped(direction::up, reason::outside_range) == 1);
    CHECK(w.reports({.user = "cleo"}).at(0).used.verdict == verdict::outside_range);
    w.drain();
}
