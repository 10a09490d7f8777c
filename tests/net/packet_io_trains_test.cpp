/// Datagrams that travel as trains arrive as they would have alone: on the fake and on the kernel's sockets.

#include <algorithm>
#include <array>
#include <map>
#include <random>
#include <span>

#include "packet_io_backends.hpp"

using namespace turn;
using namespace turn::net_test;

namespace {

/// `size` bytes that tell which datagram they are.
std::string numbered(std::size_t number, std::size_t size) {
    std::string text(size, 'x');
    const std::string n = std::to_string(number) + ' ';
    std::copy_n(n.begin(), std::min(size, n.size()), text.begin());
    return text;
}

} // namespace

TEST_CASE_TEMPLATE("a train with a shorter end arrives whole and in order", Post, in_memory, kernel_ipv4, kernel_ipv6) {
    Post post;
    const socket_id ann = post.open(), bob = post.open();
    letters out;
    std::vector<std::string> wanted;
    for (std::size_t i = 0; i < 20; ++i) wanted.push_back(numbered(i, i == 19 ? 77 : 1200));
    for (const std::string& text : wanted) out.add(ann, post.address(bob), text);
    post.io().send(out);
    CHECK(Post::texts(post.collect(20), bob) == wanted);
    CHECK(post.all_sent() == 20);
    CHECK(post.io().counters().received_packets.value() == 20);
}

TEST_CASE_TEMPLATE("heads and padding are part of every segment", Post, in_memory, kernel_ipv4, kernel_ipv6) {
    Post post;
    const socket_id ann = post.open(), bob = post.open();
    letters out;
    std::vector<std::string> wanted;
    for (std::size_t i = 0; i < 10; ++i) {
        const std::string text = numbered(i, 101);
        wanted.push_back(text + std::string(3, '\0'));
        letters::with_head(out.add(ann, post.address(bob), text), i % 2 == 0 ? 36 : 4).pad = 3;
    }
    post.io().send(out);
    CHECK(Post::texts(post.collect(10), bob) == wanted);
}

TEST_CASE_TEMPLATE("more than a train can carry goes in several", Post, in_memory, kernel_ipv4, kernel_ipv6) {
    Post post;
    for (const std::size_t size : {1U, 3000U, 32753U, 32754U, 40000U}) {
        CAPTURE(size);
        const std::size_t count = size == 1 ? 600 : 30; // 600: more than segments in a train, and than a batch
        const socket_id ann = post.open(), bob = post.open({.receive_buffer = 4 << 20});
        std::vector<std::string> wanted, heard;
        letters out;
        for (std::size_t i = 0; i < count; ++i) out.add(ann, post.address(bob), wanted.emplace_back(numbered(i, size)));
        const std::size_t piece = std::min<std::size_t>(300, 150000 / size); // fits a receive buffer as Debian has it
        for (std::size_t i = 0; i < count; i += piece) {
            const std::size_t n = std::min(piece, count - i);
            post.io().send(std::span<const datagram>(out).subspan(i, n));
            for (letter& l : post.collect(n)) heard.push_back(std::move(l.text));
        }
        CHECK(heard == wanted);
    }
    CHECK(post.all_dropped() == 0);
}

TEST_CASE_TEMPLATE("each destination hears its datagrams in order however they are mixed", Post, in_memory, kernel_ipv4,
                   kernel_ipv6) {
    Post post;
    std::mt19937 random(5766);
    std::vector<socket_id> senders, hearers;
    for (int i = 0; i < 3; ++i) senders.push_back(post.open());
    for (int i = 0; i < 5; ++i) hearers.push_back(post.open({.receive_buffer = 4 << 20}));
    using pair = std::pair<socket_id, transport_address>;
    const auto less = [](const pair& a, const pair& b) {
        return std::pair(a.first, a.second.port) < std::pair(b.first, b.second.port);
    };
    std::map<pair, std::vector<std::string>, decltype(less)> wanted(less), heard(less);
    for (int round = 0; round < 20; ++round) {
        letters out;
        for (std::size_t i = 0; i < 250; ++i) {
            const socket_id from = senders[random() % 3], to = hearers[random() % 5];
            const std::size_t size = std::array<std::size_t, 5>{160, 160, 1200, 1200, random() % 1300}[random() % 5];
            const std::string text = numbered(i, size);
            datagram& d = out.add(from, post.address(to), text);
            if (size >= 36 && random() % 2 == 0) letters::with_head(d, 36);
            d.dont_fragment = random() % 50 == 0;
            wanted[{to, post.address(from)}].push_back(text);
        }
        post.io().send(out);
        for (const letter& l : post.collect(250)) heard[{l.to, l.from}].push_back(l.text);
    }
    CHECK(heard.size() == 15);
    for (const auto& [who, texts] : wanted) CHECK(heard[who] == texts);
    CHECK(post.all_sent() == 5000);
}

TEST_CASE_TEMPLATE("without segmentation nothing is merged and everything arrives", Post, in_memory, kernel_ipv4,
                   kernel_ipv6) {
    Post post({.segmentation = false});
    CHECK(!post.io().what_works().gro);
    CHECK(!post.io().what_works().gso);
    CHECK(post.io().what_works().max_segments == 1);
    const socket_id ann = post.open(), bob = post.open();
    letters out;
    for (std::size_t i = 0; i < 20; ++i) out.add(ann, post.address(bob), numbered(i, 1000));
    post.io().send(out);
    std::size_t heard = 0;
    while (heard < 20 && readable(post.io().native_handle(), std::chrono::seconds(10)))
        for (const packet& p : post.io().receive()) {
            CHECK(p.stride == 0);
            CHECK(p.data.size() == 1000);
            ++heard;
        }
    CHECK(post.io().counters().received_packets.value() == 20);
}

TEST_CASE_TEMPLATE("with segmentation a train is received as one packet", Post, in_memory, kernel_ipv4, kernel_ipv6) {
    Post post;
    const auto able = post.io().what_works();
    REQUIRE(able.gro); // Linux 5.0
    REQUIRE(able.gso); // Linux 4.18
    CHECK(able.max_segments >= 64);
    const socket_id ann = post.open(), bob = post.open();
    letters out;
    for (std::size_t i = 0; i < 20; ++i) out.add(ann, post.address(bob), numbered(i, 1000));
    post.io().send(out);
    REQUIRE(readable(post.io().native_handle(), std::chrono::seconds(10)));
    const auto got = post.io().receive();
    REQUIRE(got.size() == 1);
    CHECK(got[0].stride == 1000);
    CHECK(got[0].segments() == 20);
    CHECK(got[0].via == bob);
}
