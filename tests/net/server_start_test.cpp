#include <doctest/doctest.h>

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <set>

#include "support/namespaces.hpp"
#include "support/real_server.hpp"

using namespace turn;
using namespace turn::test;

namespace {

bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

/// Why it does not start; the test fails when it does.
start_error refusal_of(server_options o) {
    const auto s = server::start(std::move(o));
    REQUIRE_FALSE(s);
    return s.error();
}

} // namespace

TEST_CASE("start: port 0 becomes the same real port in every shard") {
    auto o = on_loopback();
    o.threads = 3;
    o.listeners = {{.local = loopback()}};
    const auto s = server::start(std::move(o));
    REQUIRE(s);
    REQUIRE(s->description().listeners.size() == 1);
    CHECK(s->description().listeners[0].local.port != 0);
    CHECK(s->description().shards == 3);
    real_client ann(s->description().listeners[0].local);
    CHECK(ann.bind());
}

TEST_CASE("start: a wildcard listens on each address of this machine") {
    auto o = on_loopback();
    o.listeners = {{.local = *transport_address::parse("0.0.0.0:0")}, {.local = *transport_address::parse("[::]:0")}};
    const auto s = server::start(std::move(o));
    REQUIRE(s);
    std::set<std::string> addresses;
    for (const auto& [local, protocol, realm] : s->description().listeners) {
        CHECK_FALSE(local.is_unspecified());
        CHECK(addresses.insert(local.ip_to_string()).second);
        real_client ann(local.same_ip(loopback(local.family)) ? local : loopback(local.family));
        if (local.same_ip(loopback(local.family))) CHECK(ann.bind());
    }
    CHECK(addresses.contains("127.0.0.1"));
    CHECK(addresses.contains("::1"));
}

TEST_CASE("start: a port that another program has is refused with words") {
    real_peer other;
    auto o = on_loopback();
    o.listeners = {{.local = other.local()}};
    const auto error = refusal_of(std::move(o));
    CHECK(contains(error.what, "listener " + other.local().to_string() + ": address already in use"));
    CHECK(error.system_error == EADDRINUSE);
}

TEST_CASE("start: a port that another program shares by SO_REUSEPORT is refused as well") {
    for (const unsigned threads : {1U, 2U}) {
        auto io = net::make_packet_io({.batch = 1});
        REQUIRE(io);
        const auto id = (*io)->open(loopback(), {.role = net::socket_role::listener, .reuse_port = true});
        REQUIRE(id);
        auto o = on_loopback();
        o.threads = threads;
        o.listeners = {{.local = (*io)->local_address(*id)}};
        CHECK(refusal_of(std::move(o)).system_error == EADDRINUSE);
    }
}

TEST_CASE("start: a running server's port is refused to a second one") {
    auto o = on_loopback();
    o.threads = 2;
    o.listeners = {{.local = loopback()}};
    const auto first = server::start(o);
    REQUIRE(first);
    o.listeners = {{.local = first->description().listeners[0].local}};
    CHECK(refusal_of(std::move(o)).system_error == EADDRINUSE);
    real_client ann(first->description().listeners[0].local);
    CHECK(ann.bind()); // and the first does not suffer
}

TEST_CASE("start: a listener or relay address of another machine is refused by name") {
    const auto elsewhere = *transport_address::parse_ip("198.51.100.1"); // RFC 5737: nobody's
    auto o = on_loopback();
    o.listeners = {{.local = elsewhere}};
    auto error = refusal_of(std::move(o));
    CHECK(contains(error.what, "listener 198.51.100.1:0: no interface"));
    CHECK(error.system_error == EADDRNOTAVAIL);

    o = on_loopback();
    o.relay_addresses = {{.bind = loopback()}, {.bind = elsewhere}};
    error = refusal_of(std::move(o));
    CHECK(contains(error.what, "relay address 198.51.100.1: no interface"));
    CHECK(error.system_error == EADDRNOTAVAIL);
}

TEST_CASE("start: relay addresses that make no sense are refused") {
    auto o = on_loopback();
    SUBCASE("the wildcard") {
        o.relay_addresses = {{.bind = {}}};
        CHECK(contains(refusal_of(o).what, "0.0.0.0"));
    }
    SUBCASE("advertised in another family") {
        o.relay_addresses = {{.bind = loopback(), .advertised = loopback(address_family::ipv6)}};
        CHECK(contains(refusal_of(o).what, "another family"));
    }
    SUBCASE("named twice") {
        o.relay_addresses = {{.bind = loopback()}, {.bind = loopback()}};
        CHECK(contains(refusal_of(o).what, "named twice"));
    }
}

TEST_CASE("start: options that contradict each other are refused") {
    auto o = on_loopback();
    SUBCASE("no realm") {
        o.realm.clear();
        CHECK(contains(refusal_of(o).what, "realm"));
    }
    SUBCASE("no listener") {
        o.listeners.clear();
        CHECK(contains(refusal_of(o).what, "no listener"));
    }
    SUBCASE("a port range upside down") {
        o.relay_port_min = 60000;
        o.relay_port_max = 50000;
        CHECK(contains(refusal_of(o).what, "relay-ports 60000-50000"));
    }
    SUBCASE("more allocations than ports") {
        o.relay_port_min = 50000;
        o.relay_port_max = 50009;
        o.allocations_total = 21;
        CHECK(contains(refusal_of(o).what, "allocations-total 21 is above 20: relay ports"));
    }
    SUBCASE("a code that is no answer to bad integrity") {
        o.relay.integrity_failure_code = 400;
        CHECK(contains(refusal_of(o).what, "integrity-failure-code"));
    }
}

TEST_CASE("start: no realm is needed without credentials") {
    auto o = on_loopback();
    o.realm.clear();
    o.relay.anonymous = true;
    const auto s = server::start(std::move(o));
    REQUIRE(s);
    real_client ann(s->description().listeners[0].local);
    CHECK(ann.allocate());
}

TEST_CASE("start: a default capacity is lowered to the ports and said so") {
    auto o = on_loopback();
    o.allocations_total = 0;
    o.relay_port_min = 50000;
    o.relay_port_max = 50009;
    const auto s = server::start(std::move(o));
    REQUIRE(s);
    CHECK(s->description().capacity == 20);
    CHECK(s->description().capacity_bound_by == "relay ports");
    REQUIRE(s->description().warnings.size() == 1);
    CHECK(contains(s->description().warnings[0], "capacity is 20"));
}

TEST_CASE("start: a private relay address is warned about while no peer is allowed") {
    auto o = on_loopback();
    o.relay_addresses = {{.bind = loopback()}};
    o.relay.peers.allow.clear();
    const auto s = server::start(o);
    REQUIRE(s);
    REQUIRE(s->description().warnings.size() == 1);
    CHECK(contains(s->description().warnings[0], "relay address 127.0.0.1"));

    o.relay_addresses = {{.bind = loopback(), .advertised = *transport_address::parse_ip("1.1.1.1")}};
    const auto behind_nat = server::start(o);
    REQUIRE(behind_nat);
    CHECK(behind_nat->description().warnings.empty());
}

TEST_CASE("start: the server's own listeners are never peers") {
    auto o = on_loopback();
    const auto s = server::start(std::move(o));
    REQUIRE(s);
    real_client ann(s->description().listeners[0].local);
    REQUIRE(ann.allocate());
    const auto refused = ann.bind_channel(0x4000, s->description().listeners[0].local);
    REQUIRE_FALSE(refused);
    CHECK(refused.error() == 403);
}

TEST_CASE("start: without IPv6 the wildcard of IPv6 is a warning and IPv4 works") {
    const auto told = in_new_network({.ipv6 = false}, [] {
        auto o = on_loopback();
        o.listeners = {{.local = *transport_address::parse("0.0.0.0:0")},
                       {.local = *transport_address::parse("[::]:0")}};
        o.relay_addresses = {{.bind = loopback()}};
        const auto s = server::start(std::move(o));
        if (!s) return "did not start: " + s.error().what;
        real_client ann(s->description().listeners.at(0).local);
        if (!ann.allocate()) return std::string("no allocation");
        std::string text;
        for (const auto& l : s->description().listeners) text += l.local.ip_to_string() + "\n";
        for (const auto& warning : s->description().warnings) text += warning + "\n";
        return text;
    });
    CHECK(told == "127.0.0.1\nlistener [::]:0: this machine has no IPv6 address, so nothing listens there\n");
}

TEST_CASE("start: without a default route relay addresses must be named") {
    const auto told = in_new_network({}, [] {
        auto o = on_loopback();
        o.relay_addresses.clear();
        const auto s = server::start(std::move(o));
        return s ? std::string("started") : s.error().what;
    });
    CHECK(contains(told, "no relay address: this machine has no default route"));
}

TEST_CASE("start: relay addresses are those from which the default routes leave") {
    const new_network with_a_way_out{.ip = {
                                         "address add 203.0.113.6/24 dev lo",
                                         "address add 203.0.113.5/24 dev lo",
                                         "address add 2001:db8::5/64 dev lo",
                                         "route add default dev lo src 203.0.113.5",
                                         "-6 route add default dev lo src 2001:db8::5",
                                     }};
    const auto told = in_new_network(with_a_way_out, [] {
        auto o = on_loopback();
        o.relay_addresses.clear();
        const auto s = server::start(std::move(o));
        if (!s) return s.error().what;
        std::string text;
        for (const auto& relay : s->description().relays)
            text += relay.bind.ip_to_string() + (relay.from_default_route ? " from default route\n" : "\n");
        return text;
    });
    CHECK(told == "203.0.113.5 from default route\n2001:db8::5 from default route\n");
}

TEST_CASE("start: an address named beside a wildcard keeps its own realm") {
    const auto told = in_new_network({.ip = {"address add 127.0.0.9/8 dev lo"}}, [] {
        auto o = on_loopback();
        const auto named = *transport_address::parse("127.0.0.1:3478");
        const auto beside = *transport_address::parse("127.0.0.9:3478");
        o.listeners = {{.local = *transport_address::parse("0.0.0.0:3478")},
                       {.local = named, .realm = "named.example"}};
        const auto s = server::start(std::move(o));
        if (!s) return s.error().what;
        std::string text = std::to_string(s->description().listeners.size()) + " listeners";
        for (const auto& address : {named, beside}) {
            real_client ann(address);
            text += ann.allocate() ? ", " : ", no allocation in ";
            text += ann.realm();
        }
        return text;
    });
    CHECK(told == "2 listeners, named.example, example.org");
}

TEST_CASE("start: a small budget for unproven sources still lets every shard answer") {
    auto o = on_loopback();
    o.threads = 8;
    o.relay.unauthenticated_bytes_per_second = 400; // an eighth of it is less than a challenge
    const auto s = server::start(std::move(o));
    REQUIRE(s);
    real_client ann(s->description().listeners[0].local);
    CHECK(ann.allocate());
}

TEST_CASE("start: the server's threads leave signals to the application") {
    const auto s = server::start(on_loopback());
    REQUIRE(s);
    // Blocked only now, so a thread of the server would have inherited it open, and the signal would end the process.
    sigset_t usr1;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    REQUIRE(pthread_sigmask(SIG_BLOCK, &usr1, nullptr) == 0);
    REQUIRE(::kill(::getpid(), SIGUSR1) == 0);
    const timespec limit{20, 0};
    CHECK(sigtimedwait(&usr1, nullptr, &limit) == SIGUSR1);
    REQUIRE(pthread_sigmask(SIG_UNBLOCK, &usr1, nullptr) == 0);
}
