/// What this machine offers to a server that was told nothing.

#include <sys/resource.h>

#include <algorithm>
#include <set>
#include <string>

#include <doctest/doctest.h>

#include "net/interfaces.hpp"
#include "net/udp_socket.hpp"
#include "support/namespaces.hpp"

using namespace turn;
using turn::test::in_new_network;

namespace {

bool contains(const std::vector<transport_address>& all, const char* ip) {
    return std::find(all.begin(), all.end(), *transport_address::parse_ip(ip)) != all.end();
}

/// Both families' addresses in the order of their texts.
std::string all_addresses() {
    std::set<std::string> texts;
    for (const address_family family : {address_family::ipv4, address_family::ipv6}) {
        const auto all = net::interface_addresses(family);
        REQUIRE(all);
        for (const transport_address& a : *all) REQUIRE(texts.insert(a.ip_to_string()).second);
    }
    std::string out;
    for (const std::string& text : texts) out += text + ' ';
    return out;
}

std::string default_sources() {
    std::string out;
    for (const address_family family : {address_family::ipv4, address_family::ipv6}) {
        const auto source = net::default_source_address(family);
        REQUIRE((source || source.error() == errc::not_found));
        out += (source ? source->ip_to_string() : "none") + ' ';
    }
    return out;
}

} // namespace

TEST_CASE("the interfaces' addresses are ours to bind and each is named once") {
    for (const address_family family : {address_family::ipv4, address_family::ipv6}) {
        const auto all = net::interface_addresses(family);
        REQUIRE(all);
        CHECK(contains(*all, family == address_family::ipv4 ? "127.0.0.1" : "::1"));
        for (const transport_address& a : *all) {
            CAPTURE(a.to_string());
            CHECK(a.family == family);
            CHECK(a.port == 0);
            CHECK(std::count(all->begin(), all->end(), a) == 1);
            CHECK(net::open_udp_socket(a, {}));
            CHECK(!(a.ip[0] == 0xfe && a.ip[1] == 0x80));
        }
    }
}

TEST_CASE("every usable address of an interface is found") {
    const auto told =
        in_new_network({.setup = "ip addr add 192.0.2.7/24 dev lo; ip addr add 2001:db8::7/64 dev lo nodad;"
                                 "ip addr add fe80::7/64 dev lo nodad"},
                       all_addresses);
    CHECK(told == "127.0.0.1 192.0.2.7 2001:db8::7 ::1 ");
}

TEST_CASE("an address on two interfaces is named once and a tentative one not at all") {
    const auto told =
        in_new_network({.setup = "ip link add ann type veth peer name bob;"
                                 "ip addr add 192.0.2.7/24 dev ann; ip addr add 192.0.2.7/24 dev bob;"
                                 "ip link set ann up; ip link set bob up; ip addr add 2001:db8::7/64 dev ann"},
                       all_addresses);
    CHECK(told == "127.0.0.1 192.0.2.7 ::1 ");
}

TEST_CASE("without a default route there is no default source address") {
    CHECK(in_new_network({}, default_sources) == "none none ");
}

TEST_CASE("the default source address is the one the default route leaves from") {
    const auto told =
        in_new_network({.setup = "ip addr add 192.0.2.7/24 dev lo; ip addr add 2001:db8::7/64 dev lo nodad;"
                                 "ip route add default dev lo; ip -6 route add default dev lo"},
                       default_sources);
    CHECK(told == "192.0.2.7 2001:db8::7 ");
}

TEST_CASE("a link-local address is no default source") {
    const auto told = in_new_network({.setup = "ip addr add fe80::7/64 dev lo nodad; ip -6 route add default dev lo"},
                                     default_sources);
    CHECK(told == "none none ");
}

TEST_CASE("the descriptor limit is raised to what is allowed") {
    const auto told = in_new_network({}, [] { // a process of its own
        const rlimit low{64, 128};
        REQUIRE(::setrlimit(RLIMIT_NOFILE, &low) == 0);
        const std::size_t raised = net::raise_descriptor_limit();
        rlimit now{};
        REQUIRE(::getrlimit(RLIMIT_NOFILE, &now) == 0);
        return std::to_string(raised) + " and " + std::to_string(now.rlim_cur);
    });
    CHECK(told == "128 and 128");
}
