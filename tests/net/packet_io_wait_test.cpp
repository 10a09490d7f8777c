/// Whoever waits for packets hears of other descriptors, too: watched ones, and those in the shared set.

#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "net/epoll.hpp"
#include "net/wakeups.hpp"
#include "packet_io_backends.hpp"

using namespace turn;
using namespace turn::net_test;

TEST_CASE_TEMPLATE("who waits is woken by other descriptors, too", Post, in_memory, kernel_ipv4, kernel_ipv6) {
    using namespace std::chrono_literals;
    Post post;
    const socket_id ann = post.open(), bob = post.open();
    std::optional<net::bell> bell(std::in_place);
    net::alarm_clock alarm;
    REQUIRE(post.io().also_watch(bell->native_handle()));
    REQUIRE(post.io().also_watch(alarm.native_handle()));
    CHECK(!post.io().wait(1ms).others);

    bell->ring();
    for (int i = 0; i < 2; ++i) CHECK(post.io().wait(net::packet_io::forever).others);
    CHECK(post.receive().empty());
    bell->silence();
    CHECK(!post.io().wait(0ms).others);
    std::thread somebody([&] { bell->ring(); });
    CHECK(post.io().wait(net::packet_io::forever).others);
    somebody.join();
    bell->silence();

    alarm.set(std::chrono::steady_clock::now() + 2ms);
    CHECK(post.io().wait(net::packet_io::forever).others);
    CHECK(std::chrono::steady_clock::now() >= alarm.when());
    alarm.set(std::chrono::steady_clock::now() + 1h);
    CHECK(!post.io().wait(0ms).others);
    alarm.set(time_point::min()); // long ago
    CHECK(post.io().wait(net::packet_io::forever).others);
    alarm.set(time_point::max());
    CHECK(!post.io().wait(0ms).others);

    // Neither hides the other.
    letters out;
    out.add(ann, post.address(bob), "hello");
    post.io().send(out);
    bell->ring();
    bool packets = false, others = false;
    for (int i = 0; i < 100 && !(packets && others); ++i) {
        const auto awake = post.io().wait(net::packet_io::forever);
        if (awake.packets) CHECK(Post::texts(post.receive(), bob) == std::vector<std::string>{"hello"});
        packets |= awake.packets;
        others |= awake.others;
    }
    CHECK(packets);
    CHECK(others);
    bell.reset(); // closed: nobody is woken by it any more
    CHECK(!post.io().wait(0ms).others);
}

TEST_CASE_TEMPLATE("what others have put into the set is named by its token", Post, kernel_ipv4, kernel_ipv6) {
    using namespace std::chrono_literals;
    constexpr std::uint32_t first = net::packet_io::first_shared_token, second = 0xfffffffeU;
    Post post;
    const socket_id ann = post.open(), bob = post.open();
    net::bell one, two, known;
    REQUIRE(net::epoll_add(post.io().shared_set(), one.native_handle(), first));
    REQUIRE(net::epoll_add(post.io().shared_set(), two.native_handle(), second));
    REQUIRE(post.io().also_watch(known.native_handle()));
    const auto heard = [&post] {
        std::set<std::uint32_t> tokens;
        const bool others = post.io().wait(0ms).others;
        for (const net::readiness& r : post.io().take_shared()) {
            CHECK(others);
            CHECK(r.events == EPOLLIN);
            tokens.insert(r.token);
        }
        return tokens;
    };
    using tokens = std::set<std::uint32_t>;
    CHECK(heard() == tokens{});
    known.ring();
    CHECK(post.io().wait(net::packet_io::forever).others);
    CHECK(heard() == tokens{}); // it has none
    known.silence();

    two.ring();
    CHECK(heard() == tokens{second});
    one.ring();
    CHECK(heard() == tokens{first, second});
    letters out;
    out.add(ann, post.address(bob), "hello");
    post.io().send(out);
    CHECK(Post::texts(post.collect(1), bob) == std::vector<std::string>{"hello"}); // neither hides the other
    CHECK(heard() == tokens{first, second});
    one.silence();
    CHECK(heard() == tokens{second});
    two.silence();
    CHECK(heard() == tokens{});
}

TEST_CASE_TEMPLATE("what others have put into the set is heard of beside a flood", Post, kernel_ipv4, kernel_ipv6) {
    for (const std::size_t batch : {1U, 2U, 64U}) {
        Post post({.batch = batch});
        const socket_id ann = post.open();
        std::vector<socket_id> flooded;
        for (int i = 0; i < 5; ++i) flooded.push_back(post.open());
        net::bell bell;
        REQUIRE(net::epoll_add(post.io().shared_set(), bell.native_handle(), net::packet_io::first_shared_token));
        bell.ring();
        bool heard = false;
        std::size_t datagrams = 0;
        for (int rounds = 0; rounds < 20; ++rounds) {
            letters more;
            for (const socket_id each : flooded)
                for (std::size_t i = 0; i < 2 * batch; ++i) more.add(ann, post.address(each), "flood");
            post.io().send(more);
            if (post.io().wait(net::packet_io::forever).packets) datagrams += post.receive().size();
            heard |= !post.io().take_shared().empty();
        }
        CHECK(heard);
        CHECK(datagrams >= 10 * batch); // neither hides the other
    }
}
