/// Changing a running server's limits and rules.

#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/real_client.hpp"
#include "support/real_server.hpp"
#include "support/real_stream.hpp"

using namespace std::chrono_literals;
using namespace turn;
using namespace turn::test;

namespace {

std::uint16_t allocate_once(const server& s, std::vector<std::unique_ptr<real_client>>& keep) {
    keep.push_back(std::make_unique<real_client>(listener_of(s)));
    const auto made = keep.back()->allocate();
    return made ? std::uint16_t{0} : made.error();
}

} // namespace

TEST_CASE("server: limits on allocations go down and up again, and what is there stays") {
    auto o = on_loopback();
    o.threads = 2;
    auto s = server::start(o);
    REQUIRE(s);
    std::vector<std::unique_ptr<real_client>> clients;
    for (int i = 0; i < 6; ++i) REQUIRE(allocate_once(*s, clients) == 0);
    CHECK(s->totals().capacity == 1000);

    o.allocations_total = 4;
    REQUIRE(s->reconfigure(o));
    CHECK(s->totals().capacity == 4);
    CHECK(s->allocation_count() == 6);
    CHECK(allocate_once(*s, clients) == 508);
    for (int i = 0; i < 6; ++i) REQUIRE(clients[static_cast<std::size_t>(i)]->refresh(600s));

    o.allocations_total = 1000;
    o.allocations_per_user = 6;
    REQUIRE(s->reconfigure(o));
    CHECK(allocate_once(*s, clients) == 486);
    o.allocations_per_user = 7;
    REQUIRE(s->reconfigure(o));
    CHECK(allocate_once(*s, clients) == 0);
    CHECK(allocate_once(*s, clients) == 486);
}

TEST_CASE("server: a limit above what is possible and a code that is none change nothing") {
    auto o = on_loopback();
    o.relay_port_min = 50'000;
    o.relay_port_max = 50'009;
    o.allocations_total = 10;
    auto s = server::start(o);
    REQUIRE(s);
    const auto given = o;
    o.allocations_total = 21; // ten ports on two addresses
    o.allocations_per_user = 1;
    const auto too_many = s->reconfigure(o);
    REQUIRE(!too_many);
    CHECK(too_many.error().what.find("allocations-total 21") != std::string::npos);
    o = given;
    o.relay.integrity_failure_code = 402;
    o.allocations_per_user = 1;
    CHECK(!s->reconfigure(o));
    CHECK(s->totals().capacity == 10);
    std::vector<std::unique_ptr<real_client>> clients;
    CHECK(allocate_once(*s, clients) == 0);
    CHECK(allocate_once(*s, clients) == 0);
}

TEST_CASE("server: a peer that is denied now is cut off in every shard when reconfigure() returns") {
    auto o = on_loopback();
    o.threads = 3;
    auto s = server::start(o);
    REQUIRE(s);
    std::vector<std::unique_ptr<real_client>> clients;
    real_peer bob(own_loopback());  // not at an address of a relay, where relay ports are always allowed
    for (int i = 0; i < 300; ++i) { // more than are looked at in one go
        REQUIRE(allocate_once(*s, clients) == 0);
        REQUIRE(clients.back()->bind_channel(0x4000, bob.local()));
    }
    CHECK(s->totals().relay.permissions == 300);
    o.relay.peers.deny = {*address_prefix::parse("127.0.0.0/8")};
    REQUIRE(s->reconfigure(o));
    CHECK(s->totals().relay.permissions == 0);
    CHECK(s->totals().relay.channels == 0);
    CHECK(s->allocation_count() == 300);
    const auto refused = clients.front()->permit(bob.local());
    REQUIRE(!refused);
    CHECK(refused.error() == 403);
    // Its own services are refused under any policy.
    o.relay.peers.deny.clear();
    REQUIRE(s->reconfigure(o));
    CHECK(clients.front()->permit(bob.local()));
    CHECK(!clients.front()->bind_channel(0x4001, listener_of(*s)));
}

TEST_CASE("server: connections are counted by the limits of now") {
    auto o = on_loopback();
    o.listeners = {{.protocol = transport::tcp, .local = loopback()}};
    auto s = server::start(o);
    REQUIRE(s);
    const auto to = listener_of(*s, address_family::ipv4, transport::tcp);
    real_client ann(std::make_unique<real_stream>(to), to);
    REQUIRE(ann.bind());
    o.connections.per_source = 1;
    REQUIRE(s->reconfigure(o));
    CHECK(ann.bind()); // it was there
    real_stream one_more(to);
    CHECK(one_more.closed_by(std::chrono::steady_clock::now() + patience));
    CHECK(closed_for(*s, reason::connections_per_source) == 1);
}

TEST_CASE("server: it may be reconfigured while it relays and while it stops") {
    auto o = on_loopback();
    o.threads = 2;
    auto s = server::start(o);
    REQUIRE(s);
    real_client ann(listener_of(*s));
    real_peer bob;
    REQUIRE(ann.allocate());
    REQUIRE(ann.permit(bob.local()));
    std::atomic<bool> ending{false};
    std::thread restless([&] {
        while (!ending) CHECK(s->reconfigure(o));
    });
    for (int i = 0; i < 100; ++i) {
        ann.send(bob.local(), "hello");
        REQUIRE(bob.receive());
    }
    s->stop();
    ending = true;
    restless.join();
    CHECK(s->reconfigure(o)); // nobody is there to do it, and nobody is waited for
}
