/// Sums of the shards' books. Numbers have no names at run time, so what is forgotten is found by its place.

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <numeric>

#include "server/totals.hpp"

using namespace turn;

namespace {

template <class Totals>
using numbers_of = std::array<std::uint64_t, sizeof(Totals) / sizeof(std::uint64_t)>;

/// 1, 2, 3, ...: no two numbers are the same.
template <class Totals>
numbers_of<Totals> all_different() {
    numbers_of<Totals> numbers{};
    std::iota(numbers.begin(), numbers.end(), 1);
    return numbers;
}

template <class Totals>
void check_sum_of_three() {
    const auto numbers = all_different<Totals>();
    Totals sum{};
    for (int i = 0; i < 3; ++i) add(sum, std::bit_cast<Totals>(numbers));
    auto tripled = numbers;
    for (auto& n : tripled) n *= 3;
    CHECK((std::bit_cast<numbers_of<Totals>>(sum) == tripled));
}

} // namespace

TEST_CASE("totals: no number of the books is forgotten, or taken for another") {
    check_sum_of_three<relay_totals>();
    check_sum_of_three<net_totals>();
    check_sum_of_three<stream_totals>();
    check_sum_of_three<dtls_totals>();
    check_sum_of_three<peer_connection_totals>();
}

TEST_CASE("totals: of a thread's histograms no number is forgotten") {
    shard_counters books;
    std::uint64_t n = 0;
    for (auto& count : books.batches.counts) count.add(++n);
    books.batches.sum.add(++n);
    for (auto& count : books.latencies.counts) count.add(++n);
    books.latencies.sum.add(++n);
    shard_totals sum{};
    add(sum, books);
    CHECK((std::bit_cast<numbers_of<shard_totals>>(sum) == all_different<shard_totals>()));
}
