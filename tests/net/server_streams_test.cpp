#include <algorithm>
#include <array>
#include <cerrno>

#include <doctest/doctest.h>

#include "support/real_server.hpp"
#include "support/real_stream.hpp"
#include "turn/stun/message.hpp"

using namespace std::chrono_literals;
using namespace turn;
using namespace turn::test;

namespace {

time_point now() {
    return std::chrono::steady_clock::now();
}

/// on_loopback() over TCP instead of UDP.
server_options over_tcp() {
    auto o = on_loopback();
    for (auto& l : o.listeners) l.protocol = transport::tcp;
    return o;
}

transport_address tcp_listener(const server& s, address_family family = address_family::ipv4) {
    return listener_of(s, family, transport::tcp);
}

real_client by_tcp(const server& s, address_family family = address_family::ipv4) {
    const auto to = tcp_listener(s, family);
    return {std::make_unique<real_stream>(to), to};
}

std::vector<std::byte> binding_request(std::uint8_t mark) {
    std::vector<std::byte> buffer(64);
    stun::transaction_id id{};
    id[0] = std::byte{mark};
    stun::message_builder b(buffer, stun::message_class::request, stun::method::binding, id);
    const auto message = b.finish();
    return {message->begin(), message->end()};
}

/// The first bytes of the transaction ids of the next `count` messages.
std::string marks(real_stream& from, std::size_t count) {
    std::string seen;
    for (const auto until = now() + patience; seen.size() < count && now() < until;)
        for (const packet& p : from.receive(until)) seen.push_back(static_cast<char>(p.data[8]));
    return seen;
}

template <class Condition>
bool eventually(Condition&& holds) {
    for (const auto until = now() + patience; !holds();) {
        if (now() >= until) return false;
        std::this_thread::sleep_for(1ms);
    }
    return true;
}

} // namespace

TEST_CASE("RFC 8656 2.1: a client over TCP relays to UDP peers by indication and by channel, over either family") {
    auto s = server::start(over_tcp());
    REQUIRE(s);
    for (const auto family : {address_family::ipv4, address_family::ipv6}) {
        auto ann = by_tcp(*s, family);
        real_peer bob(family);
        const auto made = ann.allocate({.family = family});
        REQUIRE(made);
        CHECK(made->mapped == ann.local());
        REQUIRE(ann.permit(bob.local()));
        ann.send(bob.local(), "by indication");
        auto heard = bob.receive();
        REQUIRE(heard);
        CHECK(heard->text == "by indication");
        bob.send(made->relayed, "heard you");
        auto answer = ann.receive();
        REQUIRE(answer);
        CHECK(answer->text == "heard you");

        REQUIRE(ann.bind_channel(0x4000, bob.local()));
        for (const std::string text : {"a", "ab", "abc", "abcd", "abcde"}) { // with every length of padding
            ann.send(bob.local(), text);
            heard = bob.receive();
            REQUIRE(heard);
            CHECK(heard->text == text);
            bob.send(made->relayed, text);
            answer = ann.receive();
            REQUIRE(answer);
            CHECK(answer->text == text);
        }
    }
}

TEST_CASE("RFC 8489 6.2.2: several messages in one segment are answered each, and one message byte by byte") {
    auto s = server::start(over_tcp());
    REQUIRE(s);
    real_stream ann(tcp_listener(*s));
    std::vector<std::byte> three;
    for (const char mark : {'a', 'b', 'c'}) {
        const auto one = binding_request(static_cast<std::uint8_t>(mark));
        three.insert(three.end(), one.begin(), one.end());
    }
    ann.send_bytes(three);
    CHECK(marks(ann, 3) == "abc");
    for (const std::byte b : binding_request('d')) ann.send_bytes({&b, 1});
    CHECK(marks(ann, 1) == "d");
    CHECK(s->totals().streams.received_frames == 4);
}

TEST_CASE("turn: thousands of small messages in one burst are all answered, in order") {
    auto s = server::start(over_tcp());
    REQUIRE(s);
    real_stream ann(tcp_listener(*s));
    std::vector<std::byte> many;
    std::string expected;
    for (int i = 0; i < 3000; ++i) {
        const auto mark = static_cast<std::uint8_t>('a' + i % 26);
        const auto one = binding_request(static_cast<std::uint8_t>(mark));
        many.insert(many.end(), one.begin(), one.end());
        expected.push_back(static_cast<char>(mark));
    }
    ann.send_bytes(many);
    CHECK(marks(ann, 3000) == expected);
}

TEST_CASE("turn: a connection that begins with anything but STUN is closed at once") {
    auto s = server::start(over_tcp());
    REQUIRE(s);
    const std::array<std::string, 5> beginnings{"GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\x02", "\xff",
                                                std::string("\x00\x01\x00\x00"
                                                            "abcd",
                                                            8),
                                                std::string("\x40\x00\x00\x04", 4)};
    for (const auto& begin : beginnings) {
        CAPTURE(begin);
        real_stream mallory(tcp_listener(*s));
        mallory.send_bytes(std::as_bytes(std::span(begin)));
        CHECK(mallory.closed_by(now() + patience));
    }
    CHECK(closed_for(*s, reason::malformed) == beginnings.size());
    CHECK(eventually([&] { return s->totals().streams.without_allocation == 0; }));
}

TEST_CASE("RFC 8656 3.1: the end of a connection is the end of its allocation, at once") {
    attentive_observer events;
    auto o = over_tcp();
    o.events = &events;
    auto s = server::start(std::move(o));
    REQUIRE(s);
    {
        auto ann = by_tcp(*s);
        REQUIRE(ann.allocate());
        CHECK(s->allocation_count() == 1);
        CHECK(eventually([&] { return s->totals().streams.without_allocation == 0; }));
        const auto books = s->totals().relay;
        CHECK(books.allocations_over[static_cast<std::size_t>(transport::tcp)] == 1);
        CHECK(books.relayed_addresses[static_cast<std::size_t>(transport::tcp)][0] == 1);
        CHECK(books.allocates[static_cast<std::size_t>(transport::tcp)][0] == 1);
    }
    REQUIRE(events.wait_for_ends(1));
    CHECK(events.ended()[0].why == allocation_end::disconnected);
    CHECK(eventually([&] { return s->totals().ports_in_use == 0; }));
    CHECK(s->totals().quota_in_use == 0);
}

TEST_CASE("turn: a connection that makes no allocation is closed in time, and one with an allocation stays") {
    auto o = over_tcp();
    o.connections.idle = 1s;
    o.connections.handshake = 1s;
    auto s = server::start(std::move(o));
    REQUIRE(s);
    auto ann = by_tcp(*s);
    REQUIRE(ann.allocate());
    real_stream silent(tcp_listener(*s));
    real_stream asks_once(tcp_listener(*s));
    asks_once.send_bytes(binding_request('a'));
    CHECK(silent.closed_by(now() + patience));
    CHECK(asks_once.closed_by(now() + patience));
    CHECK(closed_for(*s, reason::connection_idle) == 2);
    CHECK(ann.refresh(600s)); // still there
    REQUIRE(ann.refresh(0s)); // and now it is one without an allocation
    CHECK(eventually([&] { return s->totals().streams.without_allocation == 1; }));
    CHECK(static_cast<real_stream&>(ann.wire()).closed_by(now() + patience));
    CHECK(closed_for(*s, reason::connection_idle) == 3);
}

TEST_CASE("turn: connections without an allocation are bounded per source and in all, and others still get in") {
    auto o = over_tcp();
    o.threads = 2;
    o.connections.per_source = 3;
    o.connections.without_allocation = 5;
    auto s = server::start(std::move(o));
    REQUIRE(s);
    std::vector<std::unique_ptr<real_stream>> crowd;
    for (int i = 0; i < 3; ++i) crowd.push_back(std::make_unique<real_stream>(tcp_listener(*s)));
    REQUIRE(eventually([&] { return s->totals().streams.without_allocation == 3; }));
    real_stream one_more(tcp_listener(*s));
    CHECK(one_more.closed_by(now() + patience));
    CHECK(closed_for(*s, reason::connections_per_source) == 1);

    const auto elsewhere = tcp_listener(*s, address_family::ipv6);
    for (int i = 0; i < 2; ++i) crowd.push_back(std::make_unique<real_stream>(elsewhere));
    REQUIRE(eventually([&] { return s->totals().streams.without_allocation == 5; }));
    real_stream too_many(elsewhere);
    CHECK(too_many.closed_by(now() + patience));
    CHECK(closed_for(*s, reason::connections_full) == 1);

    crowd.clear();
    REQUIRE(eventually([&] { return s->totals().streams.without_allocation == 0; }));
    auto ann = by_tcp(*s);
    CHECK(ann.allocate());
}

TEST_CASE("RFC 8656 12.5: ChannelData of 65 535 bytes is one message, though no UDP datagram can carry it on") {
    auto s = server::start(over_tcp());
    REQUIRE(s);
    auto ann = by_tcp(*s);
    real_peer bob;
    const auto made = ann.allocate();
    REQUIRE(made);
    REQUIRE(ann.bind_channel(0x4000, bob.local()));
    auto& wire = static_cast<real_stream&>(ann.wire());
    std::vector<std::byte> message(4 + 65535 + 1, std::byte{'x'});
    message[0] = std::byte{0x40};
    message[1] = std::byte{0x00};
    message[2] = message[3] = std::byte{0xff};
    wire.send_bytes(message);
    const std::string largest(65507 - 4, 'y');
    ann.send(bob.local(), largest);
    const auto heard = bob.receive();
    REQUIRE(heard);
    CHECK(heard->text == largest); // framing was not lost on the way
    CHECK(s->totals().relay.dropped[0][static_cast<std::size_t>(reason::too_big)] == 1);
    bob.send(made->relayed, std::string(65507, 'z'));
    const auto answer = ann.receive();
    REQUIRE(answer);
    CHECK(answer->text == std::string(65507, 'z'));
}

TEST_CASE("turn: media for a client that does not read is bounded, its answers come, and others lose nothing") {
    auto o = over_tcp();
    o.connections.queue_bytes = 100'000;
    auto s = server::start(std::move(o));
    REQUIRE(s);
    const auto to = tcp_listener(*s);
    real_client slow(std::make_unique<real_stream>(to, real_stream::options{.receive_buffer = 4096}), to);
    auto bob = by_tcp(*s);
    real_peer flood;
    real_peer friendly;
    const auto made = slow.allocate();
    REQUIRE(made);
    REQUIRE(slow.bind_channel(0x4000, flood.local()));
    const auto bobs = bob.allocate();
    REQUIRE(bobs);
    REQUIRE(bob.bind_channel(0x4000, friendly.local()));

    const std::string media(1000, 'm');
    const auto dropped = [&] {
        const auto books = s->totals().streams;
        const auto& down = books.dropped[static_cast<std::size_t>(direction::down)];
        return down[static_cast<std::size_t>(reason::slow_reader)];
    };
    std::uint64_t sent = 0;
    for (const auto until = now() + patience; dropped() < 100 && now() < until; ++sent) {
        flood.send(made->relayed, media);
        if (sent % 32 != 0) continue; // in step with the relay, so that the kernel drops nothing of the friend's
        friendly.send(bobs->relayed, "beside it");
        const auto heard = bob.receive();
        REQUIRE(heard);
        CHECK(heard->text == "beside it");
    }
    CHECK(dropped() >= 100);
    const auto books = s->totals().streams;
    CHECK(books.queued[static_cast<std::size_t>(direction::down)] <= 100);

    // Now it reads: what was queued comes, and so does the answer.
    CHECK(slow.refresh(600s));
}

TEST_CASE("turn: bursts from UDP peers wait for a client over TCP that is late, in order and without a gap") {
    auto o = over_tcp();
    o.connections.queue_age = 1h; // what is late here may be later on a busy machine
    auto s = server::start(std::move(o));
    REQUIRE(s);
    const auto to = tcp_listener(*s);
    real_client ann(std::make_unique<real_stream>(to, real_stream::options{.receive_buffer = 4096}), to);
    real_peer bob;
    const auto made = ann.allocate();
    REQUIRE(made);
    REQUIRE(ann.bind_channel(0x4000, bob.local()));

    constexpr std::uint64_t bursts = 15, datagrams = 30;
    std::size_t most_queued = 0;
    for (std::uint64_t sent = 0; sent < bursts * datagrams;) {
        for (std::uint64_t i = 0; i < datagrams; ++i, ++sent)
            bob.send(made->relayed, std::to_string(sent) + std::string(1000, '.'));
        // So that the kernel drops nothing at the relay's socket.
        REQUIRE(eventually([&] { return s->totals().relay.relayed[1].packets == sent; }));
        most_queued = std::max<std::size_t>(most_queued, s->totals().streams.queued[1]);
    }
    CHECK(most_queued > 0); // more than the two kernels' buffers hold
    for (std::uint64_t i = 0; i < bursts * datagrams; ++i) {
        const auto heard = ann.receive();
        REQUIRE(heard);
        REQUIRE(heard->text == std::to_string(i) + std::string(1000, '.'));
    }
    const auto books = s->totals().streams;
    for (const std::uint64_t dropped : books.dropped[1]) CHECK(dropped == 0);
}

TEST_CASE("turn: every frame that a relay gave to its connections was sent or dropped for a reason, or waits") {
    auto s = server::start(over_tcp());
    REQUIRE(s);
    {
        auto ann = by_tcp(*s);
        auto bob = by_tcp(*s);
        const auto anns = ann.allocate();
        const auto bobs = bob.allocate();
        REQUIRE(anns);
        REQUIRE(bobs);
        REQUIRE(ann.bind_channel(0x4000, bobs->relayed));
        REQUIRE(bob.permit(anns->relayed));
        for (int i = 0; i < 50; ++i) {
            ann.send(bobs->relayed, "to bob");
            REQUIRE(bob.receive());
            bob.send(anns->relayed, "to ann");
            REQUIRE(ann.receive());
        }
    }
    CHECK(eventually([&] { return s->allocation_count() == 0; }));
    const auto all = s->totals();
    CHECK(all.streams.received_frames == all.relay.from_clients.packets);
    const auto sum = [](const auto& numbers) {
        std::uint64_t total = 0;
        for (const auto n : numbers) total += n;
        return total;
    };
    std::uint64_t answers = 0;
    for (const auto& of_method : all.relay.requests) answers += sum(of_method);
    const std::array<std::uint64_t, direction_count> given{0, all.relay.relayed[1].packets, answers};
    for (std::size_t way = 0; way < direction_count; ++way) {
        CAPTURE(way);
        CHECK(all.streams.sent_frames[way] + sum(all.streams.dropped[way]) + all.streams.queued[way] == given[way]);
    }
    CHECK(all.streams.accepted[static_cast<std::size_t>(transport::tcp)] == 2);
    CHECK(sum(all.streams.connections) == 0);
}

TEST_CASE("start: a TCP port that another program has is refused with words, and so is one named twice") {
    auto first = server::start(over_tcp());
    REQUIRE(first);
    auto o = over_tcp();
    o.listeners = {{.protocol = transport::tcp, .local = tcp_listener(*first)}};
    SUBCASE("by another server, alone on it") {}
    SUBCASE("which wants to share it") {
        o.threads = 2;
    }
    const auto second = server::start(o);
    REQUIRE_FALSE(second);
    CHECK(second.error().what.find("listener tcp 127.0.0.1:") == 0);
    CHECK(second.error().what.find("ss -tlpn") != std::string::npos);
    CHECK(second.error().system_error == EADDRINUSE);

    o.listeners = {{.protocol = transport::tcp, .local = own_loopback().with_port(40000)},
                   {.protocol = transport::tcp, .local = own_loopback().with_port(40000)}};
    const auto twice = server::start(o);
    REQUIRE_FALSE(twice);
    CHECK(twice.error().what.find("named twice") != std::string::npos);
}
