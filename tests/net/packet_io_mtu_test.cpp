/// Where the path is narrower than the datagram, or leads nowhere: in a network namespace of the test's own.

#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <sstream>

#include "net/file_descriptor.hpp"
#include "net/socket_address.hpp"
#include "packet_io_backends.hpp"
#include "support/namespaces.hpp"

using namespace turn;
using namespace turn::net_test;
using turn::test::in_new_network;

namespace {

const test::new_network ethernet{.setup = "ip link set lo mtu 1500"};

std::uint16_t internet_checksum(const void* data, std::size_t size) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < size; i += 2) {
        std::uint16_t word = 0;
        std::memcpy(&word, static_cast<const char*>(data) + i, 2);
        sum += word;
    }
    while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
}

/// An ICMP error about a datagram from `relayed` to `peer`, as a router on the way would send it. Needs CAP_NET_RAW.
void router_says(const transport_address& relayed, const transport_address& peer, std::uint8_t type, std::uint8_t code,
                 std::uint16_t mtu) {
    struct {
        icmphdr icmp{};
        iphdr ip{};
        udphdr udp{};
    } message;
    message.icmp.type = type;
    message.icmp.code = code;
    message.icmp.un.frag.mtu = htons(mtu);
    message.ip.version = 4;
    message.ip.ihl = 5;
    message.ip.tot_len = htons(sizeof message.ip + sizeof message.udp);
    message.ip.ttl = 64;
    message.ip.protocol = IPPROTO_UDP;
    net::socket_address from{}, to{};
    net::to_socket_address(relayed, from);
    const socklen_t size = net::to_socket_address(peer, to);
    message.ip.saddr = from.v4.sin_addr.s_addr;
    message.ip.daddr = to.v4.sin_addr.s_addr;
    message.udp.source = from.v4.sin_port;
    message.udp.dest = to.v4.sin_port;
    message.udp.len = htons(sizeof message.udp);
    message.icmp.checksum = internet_checksum(&message, sizeof message);

    const net::file_descriptor raw(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP));
    REQUIRE(raw);
    from.v4.sin_port = 0;
    REQUIRE(::sendto(raw.number(), &message, sizeof message, 0, &from.any, size) == sizeof message);
}

std::string numbered(std::size_t number, std::size_t size) {
    std::string text = std::to_string(number) + ' ';
    text.resize(size, 'x');
    return text;
}

/// Sends ten datagrams of `size` bytes; "whole" when they arrive in order and intact, then how many system calls sent
/// them.
template <class Post>
std::string ten(Post& post, socket_id from, socket_id to, std::size_t size) {
    const auto calls = post.io().counters().send_calls.value();
    letters out;
    std::vector<std::string> wanted;
    for (std::size_t i = 0; i < 10; ++i) out.add(from, post.address(to), wanted.emplace_back(numbered(i, size)));
    post.io().send(out);
    const auto heard = Post::texts(post.collect(10), to);
    std::ostringstream text;
    text << (heard == wanted ? "whole" : "not whole") << " by " << post.io().counters().send_calls.value() - calls;
    return text.str();
}

/// Sends ten datagrams of `size` bytes, and returns how many of them the first packet that arrives holds.
template <class Post>
std::size_t segments_of_ten(Post& post, socket_id from, socket_id to, std::size_t size) {
    letters out;
    for (std::size_t i = 0; i < 10; ++i) out.add(from, post.address(to), numbered(i, size));
    post.io().send(out);
    REQUIRE(readable(post.io().native_handle(), std::chrono::seconds(10)));
    const auto got = post.io().receive();
    REQUIRE(!got.empty());
    return got[0].segments();
}

} // namespace

TEST_CASE_TEMPLATE("segments above the MTU go singly and are fragmented", Post, kernel_ipv4, kernel_ipv6) {
    const auto told = in_new_network(ethernet, [] {
        Post post;
        const socket_id ann = post.open(), bob = post.open();
        std::ostringstream text;
        text << "first: " << ten(post, ann, bob, 1600);    // the train, the train again, ten datagrams
        text << ", then: " << ten(post, ann, bob, 1600);   // it has learned
        text << ", larger: " << ten(post, ann, bob, 3000); // for all larger ones
        text << ", dropped: " << post.all_dropped() << ", sent: " << post.all_sent();
        text << ", smaller still in one packet: " << segments_of_ten(post, ann, bob, 1400);
        return text.str();
    });
    CHECK(told == "first: whole by 12, then: whole by 1, larger: whole by 1, dropped: 0, sent: 30, smaller still in "
                  "one packet: 10");
}

TEST_CASE("a narrow path to one destination costs the socket's other destinations nothing") {
    const auto setup = "ip link set lo mtu 1500; ip addr add 192.0.2.9/32 dev lo;"
                       "ip route replace local 192.0.2.9 dev lo table local mtu 600";
    const auto told = in_new_network({.setup = setup}, [] {
        kernel_ipv4 post;
        const socket_id ann = post.open_at(*transport_address::parse("0.0.0.0:0"));
        const socket_id far = post.open_at(*transport_address::parse("192.0.2.9:0")), near = post.open();
        std::ostringstream text;
        text << "far: " << ten(post, ann, far, 1200);
        text << ", near in one packet: " << segments_of_ten(post, ann, near, 1400);
        return text.str();
    });
    CHECK(told == "far: whole by 12, near in one packet: 10");
}

TEST_CASE("a destination that the kernel always refuses costs the others nothing") {
    const auto setup = "ip link set lo mtu 1500; ip route add blackhole 192.0.2.9"; // sending there is EINVAL
    const auto told = in_new_network({.setup = setup}, [] {
        kernel_ipv4 post;
        const socket_id ann = post.open_at(*transport_address::parse("0.0.0.0:0")), near = post.open();
        letters out;
        for (std::size_t i = 0; i < 10; ++i)
            out.add(ann, *transport_address::parse("192.0.2.9:9"), numbered(i, 1400)).way = direction::up;
        post.io().send(out);
        std::ostringstream text;
        text << "refused: " << post.dropped(direction::up, reason::send_refused) << " of " << post.all_dropped();
        text << ", near in one packet: " << segments_of_ten(post, ann, near, 1400);
        return text.str();
    });
    CHECK(told == "refused: 10 of 10, near in one packet: 10");
}

TEST_CASE("errors of other datagrams cost nothing where a train goes singly") {
    const auto told = in_new_network(ethernet, [] {
        kernel_ipv4 post;
        const socket_id ann = post.open(), gone = post.open();
        const transport_address nobody = post.address(gone);
        post.io().close(gone);
        letters out; // each datagram leaves an ICMP error behind, which the next call meets
        for (std::size_t i = 0; i < 10; ++i) out.add(ann, nobody, numbered(i, 1600));
        post.io().send(out);
        return std::to_string(post.all_sent()) + " sent, " + std::to_string(post.all_dropped()) + " dropped";
    });
    CHECK(told == "10 sent, 0 dropped");
}

TEST_CASE_TEMPLATE("RFC 8656 14: with DF set what exceeds the MTU is too big and the others pass", Post, kernel_ipv4,
                   kernel_ipv6) {
    const auto told = in_new_network(ethernet, [] {
        Post post;
        const socket_id ann = post.open(), bob = post.open();
        const std::size_t fits = Post::here().is_ipv4() ? 1472 : 1452;
        letters out;
        out.add(ann, post.address(bob), numbered(0, fits + 1));
        out.add(ann, post.address(bob), numbered(1, fits + 1)).dont_fragment = true;
        out.add(ann, post.address(bob), numbered(2, fits)).dont_fragment = true;
        out.add(ann, post.address(bob), numbered(3, fits + 1));
        post.io().send(out);
        std::ostringstream text;
        for (const letter& l : post.collect(3)) text << l.text[0] << " of " << l.text.size() - fits << ", ";
        text << "too big: " << post.dropped(direction::control, reason::too_big) << " of " << post.all_dropped()
             << ", sent: " << post.all_sent();
        return text.str();
    });
    CHECK(told == "0 of 1, 2 of 0, 3 of 1, too big: 1 of 1, sent: 3");
}

TEST_CASE_TEMPLATE("RFC 8656 11.5: what is too big for our own link is told as if a router had said so", Post,
                   kernel_ipv4, kernel_ipv6) {
    const auto told = in_new_network(ethernet, [] {
        Post post;
        const socket_id ann = post.open(), bob = post.open();
        letters out;
        out.add(ann, post.address(bob), numbered(0, 1600)).dont_fragment = true;
        post.io().send(out);
        const auto all = post.complaints(1);
        return all.empty() ? "nothing" : all[0].substr(0, all[0].find(Post::here().is_ipv4() ? "127" : "["));
    });
    CHECK(told == (Post::here().is_ipv4() ? "0: 3 4 1500 " : "0: 2 0 1500 "));
}

TEST_CASE("RFC 8656 11.5: what routers say of a datagram comes with type and code and MTU") {
    const auto told = in_new_network({}, [] {
        kernel_ipv4 post;
        const socket_id ann = post.open(), bob = post.open();
        const transport_address relayed = post.address(ann), peer = post.address(bob);
        letters out;
        out.add(ann, peer, "hello").dont_fragment = true;
        post.io().send(out);
        router_says(relayed, peer, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, 1280);
        router_says(relayed, peer, ICMP_TIME_EXCEEDED, ICMP_EXC_TTL, 0);
        router_says(relayed.with_port(1), peer, ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 0); // not ours
        router_says(relayed, peer, ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 0);
        std::ostringstream text;
        for (const auto& complaint : post.complaints(3)) text << complaint.substr(0, complaint.find("127")) << "| ";
        return text.str();
    });
    CHECK(told == "0: 3 4 1280 | 0: 11 0 0 | 0: 3 1 0 | ");
}

TEST_CASE("a flood of ICMP errors comes in pieces and hides no datagram") {
    const auto told = in_new_network({}, [] {
        kernel_ipv4 post({.segmentation = false}); // of a train only one error would come
        const socket_id ann = post.open(), bob = post.open(), gone = post.open();
        const transport_address nobody = post.address(gone);
        post.io().close(gone);
        letters out;
        for (int i = 0; i < 300; ++i) out.add(ann, nobody, "anybody there?");
        out.add(bob, post.address(ann), "hello");
        post.io().send(out);
        std::size_t errors = 0, most = 0, heard = 0;
        while ((errors < 300 || heard < 1) && readable(post.io().native_handle(), std::chrono::seconds(10))) {
            heard += post.receive().size();
            errors += post.io().icmp_errors().size();
            most = std::max(most, post.io().icmp_errors().size());
        }
        std::ostringstream text;
        text << errors << " errors, " << most << " at most, " << heard << " heard, " << post.all_dropped()
             << " dropped";
        return text.str();
    });
    CHECK(told == "300 errors, 256 at most, 1 heard, 0 dropped");
}

TEST_CASE_TEMPLATE("a full send buffer drops what does not fit and counts it", Post, kernel_ipv4, kernel_ipv6) {
    const auto told = in_new_network(ethernet, [] {
        Post post;
        // Loopback takes each datagram at once: only one whose fragments exceed the buffer meets it full.
        const socket_id ann = post.open({.send_buffer = 4608}), bob = post.open();
        letters out;
        out.add(ann, post.address(bob), "before");
        out.add(ann, post.address(bob), numbered(0, 65507)).way = direction::up;
        out.add(ann, post.address(bob), "after");
        post.io().send(out);
        std::ostringstream text;
        for (const letter& l : post.collect(2)) text << l.text << ", ";
        text << "full: " << post.dropped(direction::up, reason::socket_buffer_full) << " of " << post.all_dropped()
             << ", sent: " << post.all_sent() << " by " << post.io().counters().send_calls.value();
        return text.str();
    });
    CHECK(told == "before, after, full: 1 of 1, sent: 2 by 3"); // the full buffer is not asked twice
}

TEST_CASE("a network that cannot be reached refuses its datagrams and no others") {
    const auto told = in_new_network({}, [] {
        kernel_ipv4 post;
        const socket_id ann = post.open_at(*transport_address::parse("0.0.0.0:0")), bob = post.open();
        const transport_address unrouted = *transport_address::parse("192.0.2.1:9");
        letters out;
        out.add(ann, post.address(bob), "before");
        for (int i = 0; i < 5; ++i) out.add(ann, unrouted, "lost").way = direction::up;
        out.add(ann, post.address(bob), "after");
        post.io().send(out);
        std::ostringstream text;
        for (const letter& l : post.collect(2)) text << l.text << ", ";
        text << "refused: " << post.dropped(direction::up, reason::send_refused) << " of " << post.all_dropped();
        return text.str();
    });
    CHECK(told == "before, after, refused: 5 of 5");
}
