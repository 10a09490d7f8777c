/// What changes while a relay runs: new rules for what comes, and for peers also for what is there.

#include <doctest/doctest.h>

#include "support/world.hpp"

using namespace std::chrono_literals;
using namespace turn;
using turn::test::world;
using texts = std::vector<std::string>;

namespace {

address_prefix prefix_of(const transport_address& a) {
    return {.network = a.with_port(0), .length = static_cast<std::uint8_t>(a.is_ipv4() ? 32 : 128)};
}

} // namespace

TEST_CASE("a peer that a new policy refuses is cut off at once, both ways, and others are not") {
    world w;
    auto ann = w.raw("ann");
    auto& bob = w.peer();
    auto& eve = w.peer();
    auto& mallory = w.peer();
    REQUIRE(ann.allocate().code() == 0);
    REQUIRE(ann.bind_channel(0x4000, bob).code() == 0);
    REQUIRE(ann.bind_channel(0x4001, eve).code() == 0);
    REQUIRE(ann.permit(mallory).code() == 0);

    relay_options stricter;
    stricter.peers.deny = {prefix_of(eve.address), prefix_of(mallory.address)};
    w.reconfigure(stricter);
    CHECK(w.counters().permissions.value() == 1);
    CHECK(w.counters().channels.value() == 1);

    ann.send_channel_data(0x4000, "to bob");
    ann.send_channel_data(0x4001, "to eve");
    ann.send_indication(mallory.address, "to mallory");
    bob.send(ann.relayed, "from bob");
    eve.send(ann.relayed, "from eve");
    mallory.send(ann.relayed, "from mallory");
    w.settle();
    CHECK(bob.received == texts{"to bob"});
    CHECK(eve.received.empty());
    CHECK(mallory.received.empty());
    CHECK(ann.channel_data(0x4000) == texts{"from bob"});
    CHECK(ann.channel_data(0x4001).empty());
    CHECK(ann.data_from(mallory.address).empty());
    CHECK(w.dropped(direction::up, reason::no_channel) == 1);
    CHECK(w.dropped(direction::up, reason::no_permission) == 1);
    CHECK(w.dropped(direction::down, reason::no_permission) == 2);
    CHECK(ann.bind_channel(0x4001, eve).code() == 403);

    w.reconfigure({}); // what was cut off has to be asked for again
    ann.send_channel_data(0x4001, "to eve");
    w.settle();
    CHECK(eve.received.empty());
    CHECK(ann.bind_channel(0x4001, eve).code() == 0);
    w.drain();
}

TEST_CASE("a channel whose port alone is refused goes, and the permission for its address stays") {
    relay_options o;
    o.peers.allow = {*address_prefix::parse("25.0.7.1/32")};
    world w(o);
    auto ann = w.client("ann");
    auto& application = w.peer(*transport_address::parse("25.0.7.1:9000"));
    auto& database = w.peer(*transport_address::parse("25.0.7.1:5432"));
    REQUIRE(ann.allocate() == 0);
    REQUIRE(ann.bind_channel(0x4000, database) == 0);
    REQUIRE(ann.bind_channel(0x4001, application) == 0);
    o.peers.own_services = {database.address};
    w.reconfigure(o);
    ann.send_channel_data(0x4000, "drop table users");
    ann.send_channel_data(0x4001, "hello");
    ann.send_indication(database, "drop table users"); // the permission's port matters from now on
    CHECK(database.received.empty());
    CHECK(application.received == texts{"hello"});
    CHECK(w.counters().permissions.value() == 1);
    CHECK(w.dropped(direction::up, reason::peer_denied) == 1);
    w.drain();
}

TEST_CASE("lower limits on permissions and channels let what is there live, and be refreshed, and nothing more in") {
    world w;
    auto ann = w.client("ann");
    auto& bob = w.peer();
    auto& eve = w.peer();
    auto& newcomer = w.peer();
    REQUIRE(ann.allocate() == 0);
    REQUIRE(ann.bind_channel(0x4000, bob) == 0);
    REQUIRE(ann.bind_channel(0x4001, eve) == 0);
    relay_options fewer;
    fewer.permissions_per_allocation = 1;
    fewer.channels_per_allocation = 1;
    w.reconfigure(fewer);
    CHECK(ann.permit({bob.address, eve.address}) == 0);
    CHECK(ann.bind_channel(0x4001, eve) == 0);
    CHECK(ann.permit(newcomer) == 508);
    CHECK(ann.bind_channel(0x4002, newcomer) == 508);
    w.reconfigure({});
    CHECK(ann.bind_channel(0x4002, newcomer) == 0);
    w.drain();
}

TEST_CASE("a bandwidth may be set on allocations that are there, and taken away") {
    relay_options narrow;
    narrow.bandwidth_per_allocation = 8000; // the bucket holds 64 KiB all the same
    world w;
    auto ann = w.client("ann");
    auto& bob = w.peer();
    REQUIRE(ann.allocate() == 0);
    REQUIRE(ann.permit(bob) == 0);
    const std::string large(40'000, 'x');
    const auto send_two = [&] {
        ann.send(bob, large);
        ann.send(bob, large);
        w.settle();
    };
    send_two();
    CHECK(bob.count == 2);
    w.reconfigure(narrow);
    send_two();
    CHECK(bob.count == 3);
    CHECK(w.dropped(direction::up, reason::bandwidth) == 1);
    w.reconfigure({});
    send_two();
    CHECK(bob.count == 5);
    w.drain();
}

TEST_CASE("a bandwidth that is raised is there a moment later, not when the old one would be") {
    relay_options narrow, wide;
    narrow.bandwidth_per_allocation = 8000;     // what its bucket holds takes a minute to come again
    wide.bandwidth_per_allocation = 80'000'000; // a quarter of a second
    world w;
    w.reconfigure(narrow);
    auto ann = w.client("ann");
    auto& bob = w.peer();
    REQUIRE(ann.allocate() == 0);
    REQUIRE(ann.permit(bob) == 0);
    const std::string large(60'000, 'x');
    ann.send(bob, large);
    w.settle();
    CHECK(bob.count == 1);
    w.reconfigure(wide);
    ann.send(bob, large); // finds the bucket empty
    w.pass(250ms);
    ann.send(bob, large);
    w.settle();
    CHECK(bob.count == 2);
    CHECK(w.dropped(direction::up, reason::bandwidth) == 1);
    w.drain();
}

TEST_CASE("a new nonce lifetime is that of new nonces") {
    world w;
    auto ann = w.raw("ann");
    auto bob = w.raw("bob");
    ann.challenge();
    relay_options shorter;
    shorter.nonce_lifetime = 60s;
    w.reconfigure(shorter);
    bob.challenge();
    w.pass(120s);
    CHECK(ann.ask(ann.allocate_request()).code() == 0);
    CHECK(bob.ask(bob.allocate_request()).code() == 438);
    w.drain();
}

TEST_CASE("the code for a wrong password may change") {
    world w;
    const auto wrong = [&] { return w.client("ann", {.password = "not hers"}).allocate(); };
    CHECK(wrong() == 401);
    relay_options o;
    o.integrity_failure_code = 431;
    w.reconfigure(o);
    CHECK(wrong() == 431);
    w.drain();
}

TEST_CASE("a budget for strangers may be set and they may be exempt from it") {
    world w;
    auto eve = w.raw("eve");
    const auto answered = [&] {
        int count = 0;
        for (int i = 0; i < 50; ++i) count += eve.challenge().code() == 401;
        return count;
    };
    CHECK(answered() == 50);
    relay_options o;
    o.unauthenticated_bytes_per_second = 1000;
    w.reconfigure(o);
    for (int i = 0; i < 50; ++i) eve.send(eve.request(stun::method::allocate)); // all in one moment
    w.settle();
    CHECK(w.dropped(direction::up, reason::rate_limited) > 0);
    const auto refused = w.dropped(direction::up, reason::rate_limited);
    o.unauthenticated_exempt = {prefix_of(eve.address())};
    w.reconfigure(o);
    CHECK(answered() == 50);
    CHECK(w.dropped(direction::up, reason::rate_limited) == refused);
    w.drain();
}
