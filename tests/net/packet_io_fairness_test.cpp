/// Who is heard beside a flood: packet_io's share of work for each socket.

#include <algorithm>

#include "packet_io_backends.hpp"

using namespace turn;
using namespace turn::net_test;

namespace {

/// 1: all had the same; 1/n: one of n had everything.
double jain(const std::vector<std::size_t>& shares) {
    double sum = 0, squares = 0;
    for (const std::size_t n : shares) {
        sum += static_cast<double>(n);
        squares += static_cast<double>(n * n);
    }
    return squares == 0 ? 0 : sum * sum / (static_cast<double>(shares.size()) * squares);
}

/// Sockets that always have more waiting than a batch takes, and sockets that are sent one datagram now and then.
template <class Post>
struct crowd {
    Post post;
    socket_id sender = post.open();
    std::vector<socket_id> loud{}, quiet{};
    std::vector<std::size_t> heard{};
    std::size_t noise = 0;

    crowd(const net::packet_io_options& options, std::size_t floods, std::size_t equals) : post(options) {
        for (std::size_t i = 0; i < floods; ++i) loud.push_back(post.open());
        for (std::size_t i = 0; i < equals; ++i) quiet.push_back(post.open());
        heard.resize(quiet.size());
    }
    void shout() {
        letters out;
        for (const socket_id id : loud)
            for (int i = 0; i < 80; ++i) out.add(sender, post.address(id), "noise");
        post.io().send(out);
    }
    void whisper() {
        letters out;
        for (const socket_id id : quiet) out.add(sender, post.address(id), "please");
        post.io().send(out);
    }
    /// One batch.
    void receive() {
        std::vector<letter> came = post.receive();
        for (const letter& l : came) {
            const auto at = std::find(quiet.begin(), quiet.end(), l.to);
            if (at == quiet.end())
                ++noise;
            else
                ++heard[static_cast<std::size_t>(at - quiet.begin())];
        }
    }
};

/// Each of 30 is sent 40 datagrams, one every eighth batch.
template <class Post>
void hear_everybody(const net::packet_io_options& options, std::size_t floods) {
    crowd<Post> c(options, floods, 30);
    c.shout(); // they are the first in the row
    for (int i = 0; i < 40; ++i) {
        c.whisper();
        for (int batch = 0; batch < 8; ++batch) {
            c.shout();
            c.receive();
        }
    }
    for (const std::size_t n : c.heard) CHECK(n > 30);
    CHECK(jain(c.heard) > 0.95);
    CHECK(c.noise > 64 * 40); // the flood takes what is left, and that is most
}

} // namespace

TEST_CASE_TEMPLATE("equal sockets beside a flood are heard alike", Post, in_memory, kernel_ipv4, kernel_ipv6) {
    SUBCASE("one flood, datagram by datagram") {
        hear_everybody<Post>({.segmentation = false}, 1);
    }
    SUBCASE("one flood in trains") {
        hear_everybody<Post>({}, 1);
    }
    SUBCASE("four floods") {
        hear_everybody<Post>({.segmentation = false}, 4);
    }
}
