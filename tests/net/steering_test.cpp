/// A client stays on one socket of an SO_REUSEPORT group, and the clients spread over all.

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>

#include "net/steering.hpp"
#include "packet_io_backends.hpp"
#include "support/namespaces.hpp"

using namespace turn;
using namespace turn::net_test;

namespace {

/// A group of `size` sockets on one port, in bind order.
template <class Post>
std::vector<socket_id> open_group(Post& post, unsigned size) {
    std::vector<socket_id> group;
    transport_address local = Post::here();
    while (group.size() < size) {
        group.push_back(post.open_at(local, {.reuse_port = true}));
        local = post.address(group.back());
    }
    return group;
}

template <class Post>
std::size_t place(const std::vector<socket_id>& group, const Post&, socket_id id) {
    return static_cast<std::size_t>(std::find(group.begin(), group.end(), id) - group.begin());
}

/// Sends `times` datagrams of different sizes from `source`; the places in the group that heard them.
template <class Post>
std::set<std::size_t> heard_at(Post& post, const std::vector<socket_id>& group, socket_id source, std::size_t times) {
    letters out;
    for (std::size_t i = 0; i < times; ++i) out.add(source, post.address(group[0]), std::string(10 + i / 2, 'x'));
    post.io().send(out);
    std::set<std::size_t> places;
    const auto heard = post.collect(times);
    REQUIRE(heard.size() == times);
    for (const letter& l : heard) places.insert(place(group, post, l.to));
    return places;
}

} // namespace

TEST_CASE_TEMPLATE("a source keeps to one socket of the group and the sources spread", Post, kernel_ipv4, kernel_ipv6) {
    constexpr std::size_t sources = 400;
    for (const unsigned size : {2U, 4U}) {
        CAPTURE(size);
        Post post;
        const auto group = open_group(post, size);
        REQUIRE(net::steer_by_source(post.io().descriptor(group[0]), size));
        std::map<std::size_t, std::size_t> load;
        for (std::size_t i = 0; i < sources; ++i) {
            const auto places = heard_at(post, group, post.open(), 6);
            REQUIRE(places.size() == 1);
            load[*places.begin()] += 1;
        }
        REQUIRE(load.size() == size);
        // A fair hash stays below 40 % of the even share once in some 10^11 runs.
        for (const auto& [where, share] : load) CHECK(share > sources / size * 4 / 10);
    }
}

TEST_CASE_TEMPLATE("steering depends on the source alone and not on who holds it or whom it calls", Post, kernel_ipv4,
                   kernel_ipv6) {
    Post post;
    const auto group = open_group(post, 4), other_group = open_group(post, 4);
    REQUIRE(net::steer_by_source(post.io().descriptor(group[0]), 4));
    REQUIRE(net::steer_by_source(post.io().descriptor(other_group[0]), 4));
    for (int i = 0; i < 30; ++i) {
        const socket_id first = post.open();
        const transport_address address = post.address(first);
        const auto before = heard_at(post, group, first, 1);
        CHECK(heard_at(post, other_group, first, 1) == before);
        post.io().close(first);
        const socket_id second = post.open_at(address);
        CHECK(heard_at(post, group, second, 1) == before);
        post.io().close(second);
    }
}

TEST_CASE("another source address is another client") {
    kernel_ipv4 post;
    const auto group = open_group(post, 4);
    REQUIRE(net::steer_by_source(post.io().descriptor(group[0]), 4));
    std::set<std::size_t> places;
    const socket_id first = post.open();
    for (std::uint8_t i = 1; i <= 40; ++i) {
        transport_address local = post.address(first);
        local.ip = {127, 0, 1, i};
        places.merge(heard_at(post, group, post.open_at(local), 1));
    }
    CHECK(places.size() == 4);
}

TEST_CASE("the port is found behind IPv4 options") {
    kernel_ipv4 post;
    const auto group = open_group(post, 4);
    REQUIRE(net::steer_by_source(post.io().descriptor(group[0]), 4));
    const std::array<unsigned char, 8> no_operation{1, 1, 1, 1, 1, 1, 1, 0};
    for (int i = 0; i < 40; ++i) {
        const socket_id source = post.open();
        const auto plain = heard_at(post, group, source, 1);
        REQUIRE(::setsockopt(post.io().descriptor(source), IPPROTO_IP, IP_OPTIONS, no_operation.data(),
                             no_operation.size()) == 0);
        CHECK(heard_at(post, group, source, 1) == plain);
    }
}

TEST_CASE("IPv6 packets with an extension header are steered by their address alone") {
    const auto told = test::in_new_network({}, [] { // where we may set destination options
        kernel_ipv6 post;
        const auto group = open_group(post, 4);
        REQUIRE(net::steer_by_source(post.io().descriptor(group[0]), 4));
        std::set<std::size_t> plain, extended;
        for (int i = 0; i < 60; ++i) {
            const socket_id source = post.open();
            plain.merge(heard_at(post, group, source, 1));
            // 8, 16, ... bytes: one option that whoever does not know it skips.
            const auto units = static_cast<unsigned char>(i % 6);
            std::array<unsigned char, 48> options{0, units, 0x1e, static_cast<unsigned char>(units * 8 + 4)};
            REQUIRE(::setsockopt(post.io().descriptor(source), IPPROTO_IPV6, IPV6_DSTOPTS, options.data(),
                                 units * 8U + 8) == 0);
            extended.merge(heard_at(post, group, source, 1));
        }
        return std::to_string(plain.size()) + " places, then " + std::to_string(extended.size());
    });
    CHECK(told == "4 places, then 1");
}

TEST_CASE("the seed decides who is heard where") {
    kernel_ipv4 post;
    const auto group = open_group(post, 4);
    std::vector<socket_id> sources;
    for (int i = 0; i < 60; ++i) sources.push_back(post.open());
    const auto map = [&](std::uint32_t seed) {
        REQUIRE(net::steer_by_source(post.io().descriptor(group[0]), 4, seed));
        std::vector<std::set<std::size_t>> places;
        for (const socket_id id : sources) places.push_back(heard_at(post, group, id, 1));
        return places;
    };
    const auto first = map(1);
    CHECK(map(0x5eed5eed) != first);
    CHECK(map(1) == first);
}

TEST_CASE("a single socket needs no steering") {
    kernel_ipv4 post;
    CHECK(net::steer_by_source(post.io().descriptor(post.open()), 1));
    CHECK(net::steer_by_source(-1, 0));
}

TEST_CASE("steering what is no group is an error") {
    kernel_ipv4 post;
    CHECK(!net::steer_by_source(post.io().descriptor(post.open()), 2));
    CHECK(!net::steer_by_source(-1, 2));
}

TEST_CASE_TEMPLATE("a port in use is seen even where SO_REUSEPORT would share it", Post, kernel_ipv4, kernel_ipv6) {
    Post post;
    const socket_id ann = post.open({.reuse_port = true});
    const transport_address address = post.address(ann);
    CHECK(post.io().open(address, {.reuse_port = true})); // the kernel shares
    CHECK(net::port_is_taken(address));
    transport_address wildcard = address;
    wildcard.ip = {};
    CHECK(net::port_is_taken(wildcard));

    const socket_id bob = post.open();
    const transport_address free = post.address(bob);
    CHECK(net::port_is_taken(free));
    post.io().close(bob);
    CHECK(!net::port_is_taken(free));
    CHECK(!net::port_is_taken(address.with_port(0)));
    CHECK(!net::port_is_taken(*transport_address::parse("192.0.2.77:9"))); // not an address of ours: another error
}

TEST_CASE("the first of a group on port 0 gets a port that no other group has") {
    kernel_ipv4 post;
    // Of 600 ports in a range of some 28 000, bound with SO_REUSEPORT set beforehand, about six would be doubles.
    std::set<std::uint16_t> ports;
    for (int i = 0; i < 600; ++i) ports.insert(post.address(post.open({.reuse_port = true})).port);
    CHECK(ports.size() == 600);
}
