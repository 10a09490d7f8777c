/// The one function behind every verdict.

#include <doctest/doctest.h>

#include <set>
#include <string>

#include "relay/judge_allocation.hpp"

using namespace turn;

namespace {

usage relayed(std::uint64_t up, std::uint64_t down) {
    return {.packets_up = up, .packets_down = down};
}

allocation_books granted() {
    allocation_books books;
    books.requests[static_cast<std::size_t>(request_method::create_permission)] = 1;
    return books;
}

} // namespace

TEST_CASE("verdict: each has a name of its own") {
    std::set<std::string> names;
    for (std::size_t i = 0; i < verdict_count; ++i) names.emplace(name(static_cast<verdict>(i)));
    CHECK(names.size() == verdict_count);
    CHECK(names.count("unknown") == 0);
    CHECK(name(verdict::client_silent) == "client-silent");
    CHECK(name(verdict::count_) == "unknown");
}

TEST_CASE("verdict: data both ways is a good call, whatever was refused or dropped beside it") {
    allocation_books books = granted();
    for (int i = 0; i < 1000; ++i) {
        books.refused.add(reason::peer_denied);
        books.drop(direction::down, reason::no_permission);
        books.drop(direction::up, reason::no_channel);
    }
    CHECK(judge_allocation(relayed(1, 1), books) == verdict::ok);
}

TEST_CASE("verdict: more than one packet in a hundred over the bandwidth is heard") {
    for (const auto way : {direction::up, direction::down}) {
        allocation_books books = granted();
        books.drop(way, reason::bandwidth);
        CHECK(judge_allocation(relayed(99, 99), books) == verdict::ok);
        CHECK(judge_allocation(relayed(98, 98), books) == verdict::bandwidth);
    }
}

TEST_CASE("verdict: of a TCP relay nothing is dropped, so once is enough to have waited for the bandwidth") {
    usage used{.bytes_up = 1'000'000, .bytes_down = 1};
    CHECK(judge_allocation(used, granted()) == verdict::ok);
    used.held_back = 1;
    CHECK(judge_allocation(used, granted()) == verdict::bandwidth);
    used.bytes_down = 0;
    CHECK(judge_allocation(used, granted()) == verdict::peer_silent);
}

TEST_CASE("verdict: one side alone is silence of the other") {
    CHECK(judge_allocation(relayed(5, 0), granted()) == verdict::peer_silent);
    CHECK(judge_allocation(relayed(0, 5), granted()) == verdict::client_silent);
    CHECK(judge_allocation(relayed(0, 0), granted()) == verdict::client_silent);
    CHECK(judge_allocation(relayed(0, 0), {}) == verdict::client_silent);
}

TEST_CASE("verdict: a peer that was heard without a permission is not silent") {
    allocation_books books = granted();
    books.drop(direction::down, reason::no_permission);
    CHECK(judge_allocation(relayed(5, 0), books) == verdict::no_permission);
    CHECK(judge_allocation(relayed(0, 0), books) == verdict::no_permission);
    CHECK(judge_allocation(relayed(0, 5), books) == verdict::client_silent); // somebody else was let in
}

TEST_CASE("verdict: a client of which nothing left is told what most of it met") {
    const struct {
        reason met;
        verdict says;
    } table[] = {
        {reason::no_permission, verdict::no_permission}, {reason::no_channel, verdict::no_channel},
        {reason::wrong_family, verdict::wrong_family},   {reason::outside_range, verdict::outside_range},
        {reason::peer_denied, verdict::peer_denied},     {reason::bandwidth, verdict::bandwidth},
        {reason::malformed, verdict::malformed},         {reason::truncated_data, verdict::malformed},
        {reason::no_data, verdict::malformed},           {reason::too_big, verdict::malformed},
    };
    for (const auto& row : table) {
        CAPTURE(name(row.met));
        allocation_books books = granted();
        books.drop(direction::up, row.met);
        CHECK(judge_allocation(relayed(0, 0), books) == row.says);
        CHECK(judge_allocation(relayed(0, 5), books) == row.says);
        CHECK(judge_allocation(relayed(5, 0), books) == verdict::peer_silent); // some of it did leave
        for (int i = 0; i < 2; ++i)
            books.drop(direction::up, row.met == reason::no_channel ? reason::peer_denied : reason::no_channel);
        CHECK(judge_allocation(relayed(0, 0), books) ==
              (row.met == reason::no_channel ? verdict::peer_denied : verdict::no_channel));
    }
}

TEST_CASE("verdict: refused peers matter only where none was granted") {
    const struct {
        reason met;
        verdict says;
    } table[] = {
        {reason::wrong_family, verdict::wrong_family},
        {reason::outside_range, verdict::outside_range},
        {reason::peer_denied, verdict::peer_denied},
        {reason::permission_limit, verdict::client_silent},
    };
    for (const auto& row : table) {
        CAPTURE(name(row.met));
        allocation_books books;
        books.refused.add(row.met);
        CHECK(judge_allocation(relayed(0, 0), books) == row.says);
        books.requests[static_cast<std::size_t>(request_method::channel_bind)] = 1;
        CHECK(judge_allocation(relayed(0, 0), books) == verdict::client_silent);
    }
}

TEST_CASE("allocation_books: what is counted is found again, and nothing else is") {
    reason_tally<reason::malformed, reason::bandwidth> tally;
    CHECK(tally.add(reason::bandwidth));
    CHECK(tally.add(reason::bandwidth));
    CHECK(!tally.add(reason::draining));
    CHECK(tally.of(reason::bandwidth) == 2);
    CHECK(tally.of(reason::malformed) == 0);
    CHECK(tally.of(reason::draining) == 0);
    int met = 0;
    tally.for_each([&](reason why, std::uint32_t count) {
        ++met;
        CHECK(why == reason::bandwidth);
        CHECK(count == 2);
    });
    CHECK(met == 1);
}
