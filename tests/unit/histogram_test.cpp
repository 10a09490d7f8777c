#include <doctest/doctest.h>

#include "turn/counters.hpp"

using namespace turn;

TEST_CASE("histogram: a value lies at the first bound that it does not exceed, or above all") {
    histogram<counter, 3> h;
    const std::array<std::uint64_t, 3> bounds{1, 10, 100};
    for (const std::uint64_t value : {0U, 1U, 2U, 10U, 11U, 100U, 101U, 5000U}) record(h, bounds, value);
    CHECK(h.counts[0].value() == 2);
    CHECK(h.counts[1].value() == 2);
    CHECK(h.counts[2].value() == 2);
    CHECK(h.counts[3].value() == 2);
    CHECK(h.sum.value() == 5225);
}

TEST_CASE("histogram: the bounds of a shard's books rise") {
    const auto rise = [](const auto& bounds) {
        for (std::size_t i = 1; i < bounds.size(); ++i) CHECK(bounds[i - 1] < bounds[i]);
    };
    rise(shard_counters::batch_bounds);
    rise(shard_counters::latency_bounds);
}
