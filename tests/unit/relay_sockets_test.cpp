#include "server/relay_sockets.hpp"

#include <doctest/doctest.h>

#include <sys/resource.h>

#include <memory>

#include "support/real_client.hpp"

using namespace std::chrono_literals;
using namespace turn;

namespace {

const time_point noon{12h};

/// One shard's sockets over a kernel back end.
struct shard_sockets {
    explicit shard_sockets(shared_state& shared) : sockets(shared, *io) {}

    std::unique_ptr<net::packet_io> io = std::move(*net::make_packet_io({.batch = 1}));
    relay_sockets sockets;
};

/// A server's shared state with one relay address that has `count` ports; the first is even.
struct machine {
    static constexpr std::uint16_t first = 50000;

    explicit machine(std::uint16_t count, std::size_t reservation_limit = 8)
        : shared(allocation_quota::limits{}, reservation_limit) {
        const auto last = static_cast<std::uint16_t>(first + count - 1);
        shared.places.push_back(std::make_unique<relay_place>(address, address, first, last, shared.ports));
    }

    /// Another program takes one of the ports.
    void occupy(int port) { REQUIRE(others->open(address.with_port(static_cast<std::uint16_t>(port)), {})); }
    [[nodiscard]] std::size_t in_use() const { return shared.ports.in_use(); }

    const transport_address address = test::own_loopback();
    shared_state shared;
    std::unique_ptr<net::packet_io> others = std::move(*net::make_packet_io({.batch = 1}));
};

constexpr auto ipv4 = address_family::ipv4;

} // namespace

TEST_CASE("relay sockets: until the batch is settled a closed one keeps its id and its port") {
    machine m(2);
    shard_sockets shard(m.shared);
    const auto first = shard.sockets.bind(ipv4, transport::udp, port_wish::any, noon);
    REQUIRE(first);
    shard.sockets.close_later(first->id);
    CHECK(m.in_use() == 1);

    const auto second = shard.sockets.bind(ipv4, transport::udp, port_wish::any, noon);
    REQUIRE(second);
    CHECK(second->id != first->id);
    CHECK(second->address.port != first->address.port);
    CHECK_FALSE(shard.sockets.bind(ipv4, transport::udp, port_wish::any, noon)); // both ports are still busy

    shard.sockets.settle();
    CHECK(m.in_use() == 1);
    const auto third = shard.sockets.bind(ipv4, transport::udp, port_wish::any, noon);
    REQUIRE(third);
    CHECK(third->address == first->address);
}

TEST_CASE("relay sockets: closing one twice in a batch closes it once") {
    machine m(3);
    shard_sockets shard(m.shared);
    const auto a = shard.sockets.bind(ipv4, transport::udp, port_wish::any, noon);
    const auto b = shard.sockets.bind(ipv4, transport::udp, port_wish::any, noon);
    REQUIRE(a);
    REQUIRE(b);
    for (const auto id : {a->id, b->id, a->id, b->id}) shard.sockets.close_later(id);
    shard.sockets.settle();
    CHECK(m.in_use() == 0);
    CHECK(shard.io->descriptor(a->id) == -1);
    CHECK(shard.io->descriptor(b->id) == -1);
}

TEST_CASE("relay sockets: ports that other programs have are passed over") {
    machine m(4);
    for (const int i : {0, 1, 3}) m.occupy(m.first + i);
    shard_sockets shard(m.shared);
    const auto only = shard.sockets.bind(ipv4, transport::udp, port_wish::any, noon);
    REQUIRE(only);
    CHECK(only->address.port == m.first + 2);
    CHECK(m.in_use() == 1);

    const auto none = shard.sockets.bind(ipv4, transport::udp, port_wish::any, noon);
    REQUIRE_FALSE(none);
    CHECK(none.error() == errc::no_capacity);
    CHECK(m.in_use() == 1); // what was tried has come back
}

TEST_CASE("RFC 8656 7.2: a pair whose next port another program has is passed over") {
    machine m(4);
    m.occupy(m.first + 1);
    shard_sockets shard(m.shared);
    const auto pair = shard.sockets.bind(ipv4, transport::udp, port_wish::even_and_reserve_next, noon);
    REQUIRE(pair);
    CHECK(pair->address.port == m.first + 2);
    REQUIRE(pair->reservation);
    CHECK(m.in_use() == 2);
}

TEST_CASE("RFC 8656 7.2: a token made by one shard is redeemed by another once") {
    machine m(2);
    shard_sockets one(m.shared), two(m.shared);
    const auto pair = one.sockets.bind(ipv4, transport::udp, port_wish::even_and_reserve_next, noon);
    REQUIRE(pair);
    const auto next = two.sockets.redeem(*pair->reservation, noon + 29s);
    REQUIRE(next);
    CHECK(next->address == pair->address.with_port(static_cast<std::uint16_t>(pair->address.port + 1)));
    CHECK(two.io->local_address(next->id) == next->address);
    CHECK(one.sockets.redeem(*pair->reservation, noon + 29s).error() == errc::not_found);

    two.sockets.close_later(next->id);
    two.sockets.settle();
    CHECK(m.in_use() == 1);
}

TEST_CASE("RFC 8656 7.2: the shard that made a reservation frees it after 30 s") {
    machine m(2);
    shard_sockets shard(m.shared);
    CHECK(shard.sockets.next_deadline() == time_point::max());
    REQUIRE(shard.sockets.bind(ipv4, transport::udp, port_wish::even_and_reserve_next, noon));
    CHECK(shard.sockets.next_deadline() == noon + 30s);
    shard.sockets.tick(noon + 30s - 1ms);
    CHECK(m.in_use() == 2);
    shard.sockets.tick(noon + 30s);
    CHECK(m.in_use() == 1);
    CHECK(shard.sockets.next_deadline() == time_point::max());
}

TEST_CASE("relay sockets: what is cancelled goes with its reservation") {
    machine m(2);
    shard_sockets shard(m.shared);
    const auto pair = shard.sockets.bind(ipv4, transport::udp, port_wish::even_and_reserve_next, noon);
    REQUIRE(pair);
    shard.sockets.cancel(*pair);
    shard.sockets.settle();
    CHECK(m.in_use() == 0);
    CHECK(m.shared.held.size() == 0);
}

TEST_CASE("relay sockets: no room for another reservation leaves nothing half done") {
    machine m(4, 1);
    shard_sockets shard(m.shared);
    REQUIRE(shard.sockets.bind(ipv4, transport::udp, port_wish::even_and_reserve_next, noon));
    const auto refused = shard.sockets.bind(ipv4, transport::udp, port_wish::even_and_reserve_next, noon);
    REQUIRE_FALSE(refused);
    CHECK(refused.error() == errc::no_capacity);
    CHECK(m.in_use() == 2);
}

TEST_CASE("relay sockets: without descriptors the error is io and no port is lost") {
    machine m(2);
    shard_sockets shard(m.shared);
    const auto with_descriptors = shard.sockets.bind(ipv4, transport::udp, port_wish::any, noon);
    REQUIRE(with_descriptors);
    shard.sockets.cancel(*with_descriptors);
    shard.sockets.settle();
    rlimit before{};
    REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
    const rlimit none{0, before.rlim_max};
    REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
    const auto refused = shard.sockets.bind(ipv4, transport::udp, port_wish::any, noon);
    const auto no_pair = shard.sockets.bind(ipv4, transport::udp, port_wish::even_and_reserve_next, noon);
    REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
    REQUIRE_FALSE(refused);
    CHECK(refused.error() == errc::io);
    REQUIRE_FALSE(no_pair);
    CHECK(no_pair.error() == errc::io);
    CHECK(m.in_use() == 0);
}

TEST_CASE("relay sockets: when one relay address has no port left the next one serves") {
    machine m(1);
    auto second = m.address;
    second.ip[1] = static_cast<std::uint8_t>(second.ip[1] + 64); // above those of own_loopback()
    m.shared.places.push_back(std::make_unique<relay_place>(second, second, m.first, m.first, m.shared.ports));
    shard_sockets shard(m.shared);
    const auto a = shard.sockets.bind(ipv4, transport::udp, port_wish::any, noon);
    const auto b = shard.sockets.bind(ipv4, transport::udp, port_wish::any, noon);
    REQUIRE(a);
    REQUIRE(b);
    CHECK_FALSE(a->address.same_ip(b->address));
    CHECK(a->address.port == b->address.port);
}

TEST_CASE("RFC 8656 7.2: only the families of the relay addresses are supported") {
    machine m(1);
    shard_sockets shard(m.shared);
    CHECK(shard.sockets.supports(ipv4));
    CHECK_FALSE(shard.sockets.supports(address_family::ipv6));
    CHECK(shard.sockets.bind(address_family::ipv6, transport::udp, port_wish::any, noon).error() == errc::no_capacity);
    CHECK(m.in_use() == 0);
}
