#include <sys/resource.h>

#include <array>

#include "joined.hpp"

using namespace turn;
using namespace turn::net_test;

namespace {

constexpr std::array families{address_family::ipv4, address_family::ipv6};

std::size_t closed_for(const joining& s, reason why) {
    return s.it->counters().closed[static_cast<std::size_t>(why)].value();
}

} // namespace

TEST_CASE("RFC 6062 5.2: a connection to a peer begins at the relayed transport address, where others still come in") {
    for (const address_family family : families) {
        joining s({}, loopback(family));
        doorway bobs(loopback(family));
        const auto id = s.it->connect(s.relay, bobs.local(), s.now);
        REQUIRE(id);
        REQUIRE(s.until([&] { return !s.opened.empty(); }));
        CHECK(s.opened[0].id == *id);

        transport_address seen;
        talker bob = bobs.accept(&seen);
        CHECK(seen == s.address());

        talker carol = talker::calling(s.address());
        REQUIRE(s.until([&] { return !s.come.empty(); }));
        CHECK(s.come[0].relay == s.relay);
        CHECK(s.come[0].peer == carol.local());
        CHECK(s.come[0].id != *id);
        CHECK(s.it->counters().connected.value() == 1);
        CHECK(s.it->counters().accepted.value() == 1);
        CHECK(s.it->counters().connections.value() == 2);
    }
}

TEST_CASE("RFC 6062 5.2: a peer that refuses is told of once, and its id is free") {
    joining s;
    doorway bobs;
    const auto nobody = bobs.local();
    bobs.close();
    const auto id = s.it->connect(s.relay, nobody, s.now);
    REQUIRE(id);
    REQUIRE(s.until([&] { return !s.refused.empty(); }));
    CHECK(s.refused[0].id == *id);
    CHECK(s.refused[0].error == ECONNREFUSED);
    s.pass(1h);
    CHECK(s.refused.size() == 1);
    CHECK(s.gone.empty());
    CHECK(s.it->counters().failed.value() == 1);
    CHECK(s.it->counters().connections.value() == 0);
    CHECK(s.it->next_deadline() == time_point::max());
}

TEST_CASE("RFC 6062 5.2: a peer that the kernel will not even try to reach is told of like one that refuses") {
    joining s;
    const auto id = s.it->connect(s.relay, loopback(address_family::ipv6).with_port(9), s.now); // from an IPv4 address
    REQUIRE(id);
    REQUIRE(s.until([&] { return !s.refused.empty(); }));
    CHECK(s.refused[0].id == *id);
    CHECK(s.refused[0].error == EAFNOSUPPORT);
    CHECK_FALSE(s.it->connect(make_socket_id(socket_kind::tcp_relay, 17), loopback(), s.now));
}

TEST_CASE("RFC 6062 5.2: a peer that does not answer is given up after 30 s, not before") {
    joining s;
    doorway bobs(loopback(), 0); // has room for one who waits: the kernel lets the next ask in vain
    const talker first = talker::calling(bobs.local());
    REQUIRE(s.it->connect(s.relay, bobs.local(), s.now));
    s.settle();
    REQUIRE(s.opened.empty());
    CHECK(s.it->next_deadline() == s.now + 30s);
    s.pass(30s - 1ms);
    CHECK(s.refused.empty());
    s.pass(1ms);
    REQUIRE(s.refused.size() == 1);
    CHECK(s.refused[0].error == ETIMEDOUT);
}

TEST_CASE("turn: a TCP relay's address is nobody else's") {
    joining s;
    const auto taken = s.address();
    doorway bobs;
    REQUIRE(s.it->connect(s.relay, bobs.local(), s.now)); // SO_REUSEPORT, for connections of our own, is on from here
    CHECK_FALSE(net::peer_connections::bind(taken));

    net::file_descriptor other(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int yes = 1;
    ::setsockopt(other.number(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    net::socket_address name{};
    const socklen_t size = net::to_socket_address(taken, name);
    CHECK((::bind(other.number(), &name.any, size) != 0 || ::listen(other.number(), 1) != 0));
}

TEST_CASE("turn: a TCP relay that has ended takes nobody any more, and its address can be used again") {
    joining s;
    const auto address = s.address();
    net::peer_connection id{};
    talker bob = s.peer(id);
    s.everybody = {&bob};
    s.it->close(s.relay);
    s.it->close(s.relay);
    CHECK(s.it->local_address(s.relay) == transport_address());

    net::file_descriptor late(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    net::socket_address name{};
    const socklen_t size = net::to_socket_address(address, name);
    CHECK(::connect(late.number(), &name.any, size) != 0);

    s.settle();
    CHECK_FALSE(bob.heard_end); // until the allocation is over, which closes each connection
    CHECK(s.new_relay(address) == s.relay);
    s.it->close(id);
    REQUIRE(s.until([&] { return bob.heard_end || bob.reset; }));
    CHECK(s.gone.empty());
    CHECK(s.it->counters().ended.value() == 1);
    CHECK(s.it->counters().connections.value() == 0);
}

TEST_CASE("RFC 6062 5.3: what a peer says before the bind is kept, also when it has closed since") {
    joining s;
    net::peer_connection id{};
    talker bob = s.peer(id);
    bob.say("early");
    bob.go_on();
    SUBCASE("it has finished") {
        bob.finish();
        bob.go_on();
    }
    SUBCASE("it has closed") {
        bob.close();
    }
    SUBCASE("it has broken the connection") {
        bob.abort();
    }
    s.settle();
    REQUIRE(s.gone.empty());
    talker ann;
    auto near = joining::client(ann);
    s.everybody = {&ann, &bob};
    REQUIRE(s.it->join(id, std::move(near)));
    REQUIRE(s.until([&] { return ann.heard_end; }));
    CHECK(ann.text() == "early");
    ann.finish();
    REQUIRE(s.until([&] { return !s.gone.empty(); }));
    CHECK(s.gone[0].carried.bytes_down == 5);
}

TEST_CASE("RFC 6062 5.3: a peer that breaks the connection before the bind and has said nothing is gone") {
    joining s;
    net::peer_connection id{};
    talker bob = s.peer(id);
    bob.abort();
    REQUIRE(s.until([&] { return !s.gone.empty(); }));
    CHECK(s.gone[0].id == id);
    CHECK(s.gone[0].error == ECONNRESET);
    talker ann;
    auto near = joining::client(ann);
    CHECK_FALSE(s.it->join(id, std::move(near)));
    s.everybody = {&ann};
    CHECK(s.until([&] { return ann.heard_end; })); // its connection was closed
}

TEST_CASE("turn: a client joins a connection once, and only one that is established") {
    couple c;
    talker carol;
    auto near = joining::client(carol);
    CHECK_FALSE(c.it->join(c.id, std::move(near)));

    doorway bobs(loopback(), 0);
    const talker first = talker::calling(bobs.local());
    const auto unanswered = c.it->connect(c.relay, bobs.local(), c.now);
    REQUIRE(unanswered);
    talker dave;
    auto also_near = joining::client(dave);
    CHECK_FALSE(c.it->join(*unanswered, std::move(also_near)));
    CHECK_FALSE(c.it->join(net::peer_connection{1000}, {}));
    CHECK(c.it->counters().joined.value() == 1);
}

TEST_CASE("turn: nothing is reported of a connection that the allocation's end has closed") {
    couple c;
    doorway bobs;
    const auto refused = c.it->connect(c.relay, bobs.local(), c.now);
    REQUIRE(refused);
    c.it->close(*refused);
    c.ann.abort();
    c.bob.close();
    c.it->close(c.id);
    c.it->close(c.id);
    c.settle();
    c.pass(1h);
    CHECK(c.opened.empty());
    CHECK(c.refused.empty());
    CHECK(c.gone.empty());
    CHECK(c.it->counters().connections.value() == 0);
    CHECK(c.it->counters().joined.value() == 0);
    CHECK(c.it->traffic_of(c.id).bytes_up == 0);
}

TEST_CASE("turn: an id is given out again only after the receive() that follows its end") {
    couple c;
    c.it->close(c.id);
    doorway bobs;
    const auto next = c.it->connect(c.relay, bobs.local(), c.now);
    REQUIRE(next);
    CHECK(*next != c.id);
    c.receive();
    const auto later = c.it->connect(c.relay, bobs.local(), c.now);
    REQUIRE(later);
    CHECK(*later == c.id);
}

TEST_CASE("turn: there are no more connections with peers than there may be") {
    joining s({.most = 2});
    net::peer_connection first{}, second{};
    talker ann = s.peer(first), bob = s.peer(second);
    talker carol = talker::calling(s.address());
    s.everybody = {&carol};
    REQUIRE(s.until([&] { return carol.heard_end || carol.reset; }));
    CHECK(closed_for(s, reason::connections_full) == 1);
    const auto refused = s.it->connect(s.relay, carol.local(), s.now);
    REQUIRE_FALSE(refused);
    CHECK(refused.error() == errc::no_capacity);
    s.it->close(first);
    s.receive();
    net::peer_connection third{};
    talker dave = s.peer(third);
    CHECK(third == first);
}

TEST_CASE("turn: without descriptors peers wait a moment, and the server does not spin") {
    joining s;
    talker bob = talker::calling(s.address());
    rlimit usual{};
    ::getrlimit(RLIMIT_NOFILE, &usual);
    const int next = ::dup(0);
    ::close(next);
    const rlimit none{static_cast<rlim_t>(next), usual.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &none);
    s.receive();
    const auto unreachable = s.it->connect(s.relay, loopback(), s.now);
    ::setrlimit(RLIMIT_NOFILE, &usual);
    REQUIRE_FALSE(unreachable);
    CHECK(unreachable.error() == errc::io);
    CHECK(closed_for(s, reason::no_descriptors) == 1);
    s.receive();
    CHECK(s.come.empty());
    REQUIRE(s.it->next_deadline() < time_point::max());
    s.pass(s.it->next_deadline() - s.now);
    CHECK(s.until([&] { return s.come.size() == 1; }));
}
