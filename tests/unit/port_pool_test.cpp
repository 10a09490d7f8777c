#include "server/port_pool.hpp"

#include <doctest/doctest.h>

#include <set>
#include <vector>

using turn::port_pool;
using turn::port_usage;
using turn::port_wish;

namespace {

/// All ports a pool gives until it gives no more; they stay taken as long as the leases live.
std::vector<port_pool::taken> take_all(port_pool& pool, port_wish wish) {
    std::vector<port_pool::taken> all;
    while (auto t = pool.take(wish)) all.push_back(std::move(*t));
    return all;
}

} // namespace

TEST_CASE("port pool: every port of the range is given once and none outside") {
    // Neither end on a word's border.
    port_usage usage;
    port_pool pool(1000, 1130, usage);
    const auto all = take_all(pool, port_wish::any);
    std::set<unsigned> seen;
    for (const auto& t : all) seen.insert(t.port.port());
    CHECK(all.size() == 131);
    CHECK(seen.size() == 131);
    CHECK(*seen.begin() == 1000);
    CHECK(*seen.rbegin() == 1130);
    CHECK(usage.in_use() == 131);
}

TEST_CASE("port pool: the range may end at port 65535 and may be one port wide") {
    port_usage usage;
    port_pool pool(65535, 65535, usage);
    auto only = pool.take(port_wish::any);
    REQUIRE(only);
    CHECK(only->port.port() == 65535);
    CHECK_FALSE(pool.take(port_wish::any));
}

TEST_CASE("port pool: a port is free again when its lease ends") {
    port_usage usage;
    port_pool pool(2000, 2000, usage);
    {
        const auto lease = pool.take(port_wish::any);
        REQUIRE(lease);
        CHECK_FALSE(pool.take(port_wish::any));
    }
    CHECK(usage.in_use() == 0);
    CHECK(usage.peak() == 1);
    CHECK(pool.take(port_wish::any));
}

TEST_CASE("RFC 8656 18.6: EVEN-PORT takes even ports only") {
    port_usage usage;
    port_pool pool(3001, 3009, usage);
    const auto all = take_all(pool, port_wish::even);
    CHECK(all.size() == 4); // 3002, 3004, 3006, 3008
    for (const auto& t : all) {
        CHECK(t.port.port() % 2 == 0);
        CHECK_FALSE(t.next);
    }
}

TEST_CASE("RFC 8656 7.2: a reserved port is the next higher one and is taken as well") {
    port_usage usage;
    port_pool pool(3001, 3200, usage);
    std::set<unsigned> seen;
    const auto all = take_all(pool, port_wish::even_and_reserve_next);
    CHECK(all.size() == 99); // 3001 has no even partner, 3200 no next one in the range
    for (const auto& t : all) {
        CHECK(t.port.port() % 2 == 0);
        CHECK(t.next.port() == t.port.port() + 1);
        CHECK(seen.insert(t.port.port()).second);
        CHECK(seen.insert(t.next.port()).second);
    }
    CHECK(usage.in_use() == 198);
    CHECK(usage.peak() == 198);
}

TEST_CASE("RFC 8656 7.2: a pair is not split when only its even port is free") {
    port_usage usage;
    port_pool pool(4000, 4001, usage);
    auto first = pool.take(port_wish::even_and_reserve_next);
    REQUIRE(first);
    first->port = turn::port_lease{}; // the even one comes back, the reserved one does not
    CHECK_FALSE(pool.take(port_wish::even_and_reserve_next));
    CHECK(pool.take(port_wish::even));
}

TEST_CASE("RFC 8656 7.2: ports are not handed out in an order that can be foreseen") {
    port_usage usage;
    port_pool pool(49152, 65535, usage);
    std::set<unsigned> first_choices;
    unsigned neighbours = 0;
    for (int i = 0; i < 100; ++i) {
        const auto a = pool.take(port_wish::any);
        const auto b = pool.take(port_wish::any);
        first_choices.insert(a->port.port());
        neighbours += b->port.port() == a->port.port() + 1;
    }
    CHECK(first_choices.size() > 90); // 100 draws out of 16384: fewer than 10 repeats but once in 10^20
    CHECK(neighbours < 5);
}
