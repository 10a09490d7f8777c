/// What every packet_io keeps to: the fake one of the tests, and the kernel's sockets in both families.

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <random>
#include <set>
#include <span>

#include "net/interfaces.hpp"
#include "packet_io_backends.hpp"

using namespace turn;
using namespace turn::net_test;

TEST_CASE_TEMPLATE("a socket bound to port 0 gets a port of its own", Post, in_memory, kernel_ipv4, kernel_ipv6) {
    Post post;
    const socket_id ann = post.open(), bob = post.open();
    CHECK(post.address(ann).same_ip(Post::here()));
    CHECK(post.address(ann).port != 0);
    CHECK(post.address(ann) != post.address(bob));
}

TEST_CASE_TEMPLATE("an address in use is refused and errno says so", Post, in_memory, kernel_ipv4, kernel_ipv6) {
    Post post;
    const socket_id ann = post.open();
    const auto again = post.io().open(post.address(ann), {});
    REQUIRE(!again);
    CHECK(again.error() == errc::io);
    CHECK(errno == EADDRINUSE);
}

TEST_CASE_TEMPLATE("ids are dense", Post, in_memory, kernel_ipv4, kernel_ipv6) {
    Post post;
    for (std::uint32_t i = 0; i < 5; ++i) CHECK(post.open() == socket_id{i});
}

TEST_CASE_TEMPLATE("the id of a closed socket is used again but not within the same batch", Post, in_memory,
                   kernel_ipv4, kernel_ipv6) {
    Post post;
    const socket_id ann = post.open();
    post.open();
    post.io().close(ann);
    CHECK(post.open() == socket_id{2});
    post.receive();
    CHECK(post.open() == ann);
    CHECK(post.open() == socket_id{3});
}

TEST_CASE_TEMPLATE("a closed socket frees its port", Post, in_memory, kernel_ipv4, kernel_ipv6) {
    Post post;
    const socket_id ann = post.open();
    const transport_address address = post.address(ann);
    post.io().close(ann);
    CHECK(post.address(ann) == transport_address{});
    CHECK(post.address(post.open_at(address)) == address);
}

TEST_CASE_TEMPLATE("closing what is not open does nothing", Post, in_memory, kernel_ipv4, kernel_ipv6) {
    Post post;
    const socket_id ann = post.open();
    post.io().close(ann);
    post.io().close(ann);
    post.io().close(no_socket);
    CHECK(post.io().release(ann) == -1);
    post.receive();
    CHECK(post.open() == ann);
    CHECK(post.open() != ann);
}

TEST_CASE_TEMPLATE("a datagram arrives with its source and its socket", Post, in_memory, kernel_ipv4, kernel_ipv6) {
    Post post;
    const socket_id ann = post.open(), bob = post.open();
    letters out;
    out.add(ann, post.address(bob), "hello");
    post.io().send(out);
    CHECK(post.collect(1) == std::vector<letter>{{bob, post.address(ann), "hello"}});
}

TEST_CASE_TEMPLATE("head and body and padding leave as one datagram", Post, in_memory, kernel_ipv4, kernel_ipv6) {
    Post post;
    const socket_id ann = post.open(), bob = post.open();
    letters out;
    letters::with_head(out.add(ann, post.address(bob), "headbody"), 4).pad = 3;
    letters::with_head(out.add(ann, post.address(bob), "head"), 4);
    out.add(ann, post.address(bob), "").pad = 2;
    post.io().send(out);
    using namespace std::string_literals;
    CHECK(Post::texts(post.collect(3), bob) == std::vector<std::string>{"headbody\0\0\0"s, "head", "\0\0"s});
    CHECK(post.io().counters().sent_bytes[static_cast<std::size_t>(direction::control)].value() == 11 + 4 + 2);
}

TEST_CASE_TEMPLATE("an empty datagram arrives in its place", Post, in_memory, kernel_ipv4, kernel_ipv6) {
    Post post;
    const socket_id ann = post.open(), bob = post.open();
    letters out;
    for (const char* text : {"one", "", "two", "", "", "three"}) out.add(ann, post.address(bob), text);
    post.io().send(out);
    CHECK(Post::texts(post.collect(6), bob) == std::vector<std::string>{"one", "", "two", "", "", "three"});
    CHECK(post.io().counters().received_packets.value() == 6);
}

TEST_CASE_TEMPLATE("65507 bytes pass and one more is too big", Post, in_memory, kernel_ipv4, kernel_ipv6) {
    Post post;
    const socket_id ann = post.open(), bob = post.open({.receive_buffer = 1 << 20});
    const std::string largest(65507, 'x');
    letters out;
    out.add(ann, post.address(bob), largest + "x").way = direction::up;
    out.add(ann, post.address(bob), largest).way = direction::up;
    letters::with_head(out.add(ann, post.address(bob), largest), 36).pad = 1;
    post.io().send(out);
    CHECK(Post::texts(post.collect(1), bob) == std::vector<std::string>{largest});
    CHECK(post.receive().empty());
    CHECK(post.dropped(direction::up, reason::too_big) == 1);
    CHECK(post.dropped(direction::control, reason::too_big) == 1);
    CHECK(post.all_sent() == 1);
}

TEST_CASE_TEMPLATE("a datagram to port 0 is refused and hurts nobody else", Post, in_memory, kernel_ipv4, kernel_ipv6) {
    Post post;
    const socket_id ann = post.open(), bob = post.open();
    const transport_address nowhere = post.address(bob).with_port(0);
    for (int round = 0; round < 3; ++round) {
        letters out;
        out.add(ann, post.address(bob), "before");
        out.add(ann, nowhere, "poison").way = direction::up;
        out.add(ann, nowhere, "poison").way = direction::up;
        out.add(ann, post.address(bob), "after");
        post.io().send(out);
        CHECK(Post::texts(post.collect(2), bob) == std::vector<std::string>{"before", "after"});
    }
    CHECK(post.dropped(direction::up, reason::send_refused) == 6);
    CHECK(post.all_dropped() == 6);
    CHECK(post.all_sent() == 6);
}

TEST_CASE_TEMPLATE("a destination of the other family is refused and hurts nobody else", Post, in_memory, kernel_ipv4,
                   kernel_ipv6) {
    Post post;
    const socket_id ann = post.open(), bob = post.open();
    letters out;
    out.add(ann, post.address(bob), "before");
    for (int i = 0; i < 3; ++i) out.add(ann, Post::elsewhere().with_port(9), "astray").way = direction::down;
    out.add(ann, post.address(bob), "after");
    post.io().send(out);
    CHECK(Post::texts(post.collect(2), bob) == std::vector<std::string>{"before", "after"});
    CHECK(post.dropped(direction::down, reason::send_refused) == 3);
    CHECK(post.all_dropped() == 3);
}

TEST_CASE_TEMPLATE("what is queued to a closed socket is dropped under its own reason", Post, in_memory, kernel_ipv4,
                   kernel_ipv6) {
    Post post;
    const socket_id ann = post.open(), bob = post.open(), carol = post.open();
    letters out;
    out.add(ann, post.address(bob), "too late").way = direction::up;
    out.add(carol, post.address(bob), "in time");
    out.add(no_socket, post.address(bob), "never").way = direction::down;
    post.io().close(ann);
    post.open(); // must not send for ann
    post.io().send(out);
    CHECK(Post::texts(post.collect(1), bob) == std::vector<std::string>{"in time"});
    CHECK(post.dropped(direction::up, reason::socket_closed) == 1);
    CHECK(post.dropped(direction::down, reason::socket_closed) == 1);
    CHECK(post.all_sent() == 1);
}

TEST_CASE_TEMPLATE("nothing arrives for a socket that was closed while packets waited", Post, in_memory, kernel_ipv4,
                   kernel_ipv6) {
    Post post;
    const socket_id ann = post.open(), bob = post.open(), carol = post.open();
    letters out;
    out.add(ann, post.address(bob), "for bob");
    out.add(ann, post.address(carol), "for carol");
    post.io().send(out);
    post.io().close(bob);
    CHECK(post.collect(1) == std::vector<letter>{{carol, post.address(ann), "for carol"}});
    CHECK(post.receive().empty());
    CHECK(!readable(post.io().native_handle()));
}

TEST_CASE_TEMPLATE("a socket may be closed while it waits for its turn", Post, in_memory, kernel_ipv4, kernel_ipv6) {
    Post post({.batch = 2, .segmentation = false});
    const socket_id ann = post.open(), loud = post.open({.role = net::socket_role::listener}), bob = post.open(),
                    carol = post.open();
    letters out;
    for (const socket_id to : {loud, loud, bob, carol}) out.add(ann, post.address(to), "hello");
    post.io().send(out);
    CHECK(Post::texts(post.collect(2), loud).size() == 2);
    post.io().close(bob);
    CHECK(post.collect(1) == std::vector<letter>{{carol, post.address(ann), "hello"}});
    CHECK(post.receive().empty());
    CHECK(!readable(post.io().native_handle()));
}

TEST_CASE_TEMPLATE("the handle is readable while something waits and not afterwards", Post, in_memory, kernel_ipv4,
                   kernel_ipv6) {
    Post post({.batch = 2, .segmentation = false});
    const socket_id ann = post.open(), bob = post.open();
    CHECK(!readable(post.io().native_handle()));
    CHECK(post.receive().empty());

    letters out;
    for (const char* text : {"one", "two", "three"}) out.add(ann, post.address(bob), text);
    post.io().send(out);
    CHECK(readable(post.io().native_handle(), std::chrono::seconds(10)));
    CHECK(post.collect(2).size() == 2);
    CHECK(readable(post.io().native_handle(), std::chrono::seconds(10)));
    CHECK(post.collect(1).size() == 1);
    CHECK(!readable(post.io().native_handle()));
    CHECK(post.receive().empty());
}

TEST_CASE_TEMPLATE("who waits sleeps until a packet is there", Post, in_memory, kernel_ipv4, kernel_ipv6) {
    using namespace std::chrono_literals;
    Post post;
    const socket_id ann = post.open(), bob = post.open(), carol = post.open();
    CHECK(!post.io().wait(1ms).packets);
    letters out;
    out.add(ann, post.address(bob), "one");
    out.add(ann, post.address(carol), "two");
    post.io().send(out);
    for (int i = 0; i < 2; ++i) CHECK(post.io().wait(net::packet_io::forever).packets); // asking does not use it up
    CHECK(post.receive().size() == 2);
    CHECK(post.receive().empty());

    letters late;
    late.add(ann, post.address(bob), "for nobody");
    late.add(ann, post.address(carol), "three");
    post.io().send(late);
    CHECK(post.io().wait(net::packet_io::forever).packets);
    post.io().close(bob); // what waited for him is gone, what waited for others is not
    CHECK(Post::texts(post.collect(1), carol) == std::vector<std::string>{"three"});
}

TEST_CASE_TEMPLATE("one receive gives at most a batch", Post, in_memory, kernel_ipv4, kernel_ipv6) {
    Post post({.batch = 3, .segmentation = false});
    const socket_id ann = post.open(), bob = post.open();
    letters out;
    for (int i = 0; i < 8; ++i) out.add(ann, post.address(bob), std::to_string(i));
    post.io().send(out);
    std::vector<std::string> heard;
    while (heard.size() < 8) {
        const auto some = post.receive();
        CHECK(some.size() <= 3);
        for (const letter& l : some) heard.push_back(l.text);
        if (heard.size() < 8 && !readable(post.io().native_handle(), std::chrono::seconds(10))) break;
    }
    CHECK(heard == std::vector<std::string>{"0", "1", "2", "3", "4", "5", "6", "7"});
}

TEST_CASE_TEMPLATE("a socket that fills every batch does not silence the others", Post, in_memory, kernel_ipv4,
                   kernel_ipv6) {
    Post post({.batch = 4, .segmentation = false});
    const socket_id ann = post.open(), loud = post.open();
    std::vector<socket_id> quiet;
    for (int i = 0; i < 6; ++i) quiet.push_back(post.open());
    const auto shout = [&] {
        letters out;
        for (int i = 0; i < 8; ++i) out.add(ann, post.address(loud), "noise");
        post.io().send(out);
    };
    shout();
    letters out;
    for (const socket_id id : quiet) out.add(ann, post.address(id), "please");
    post.io().send(out);

    std::set<socket_id> heard;
    for (int batches = 0; batches < 50; ++batches) {
        REQUIRE(readable(post.io().native_handle(), std::chrono::seconds(10)));
        for (const letter& l : post.receive()) heard.insert(l.to);
        shout(); // more than a batch is always waiting
    }
    for (const socket_id id : quiet) CHECK(heard.contains(id));
    CHECK(heard.contains(loud));
}

TEST_CASE_TEMPLATE("2000 sockets are all heard", Post, in_memory, kernel_ipv4, kernel_ipv6) {
    Post post;
    net::raise_descriptor_limit();
    const socket_id ann = post.open();
    std::vector<socket_id> others;
    for (int i = 0; i < 2000; ++i) others.push_back(post.open());
    letters out;
    for (const socket_id id : others) out.add(ann, post.address(id), std::to_string(static_cast<std::uint32_t>(id)));
    post.io().send(out);
    std::set<socket_id> heard;
    for (const letter& l : post.collect(2000)) {
        CHECK(l.text == std::to_string(static_cast<std::uint32_t>(l.to)));
        heard.insert(l.to);
    }
    CHECK(heard.size() == 2000);
    CHECK(post.all_sent() == 2000);
    for (const socket_id id : others) post.io().close(id);
    CHECK(!readable(post.io().native_handle()));
}

TEST_CASE_TEMPLATE("a datagram with DF set keeps its place among the others", Post, in_memory, kernel_ipv4,
                   kernel_ipv6) {
    Post post;
    const socket_id ann = post.open(), bob = post.open();
    letters out;
    std::vector<std::string> wanted;
    for (int i = 0; i < 12; ++i) {
        wanted.push_back(std::to_string(100 + i));
        out.add(ann, post.address(bob), wanted.back()).dont_fragment = i % 3 == 1 || i == 8;
    }
    post.io().send(out);
    CHECK(Post::texts(post.collect(12), bob) == wanted);
}

TEST_CASE_TEMPLATE("what a full receive buffer swallows is counted", Post, in_memory, kernel_ipv4, kernel_ipv6) {
    Post post({.segmentation = false});
    const socket_id ann = post.open(), bob = post.open({.receive_buffer = 8192}), carol = post.open();
    const auto drops = [&] { return post.io().counters().kernel_drops.value(); };
    /// Sends bob more than he can hold, and returns how many he heard.
    const auto flood = [&] {
        letters out;
        for (int i = 0; i < 200; ++i) out.add(ann, post.address(bob), std::string(1000, 'x'));
        out.add(ann, post.address(carol), "that was all");
        post.io().send(out);
        std::size_t heard = 0;
        for (bool over = false; !over;) {
            const auto some = post.collect(1);
            REQUIRE(!some.empty());
            for (const letter& l : some) l.to == bob ? void(++heard) : void(over = true);
        }
        return heard + post.receive().size();
    };
    const std::size_t first = flood();
    CHECK(first > 0);
    CHECK(first < 200);

    letters late;
    late.add(ann, post.address(bob), "now there is room"); // a packet that arrives reports the drops before it
    post.io().send(late);
    CHECK(post.collect(1).size() == 1);
    CHECK(drops() == 200 - first);

    const std::size_t second = flood();
    post.io().close(bob); // which reports the drops behind the last packet
    CHECK(drops() == 400 - first - second);
}

TEST_CASE_TEMPLATE("every datagram is booked once", Post, in_memory, kernel_ipv4, kernel_ipv6) {
    Post post;
    const socket_id ann = post.open(), bob = post.open({.receive_buffer = 4 << 20}), gone = post.open();
    post.io().close(gone);
    std::mt19937 random(8656);
    letters out;
    std::array<std::uint64_t, direction_count> packets{}, sizes{};
    for (int i = 0; i < 1000; ++i) {
        const auto size = random() % 4 == 0 ? random() % 65600 : random() % 3 * 100;
        datagram& d =
            out.add(random() % 10 == 0 ? gone : ann,
                    random() % 10 == 0 ? post.address(bob).with_port(0) : post.address(bob), std::string(size, 'x'));
        d.way = static_cast<direction>(random() % direction_count);
        d.dont_fragment = random() % 8 == 0 && size < 60000;
        if (d.via == gone || d.to.port == 0 || size > 65507) continue;
        packets[static_cast<std::size_t>(d.way)] += 1;
        sizes[static_cast<std::size_t>(d.way)] += size;
    }
    std::uint64_t heard = 0, heard_bytes = 0;
    const std::span<const datagram> all = out;
    for (std::size_t i = 0; i < all.size(); ++i) {
        post.io().send(all.subspan(i, 1)); // no buffer shall overflow
        for (const letter& l : post.collect(post.all_sent() - heard)) {
            heard += 1;
            heard_bytes += l.text.size();
        }
    }
    const net_counters& books = post.io().counters();
    for (std::size_t way = 0; way < direction_count; ++way) {
        CHECK(books.sent_packets[way].value() == packets[way]);
        CHECK(books.sent_bytes[way].value() == sizes[way]);
    }
    CHECK(post.all_sent() + post.all_dropped() == 1000);
    CHECK(books.received_packets.value() == heard);
    CHECK(books.received_bytes.value() == heard_bytes);
    CHECK(heard == post.all_sent());
    CHECK(heard_bytes == sizes[0] + sizes[1] + sizes[2]);
}

TEST_CASE_TEMPLATE("sending nothing does nothing", Post, in_memory, kernel_ipv4, kernel_ipv6) {
    Post post;
    post.open();
    post.io().send({});
    CHECK(post.all_sent() + post.all_dropped() == 0);
    CHECK(post.io().counters().send_calls.value() == 0);
}

TEST_CASE_TEMPLATE("RFC 8656 11.5: a relay socket hears that nobody listens at its peer", Post, in_memory, kernel_ipv4,
                   kernel_ipv6) {
    Post post;
    const socket_id ann = post.open(), bob = post.open(), gone = post.open();
    const transport_address nobody = post.address(gone);
    post.io().close(gone);
    letters out;
    out.add(ann, nobody, "anybody there?");
    out.add(ann, post.address(bob), "hello");
    out.add(ann, nobody, "anybody there at all?"); // longer, so that it joins no train: a train is told of once
    post.io().send(out);
    const std::string told = (Post::here().is_ipv4() ? "0: 3 3 0 " : "0: 1 4 0 ") + nobody.to_string();
    CHECK(post.complaints(2) == std::vector<std::string>(2, told));
    CHECK(post.all_dropped() == 0);
    post.receive();
    CHECK(post.io().icmp_errors().empty()); // each is told once
    CHECK(!readable(post.io().native_handle()));
}

TEST_CASE_TEMPLATE("RFC 8656 11.5: what the network says of a listener's answers is told nobody", Post, in_memory,
                   kernel_ipv4, kernel_ipv6) {
    Post post;
    const socket_id listener = post.open({.role = net::socket_role::listener}), ann = post.open(), gone = post.open();
    const transport_address nobody = post.address(gone);
    post.io().close(gone);
    letters out;
    out.add(listener, nobody, "an answer");
    out.add(ann, nobody, "a datagram");
    post.io().send(out);
    const std::string told = (Post::here().is_ipv4() ? "1: 3 3 0 " : "1: 1 4 0 ") + nobody.to_string();
    CHECK(post.complaints(1) == std::vector<std::string>{told});
}

TEST_CASE_TEMPLATE("RFC 8656 14: DSCP and ECN travel with each datagram and part trains", Post, in_memory, kernel_ipv4,
                   kernel_ipv6) {
    constexpr std::uint8_t expedited = 46 << 2, congestion_experienced = 3;
    Post post({.traffic_class = true});
    const socket_id ann = post.open(), bob = post.open();
    const auto arrived = [&](socket_id via) {
        letters out;
        out.add(via, post.address(bob), "usual");
        for (int i = 0; i < 3; ++i) out.add(via, post.address(bob), "voice").traffic_class = expedited;
        out.add(via, post.address(bob), "voice").traffic_class = expedited | congestion_experienced;
        out.add(via, post.address(bob), "whole").traffic_class = congestion_experienced;
        post.io().send(out);
        std::vector<unsigned> classes;
        for (const letter& l : post.collect(6)) classes.push_back(l.traffic_class);
        return classes;
    };
    CHECK(arrived(ann) == std::vector<unsigned>{0, 184, 184, 184, 187, 3});
    CHECK(post.all_dropped() == 0);

    Post deaf;
    const socket_id eve = deaf.open(), dan = deaf.open();
    letters out;
    out.add(eve, deaf.address(dan), "voice").traffic_class = expedited;
    deaf.io().send(out);
    CHECK(deaf.collect(1).at(0).traffic_class == 0);
}
