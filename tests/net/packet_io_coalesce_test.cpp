/// How a batch is sorted into trains.

#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "net/coalesce.hpp"

using namespace turn;
using net::coalescer;
using net::train;

namespace {

constexpr std::uint32_t any_size = 65507;
const std::vector<std::byte> zeroes(65507);

datagram of(std::size_t size, std::uint16_t port = 1, std::uint32_t via = 0) {
    datagram d;
    d.via = socket_id{via};
    d.to = *transport_address::parse("192.0.2.1:1");
    d.to.port = port;
    d.body = bytes(zeroes).first(size);
    return d;
}

/// The indices of each train's datagrams, trains in order of their beginning.
std::vector<std::vector<std::uint32_t>> sorted(const std::vector<datagram>& batch, unsigned most_segments = 128,
                                               std::uint32_t largest_segment = any_size) {
    coalescer trains(most_segments);
    std::vector<std::vector<std::uint32_t>> out;
    for (std::uint32_t i = 0; i < batch.size(); ++i) trains.add(batch, i, largest_segment);
    for (std::uint32_t t = 0; t < trains.size(); ++t) {
        auto& members = out.emplace_back();
        for (std::uint32_t i = trains[t].first; i != train::none; i = trains.next(i)) members.push_back(i);
        CHECK(members.size() == trains[t].count);
        CHECK(members.back() == trains[t].last);
    }
    return out;
}

using groups = std::vector<std::vector<std::uint32_t>>;

} // namespace

TEST_CASE("equal datagrams for one destination make a train") {
    CHECK(sorted({of(100), of(100), of(100)}) == groups{{0, 1, 2}});
}

TEST_CASE("a shorter datagram ends a train and a longer one begins another") {
    CHECK(sorted({of(100), of(60), of(60), of(100), of(101)}) == groups{{0, 1}, {2}, {3}, {4}});
}

TEST_CASE("trains grow across what lies between for others") {
    const groups wanted{{0, 2, 4}, {1, 3, 5}};
    CHECK(sorted({of(100, 1), of(100, 2), of(100, 1), of(100, 2), of(100, 1), of(100, 2)}) == wanted);
    CHECK(sorted({of(100, 1, 7), of(100, 1, 8), of(100, 1, 7), of(100, 1, 8), of(100, 1, 7), of(100, 1, 8)}) == wanted);
}

TEST_CASE("families do not share a train even where their bytes are equal") {
    datagram six = of(100);
    six.to.family = address_family::ipv6;
    CHECK(sorted({of(100), six}) == groups{{0}, {1}});
}

TEST_CASE("a datagram with DF set travels alone and nothing passes it") {
    datagram df = of(100);
    df.dont_fragment = true;
    CHECK(sorted({of(100), df, of(100), of(100)}) == groups{{0}, {1}, {2, 3}});
}

TEST_CASE("an empty datagram travels alone and nothing passes it") {
    CHECK(sorted({of(100), of(0), of(0), of(100), of(100)}) == groups{{0}, {1}, {2}, {3, 4}});
}

TEST_CASE("head and padding count into the size of a segment") {
    datagram split = of(96);
    split.head = bytes(zeroes).first(4);
    datagram padded = of(99);
    padded.pad = 1;
    CHECK(sorted({of(100), split, padded, of(99), of(100)}) == groups{{0, 1, 2, 3}, {4}});
}

TEST_CASE("a train has at most so many segments and bytes") {
    CHECK(sorted({of(1), of(1), of(1), of(1), of(1)}, 2) == groups{{0, 1}, {2, 3}, {4}});
    CHECK(sorted({of(1), of(1)}, 1) == groups{{0}, {1}});
    CHECK(sorted({of(30000), of(30000), of(5507), of(1)}) == groups{{0, 1, 2}, {3}});
    CHECK(sorted({of(30000), of(30000), of(5508)}) == groups{{0, 1}, {2}});
}

TEST_CASE("segments above the limit of their socket travel alone") {
    CHECK(sorted({of(1400), of(1400), of(1300), of(1300)}, 128, 1399) == groups{{0}, {1}, {2, 3}});
    CHECK(sorted({of(1), of(1)}, 128, 0) == groups{{0}, {1}});
}

TEST_CASE("a full batch of strangers finds every train again") {
    std::vector<datagram> batch;
    for (std::uint16_t i = 0; i < coalescer::most_datagrams / 2; ++i) batch.push_back(of(100, i, i % 3U));
    for (std::uint16_t i = 0; i < coalescer::most_datagrams / 2; ++i) batch.push_back(of(100, i, i % 3U));
    const groups found = sorted(batch);
    REQUIRE(found.size() == coalescer::most_datagrams / 2);
    for (std::uint32_t i = 0; i < found.size(); ++i)
        CHECK(found[i] == std::vector<std::uint32_t>{i, i + static_cast<std::uint32_t>(found.size())});
}

TEST_CASE("strangers who differ in one thing only do not share a train") {
    std::vector<datagram> by_socket, by_address, by_port;
    for (std::uint32_t i = 0; i < coalescer::most_datagrams; ++i) {
        by_socket.push_back(of(100, 1, i));
        by_port.push_back(of(100, static_cast<std::uint16_t>(i)));
        by_address.push_back(of(100));
        by_address.back().to.ip[3] = static_cast<std::uint8_t>(i);
    }
    // So many that some meet in the table whatever the hash does.
    CHECK(sorted(by_socket).size() == coalescer::most_datagrams);
    CHECK(sorted(by_address).size() == coalescer::most_datagrams);
    CHECK(sorted(by_port).size() == coalescer::most_datagrams);
}

TEST_CASE("nothing of a batch is left after clear") {
    coalescer trains(128);
    const std::vector<datagram> batch{of(100)};
    trains.add(batch, 0, any_size);
    trains.clear();
    CHECK(trains.size() == 0);
    CHECK(trains.add(batch, 0, any_size).is_new);
}
