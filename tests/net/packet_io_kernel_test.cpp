/// What only the kernel's sockets have: descriptors, options, pending errors, the memory behind them.

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "net/file_descriptor.hpp"
#include "net/receive_slots.hpp"
#include "net/socket_address.hpp"
#include "net/udp_socket.hpp"
#include "net/udp_sockets.hpp"
#include "packet_io_backends.hpp"

using namespace turn;
using namespace turn::net_test;

namespace {

int option(int descriptor, int level, int name) {
    int value = -1;
    socklen_t size = sizeof value;
    REQUIRE(::getsockopt(descriptor, level, name, &value, &size) == 0);
    return value;
}

bool is_descriptor(int number) {
    return ::fcntl(number, F_GETFD) >= 0;
}

/// A bound UDP socket that no packet_io knows.
int bare_socket(const transport_address& local) {
    auto opened = net::open_udp_socket(local, {});
    REQUIRE(opened);
    return (*opened).release();
}

/// Connects a bare IPv4 socket before it is adopted: then the kernel reports what ICMP says of the peer.
socket_id connect_and_adopt(kernel_ipv4& post, int descriptor, const transport_address& peer) {
    net::socket_address name{};
    const socklen_t size = net::to_socket_address(peer, name);
    REQUIRE(::connect(descriptor, &name.any, size) == 0);
    const auto id = post.io().adopt(descriptor, {});
    REQUIRE(id);
    return *id;
}

transport_address any_ipv4() {
    return loopback(address_family::ipv4);
}

} // namespace

TEST_CASE_TEMPLATE("a released socket keeps its port and is heard no more", Post, kernel_ipv4, kernel_ipv6) {
    Post post;
    const socket_id ann = post.open(), bob = post.open();
    const transport_address address = post.address(bob);
    const int descriptor = post.io().release(bob);
    REQUIRE(is_descriptor(descriptor));
    letters out;
    out.add(ann, address, "for whoever holds it");
    post.io().send(out);
    CHECK(readable(descriptor, std::chrono::seconds(10)));
    CHECK(post.receive().empty());
    CHECK(!readable(post.io().native_handle()));
    CHECK(post.io().descriptor(bob) == -1);

    const auto again = post.io().adopt(descriptor, {});
    REQUIRE(again);
    CHECK(post.address(*again) == address);
    CHECK(post.io().descriptor(*again) == descriptor);
    CHECK(Post::texts(post.collect(1), *again) == std::vector<std::string>{"for whoever holds it"});
}

TEST_CASE_TEMPLATE("an adopted socket sends and receives as an opened one", Post, kernel_ipv4, kernel_ipv6) {
    Post post;
    const socket_id ann = post.open();
    const auto bob = post.io().adopt(bare_socket(Post::here()), {});
    REQUIRE(bob);
    letters out;
    for (int i = 0; i < 5; ++i) {
        out.add(ann, post.address(*bob), "there");
        out.add(*bob, post.address(ann), "back");
    }
    post.io().send(out);
    const auto heard = post.collect(10);
    CHECK(Post::texts(heard, *bob) == std::vector<std::string>(5, "there"));
    CHECK(Post::texts(heard, ann) == std::vector<std::string>(5, "back"));
}

TEST_CASE("what is no UDP socket is not adopted but closed") {
    kernel_ipv4 post;
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    CHECK(!post.io().adopt(ends[0], {}));
    CHECK(!is_descriptor(ends[0]));
    ::close(ends[1]);

    const int stream = ::socket(AF_INET, SOCK_STREAM, 0);
    CHECK(!post.io().adopt(stream, {}));
    CHECK(!is_descriptor(stream));
    CHECK(!post.io().adopt(-1, {}));
    CHECK(post.open() == socket_id{0}); // no id was lost
}

TEST_CASE_TEMPLATE("RFC 8656 14: sockets run with DF unset, also after a datagram that set it", Post, kernel_ipv4,
                   kernel_ipv6) {
    Post post;
    const bool v4 = Post::here().is_ipv4();
    const socket_id ann = post.open(), bob = post.open();
    const auto mode = [&](socket_id id) {
        return option(post.io().descriptor(id), v4 ? IPPROTO_IP : IPPROTO_IPV6,
                      v4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER);
    };
    CHECK(mode(ann) == (v4 ? IP_PMTUDISC_DONT : IPV6_PMTUDISC_DONT));
    letters out;
    out.add(ann, post.address(bob), "fits").dont_fragment = true;
    post.io().send(out);
    CHECK(post.collect(1).size() == 1);
    CHECK(mode(ann) == (v4 ? IP_PMTUDISC_OMIT : IPV6_PMTUDISC_DONT)); // unset too, and hears "fragmentation needed"
}

TEST_CASE_TEMPLATE("RFC 8656 13: what is relayed leaves with the system's TTL or hop limit", Post, kernel_ipv4,
                   kernel_ipv6) {
    Post post;
    const bool v4 = Post::here().is_ipv4();
    const socket_id ann = post.open();
    const net::file_descriptor bob(bare_socket(Post::here()));
    const auto where = net::bound_address(bob.number());
    REQUIRE(where);
    const int level = v4 ? IPPROTO_IP : IPPROTO_IPV6, on = 1;
    REQUIRE(::setsockopt(bob.number(), level, v4 ? IP_RECVTTL : IPV6_RECVHOPLIMIT, &on, sizeof on) == 0);
    letters out;
    out.add(ann, *where, "hello").traffic_class = 46 << 2;
    post.io().send(out);

    REQUIRE(readable(bob.number(), std::chrono::seconds(10)));
    alignas(cmsghdr) std::array<std::byte, 64> control{};
    msghdr h{};
    h.msg_control = control.data();
    h.msg_controllen = control.size();
    REQUIRE(::recvmsg(bob.number(), &h, 0) >= 0);
    const cmsghdr* const c = CMSG_FIRSTHDR(&h);
    REQUIRE(c != nullptr);
    int arrived = 0;
    std::memcpy(&arrived, CMSG_DATA(c), sizeof arrived);
    CHECK(arrived == option(post.io().descriptor(ann), level, v4 ? IP_TTL : IPV6_UNICAST_HOPS));
    CHECK(arrived > 1);
}

TEST_CASE("an IPv6 socket is for IPv6 alone and the port stays free for IPv4") {
    kernel_ipv6 post;
    const transport_address any6 = *transport_address::parse("[::]:0");
    bool both = false;
    for (int i = 0; i < 16 && !both; ++i) { // somebody else on this machine may have the port over IPv4
        const socket_id six = post.open_at(any6);
        CHECK(option(post.io().descriptor(six), IPPROTO_IPV6, IPV6_V6ONLY) == 1);
        both = post.io().open(any_ipv4().with_port(post.address(six).port), {}).has_value();
    }
    CHECK(both);
}

TEST_CASE("sockets do not block and do not outlive an exec") {
    kernel_ipv4 post;
    const int opened = post.io().descriptor(post.open());
    CHECK((::fcntl(opened, F_GETFL) & O_NONBLOCK) != 0);
    CHECK((::fcntl(opened, F_GETFD) & FD_CLOEXEC) != 0);

    const int foreign = ::socket(AF_INET, SOCK_DGRAM, 0);
    const auto adopted = post.io().adopt(foreign, {});
    REQUIRE(adopted);
    CHECK((::fcntl(foreign, F_GETFL) & O_NONBLOCK) != 0);
    CHECK((::fcntl(foreign, F_GETFD) & FD_CLOEXEC) != 0);
    CHECK((::fcntl(post.io().native_handle(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("buffers are what was asked for and a listener has the larger ones") {
    kernel_ipv4 post;
    const auto receive_buffer = [&](const net::socket_options& options) {
        return option(post.io().descriptor(post.open(options)), SOL_SOCKET, SO_RCVBUF);
    };
    CHECK(receive_buffer({.receive_buffer = 20000}) == 40000); // the kernel doubles it
    const socket_id small = post.open({.send_buffer = 10000});
    CHECK(option(post.io().descriptor(small), SOL_SOCKET, SO_SNDBUF) == 20000);
    CHECK(receive_buffer({.role = net::socket_role::listener}) >= receive_buffer({}));
}

TEST_CASE("SO_REUSEPORT shares a port only when asked") {
    kernel_ipv4 post;
    const net::socket_options group{.reuse_port = true};
    const socket_id first = post.open(group);
    const transport_address address = post.address(first);
    CHECK(post.address(post.open_at(address, group)) == address);
    CHECK(post.address(post.open_at(address, group)) == address);
    CHECK(!post.io().open(address, {}));
    CHECK(errno == EADDRINUSE);
}

TEST_CASE_TEMPLATE("a peer that nobody listens at costs the others nothing", Post, kernel_ipv4, kernel_ipv6) {
    Post post;
    const socket_id ann = post.open(), bob = post.open(), gone = post.open();
    const transport_address nobody = post.address(gone);
    post.io().close(gone);
    // The kernel keeps ICMP errors on the socket: the next call fails for what an earlier datagram met.
    for (int round = 0; round < 5; ++round) {
        letters out;
        for (int i = 0; i < 4; ++i) {
            out.add(ann, nobody, "anybody there?");
            out.add(ann, post.address(bob), "hello").dont_fragment = i == 2;
        }
        post.io().send(out);
        CHECK(Post::texts(post.collect(4), bob) == std::vector<std::string>(4, "hello"));
    }
    CHECK(post.all_dropped() == 0);
    CHECK(post.all_sent() == 40);
}

TEST_CASE_TEMPLATE("an error that waits on a socket does not keep the handle readable", Post, kernel_ipv4,
                   kernel_ipv6) {
    Post post;
    const socket_id ann = post.open(), bob = post.open(), gone = post.open();
    const transport_address nobody = post.address(gone);
    post.io().close(gone);
    letters out;
    out.add(ann, nobody, "anybody there?");
    out.add(bob, post.address(ann), "I am");
    post.io().send(out);
    CHECK(Post::texts(post.collect(1), ann) == std::vector<std::string>{"I am"});
    for (int i = 0; i < 20 && readable(post.io().native_handle()); ++i) post.receive();
    CHECK(!readable(post.io().native_handle()));
}

TEST_CASE("an adopted socket that is connected survives the refusal of its peer") {
    kernel_ipv4 post;
    const socket_id ann = post.open(), gone = post.open();
    const transport_address nobody = post.address(gone);
    post.io().close(gone);
    const socket_id bob = connect_and_adopt(post, bare_socket(any_ipv4()), nobody);

    letters out;
    out.add(bob, nobody, "anybody there?");
    out.add(bob, nobody, "hello?");       // meets ECONNREFUSED of the first, and leaves
    out.add(bob, post.address(ann), "x"); // a connected socket may send elsewhere
    post.io().send(out);
    CHECK(kernel_ipv4::texts(post.collect(1), ann) == std::vector<std::string>{"x"});
    CHECK(post.all_sent() == 3);
    for (int i = 0; i < 20 && readable(post.io().native_handle()); ++i) post.receive();
    CHECK(!readable(post.io().native_handle()));
}

TEST_CASE("an error on a socket does not hide the packet behind it") {
    kernel_ipv4 post;
    const socket_id peer = post.open();
    const int connected = bare_socket(any_ipv4());
    const auto bob = connect_and_adopt(post, connected, post.address(peer));
    letters hello, anybody;
    hello.add(peer, post.address(bob), "hello");
    anybody.add(bob, post.address(peer), "anybody there?");
    post.io().send(hello);
    REQUIRE(readable(connected, std::chrono::seconds(10)));
    post.io().close(peer);
    post.io().send(anybody);
    pollfd p{connected, 0, 0};
    REQUIRE(::poll(&p, 1, 10000) == 1);
    REQUIRE((p.revents & POLLERR) != 0); // ECONNREFUSED has come
    CHECK(kernel_ipv4::texts(post.receive(), bob) == std::vector<std::string>{"hello"});
}

TEST_CASE("a duplicated descriptor does not go on reporting after close") {
    kernel_ipv4 post;
    const socket_id ann = post.open(), bob = post.open();
    const int copy = ::dup(post.io().descriptor(bob));
    letters out;
    out.add(ann, post.address(bob), "hello");
    post.io().send(out);
    CHECK(readable(copy, std::chrono::seconds(10)));
    post.io().close(bob);
    CHECK(!readable(post.io().native_handle()));
    CHECK(post.receive().empty());
    ::close(copy);
}

TEST_CASE("drops that another owner has seen are not counted again") {
    kernel_ipv4 first({.segmentation = false}), second({.segmentation = false});
    const socket_id ann = first.open(), bob = first.open({.receive_buffer = 8192});
    const auto flood = [&] {
        letters out;
        for (int i = 0; i < 100; ++i) out.add(ann, first.address(bob), std::string(1000, 'x'));
        first.io().send(out);
        REQUIRE(readable(first.io().native_handle(), std::chrono::seconds(10)));
    };
    flood();
    const std::size_t heard = first.receive().size();
    flood(); // what waits now reports the drops of the first flood, the socket itself those of both
    const int descriptor = first.io().release(bob);
    const auto drops = first.io().counters().kernel_drops.value();
    CHECK(drops > 100);
    const auto& of_role = first.io().counters().kernel_drops_of;
    CHECK(of_role[static_cast<std::size_t>(net::socket_role::relay)].value() == drops);
    CHECK(of_role[static_cast<std::size_t>(net::socket_role::listener)].value() == 0);
    const auto moved = second.io().adopt(descriptor, {.receive_buffer = 8192});
    REQUIRE(moved);
    CHECK(heard + drops + second.receive().size() == 200);
    CHECK(second.io().counters().kernel_drops.value() == 0);
    second.io().close(*moved);
    CHECK(second.io().counters().kernel_drops.value() == 0);
}

TEST_CASE("what can only be refused costs no system call") {
    kernel_ipv4 post;
    const socket_id ann = post.open();
    letters out;
    for (int i = 0; i < 10; ++i) out.add(ann, any_ipv4(), "to port 0");
    out.add(ann, post.address(ann), std::string(65508, 'x'));
    post.io().send(out);
    CHECK(post.all_dropped() == 11);
    CHECK(post.io().counters().send_calls.value() == 0);
}

TEST_CASE("a relay socket with one datagram at a time is asked for one, and one with many for more") {
    kernel_ipv4 post({.segmentation = false});
    const socket_id ann = post.open(), bob = post.open();
    const auto calls = [&] { return post.io().counters().receive_calls.value(); };
    const auto send = [&](std::size_t count) {
        letters out;
        for (std::size_t i = 0; i < count; ++i) out.add(ann, post.address(bob), std::to_string(i));
        post.io().send(out);
    };
    const auto ask_until = [&](std::size_t count) {
        const auto before = calls();
        REQUIRE(readable(post.io().native_handle(), std::chrono::seconds(10)));
        std::size_t heard = 0;
        while (heard < count) heard += post.receive().size(); // loopback: all of them wait already
        CHECK(heard == count);
        return calls() - before;
    };
    for (int i = 0; i < 10; ++i) {
        send(1);
        CHECK(ask_until(1) == 1);
    }
    send(100);
    CHECK(ask_until(100) == 9); // 1 + 4 + 16 + 16 + 16 + 11 fill a batch, 16 + 16 + 4 the next
    CHECK(post.receive().empty());
}

TEST_CASE("a datagram longer than a receive buffer is counted and not delivered") {
    net::udp_sockets io({}, {}, net::file_descriptor(::epoll_create1(EPOLL_CLOEXEC)), 1000);
    REQUIRE(io);
    const auto ann = io.open(any_ipv4(), {}), bob = io.open(any_ipv4(), {});
    REQUIRE(ann);
    REQUIRE(bob);
    letters out;
    for (const std::size_t size : {1001U, 1000U}) out.add(*ann, io.local_address(*bob), std::string(size, 'x'));
    io.send(out);
    std::size_t heard = 0;
    while (heard == 0 && readable(io.native_handle(), std::chrono::seconds(10)))
        for (const packet& p : io.receive()) {
            CHECK(p.data.size() == 1000);
            ++heard;
        }
    CHECK(heard == 1);
    CHECK(io.counters().receive_truncated.value() == 1);
    CHECK(io.counters().received_packets.value() == 1);
    CHECK(io.counters().received_bytes.value() == 1000);
}

TEST_CASE("a datagram longer than a slot is marked and the next one is whole") {
    const int to = bare_socket(any_ipv4()), from = bare_socket(any_ipv4());
    sockaddr_in name{};
    socklen_t size = sizeof name;
    REQUIRE(::getsockname(to, reinterpret_cast<sockaddr*>(&name), &size) == 0);
    const auto send = [&](std::size_t n) {
        const std::string text(n, 'x');
        REQUIRE(::sendto(from, text.data(), n, 0, reinterpret_cast<const sockaddr*>(&name), size) ==
                static_cast<ssize_t>(n));
    };
    net::receive_slots slots(3, 1000);
    REQUIRE(slots);
    for (const std::size_t n : {1000U, 1001U, 999U}) send(n);
    std::size_t arrived = 0;
    while (arrived < 3) {
        REQUIRE(readable(to, std::chrono::seconds(10)));
        arrived += slots.fill(to, slots.left());
    }
    CHECK(slots.full());
    CHECK(!slots[0].truncated);
    CHECK(slots[0].data.size() == 1000);
    CHECK(slots[1].truncated);
    CHECK(!slots[2].truncated);
    CHECK(slots[2].data.size() == 999);

    slots.clear();
    CHECK(slots.fill(to, 3) == 0);
    CHECK(slots.fill(to, 1) == 0);
    ::close(to);
    ::close(from);
}
