#include <netinet/tcp.h>

#include "joined.hpp"

using namespace turn;
using namespace turn::net_test;

namespace {

constexpr std::size_t much = 8'000'000; // more than sockets and a pipe hold

std::uint64_t up_of(const std::array<counter, 2>& both) {
    return both[0].value();
}
std::uint64_t down_of(const std::array<counter, 2>& both) {
    return both[1].value();
}

} // namespace

TEST_CASE("RFC 6062 5.4: a client and a peer hear each other exactly, both ways at once") {
    net::peer_connection_options options;
    bool pipes = true;
    SUBCASE("through pipes") {}
    SUBCASE("without any to be had") {
        options.most_pipes = 0;
        pipes = false;
    }
    couple c(options);
    const blob up = numbered(much), down = numbered(much + 1);
    c.ann.say(up);
    c.bob.say(down);
    c.ann.finish();
    c.bob.finish();
    REQUIRE(c.until([&] { return c.over(); }));
    REQUIRE(c.until([&] { return c.ann.heard_end && c.bob.heard_end; }));
    CHECK((c.bob.heard == up)); // without doctest's copy of it
    CHECK((c.ann.heard == down));
    CHECK(c.gone[0].id == c.id);
    CHECK(c.gone[0].carried.bytes_up == up.size());
    CHECK(c.gone[0].carried.bytes_down == down.size());
    CHECK(c.gone[0].error == 0);
    const auto& books = c.it->counters();
    CHECK(up_of(books.relayed_bytes) == up.size());
    CHECK(down_of(books.relayed_bytes) == down.size());
    CHECK(books.copied_bytes.value() == (pipes ? 0 : up.size() + down.size()));
    CHECK(up_of(books.lost_bytes) + down_of(books.lost_bytes) == 0);
    CHECK(books.connections.value() == 0);
    CHECK(books.joined.value() == 0);
}

TEST_CASE("RFC 6062 5.4: what was pipelined behind ConnectionBind comes first, and so does its answer") {
    joining s;
    net::peer_connection id{};
    talker bob = s.peer(id);
    bob.say("hello, ann");
    bob.go_on();
    talker ann;
    auto near = joining::client(ann);
    ann.say(" and more");
    ann.go_on();
    near.unread = to_blob("pipelined");
    near.unsent = to_blob("answer, ");
    s.everybody = {&ann, &bob};
    REQUIRE(s.it->join(id, std::move(near)));
    REQUIRE(s.until([&] { return bob.text() == "pipelined and more" && ann.text() == "answer, hello, ann"; }));
    CHECK(s.it->traffic_of(id).bytes_up == 18);
    CHECK(s.it->traffic_of(id).bytes_down == 10); // of the peer's
}

TEST_CASE("turn: who has finished still hears the other out") {
    couple c;
    const blob answer = numbered(much);
    talker &first = c.ann, &second = c.bob;
    SUBCASE("the client first") {}
    SUBCASE("the peer first") {
        std::swap(first, second); // they are at each other's ends now
        c.everybody = {&c.ann, &c.bob};
    }
    first.say("that is all");
    first.finish();
    REQUIRE(c.until([&] { return second.heard_end; }));
    CHECK(second.text() == "that is all");
    c.settle();
    REQUIRE_FALSE(c.over());
    second.say(answer);
    second.finish();
    REQUIRE(c.until([&] { return first.heard_end; }));
    CHECK((first.heard == answer));
    REQUIRE(c.until([&] { return c.over(); }));
    CHECK(c.gone[0].error == 0);
}

TEST_CASE("turn: nothing that was under way is lost when a peer closes") {
    couple c;
    const blob answer = numbered(much);
    c.everybody = {&c.bob}; // ann reads nothing yet
    c.bob.say(answer);
    REQUIRE(c.until([&] { return c.it->counters().pipes.value() > 0; }));
    SUBCASE("and the client has been silent") {}
    SUBCASE("and the client still talks, to nobody") {
        c.ann.say(numbered(much));
    }
    // He closes as soon as the kernel has all of it; from then on he answers with resets.
    REQUIRE(c.until([&] {
        c.ann.go_on(65'536);
        return c.bob.said_all();
    }));
    c.bob.close();
    c.ann.finish();
    c.everybody = {&c.ann};
    REQUIRE(c.until([&] { return c.ann.heard_end || c.ann.reset; }));
    CHECK(c.ann.heard_end);
    CHECK(c.ann.heard.size() == answer.size());
    CHECK((c.ann.heard == answer));
    CHECK(c.until([&] { return c.over(); }));
}

TEST_CASE("RFC 6062 3: who does not read stops who sends, and holds a bounded amount meanwhile") {
    couple c;
    constexpr std::size_t too_much = 24'000'000;
    const int small = 65'536;
    ::setsockopt(c.bob.descriptor(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    ::setsockopt(c.ann.descriptor(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    c.bob.say(numbered(too_much));
    c.everybody = {&c.bob};
    c.settle();
    CHECK(c.bob.sent() < 16'000'000); // what the relay's two socket buffers and a pipe may hold
    CHECK(c.it->traffic_of(c.id).bytes_down < c.bob.sent());
    CHECK(c.it->counters().pipes.value() == 1);
    CHECK_FALSE(c.it->more());

    c.everybody = {&c.ann, &c.bob};
    REQUIRE(c.until([&] { return c.ann.heard.size() == too_much; }));
    CHECK((c.ann.heard == numbered(too_much)));
}

TEST_CASE("turn: as many may be stuck as like, with as many pipes as there are") {
    joining s({.most_pipes = 1});
    std::vector<std::unique_ptr<talker>> anns, bobs;
    for (int i = 0; i < 3; ++i) {
        net::peer_connection id{};
        bobs.push_back(std::make_unique<talker>(s.peer(id)));
        talker far;
        auto near = joining::client(far);
        anns.push_back(std::make_unique<talker>(std::move(far)));
        bobs.back()->say(numbered(much));
        s.everybody.push_back(bobs.back().get());
        REQUIRE(s.it->join(id, std::move(near)));
    }
    s.settle();
    CHECK(s.it->counters().pipes.value() == 1);
    for (const auto& ann : anns) s.everybody.push_back(ann.get());
    REQUIRE(s.until([&] { return std::ranges::all_of(anns, [](auto& a) { return a->heard.size() == much; }); }));
    for (const auto& ann : anns) CHECK((ann->heard == numbered(much)));
}

TEST_CASE("turn: a pipe is nobody's once it is empty") {
    net::peer_connection_options options{.most_pipes = 1};
    joining s(options);
    for (int i = 0; i < 3; ++i) {
        net::peer_connection id{};
        talker bob = s.peer(id);
        talker ann;
        auto near = joining::client(ann);
        s.everybody = {&ann, &bob};
        REQUIRE(s.it->join(id, std::move(near)));
        bob.say(numbered(much));
        REQUIRE(s.until([&] { return ann.heard.size() == much; }));
        CHECK((ann.heard == numbered(much)));
        s.everybody.clear();
        if (i == 1) { // closed while it holds the pipe
            bob.say(numbered(much));
            s.everybody = {&bob};
            s.settle();
            s.everybody.clear();
            s.it->close(id);
            CHECK(s.it->counters().pipes.value() == 0);
            CHECK(down_of(s.it->counters().lost_bytes) > 0);
        }
    }
    CHECK(s.it->counters().copied_bytes.value() == 0);
}

TEST_CASE("turn: who has finished does not wait for ever for one who says nothing") {
    couple c({.half_closed = 300s});
    c.ann.finish();
    REQUIRE(c.until([&] { return c.bob.heard_end; }));
    c.pass(299s);
    c.bob.say("still here");
    REQUIRE(c.until([&] { return c.ann.text() == "still here"; }));
    c.pass(299s);
    REQUIRE_FALSE(c.over());
    c.pass(1s);
    REQUIRE(c.over());
    CHECK(c.gone[0].error == ETIMEDOUT);
    CHECK(c.it->counters().closed[static_cast<std::size_t>(reason::connection_idle)].value() == 1);
    CHECK(c.it->counters().connections.value() == 0);
}

TEST_CASE("turn: two who say nothing, and have not finished, may stay as long as they like") {
    couple c;
    c.ann.say("hello");
    REQUIRE(c.until([&] { return c.bob.text() == "hello"; }));
    CHECK(c.it->next_deadline() == time_point::max());
}

TEST_CASE("RFC 6062 5.5: when one side breaks the other hears the end, and is closed as soon as it has") {
    for (const bool client_breaks : {true, false}) {
        for (const bool talks : {true, false}) {
            CAPTURE(client_breaks);
            CAPTURE(talks);
            couple c;
            talker& broken = client_breaks ? c.ann : c.bob;
            talker& other = client_breaks ? c.bob : c.ann;
            broken.say("last words");
            broken.go_on();
            broken.abort();
            if (talks) other.say(numbered(much));
            c.everybody = {&other};
            REQUIRE(c.until([&] { return c.over(); }));
            CHECK(c.gone[0].error != 0);
            REQUIRE(c.until([&] { return other.heard_end; }));
            CHECK(other.text() == "last words");
        }
    }
}

TEST_CASE("RFC 6062 5.5: whoever talks to one that has closed, not only finished, hears so at once") {
    for (const bool client_closes : {true, false}) {
        CAPTURE(client_closes);
        couple c;
        talker& first = client_closes ? c.ann : c.bob;
        talker& other = client_closes ? c.bob : c.ann;
        first.say("that is all");
        first.go_on();
        first.close();
        c.everybody = {&other};
        REQUIRE(c.until([&] { return other.heard_end; }));
        CHECK(other.text() == "that is all");
        c.settle();
        REQUIRE_FALSE(c.over()); // to a server it looks like one that still hears
        other.say("anybody there?");
        REQUIRE(c.until([&] { return c.over(); }));
        CHECK(c.gone[0].error == EPIPE);
        other.say("not even you?");
        CHECK(c.until([&] { return other.is_cut_off(); }));
    }
}

TEST_CASE("turn: what is left of one that broke may be read slowly, but 30 s without a byte are its end") {
    couple c({.broken = 30s});
    c.ann.say(numbered(much));
    c.everybody = {&c.ann};
    c.settle();
    c.ann.abort();
    c.settle();
    c.pass(15s);
    c.bob.say("talking is not reading");
    c.bob.go_on(0);
    c.settle();
    c.pass(15s - 1ms);
    REQUIRE_FALSE(c.over());
    const auto delivered = c.it->traffic_of(c.id).bytes_up;
    REQUIRE(c.until([&] { return c.bob.go_on(65'536), c.it->traffic_of(c.id).bytes_up > delivered; }));
    c.settle();
    c.pass(30s - 1ms);
    REQUIRE_FALSE(c.over());
    c.pass(1ms);
    REQUIRE(c.over());
    CHECK(c.gone[0].error == ETIMEDOUT);
}

TEST_CASE("turn: whoever always has more to say does not silence the others") {
    joining s;
    net::peer_connection loud{}, quiet{};
    talker bob = s.peer(loud), dave = s.peer(quiet);
    talker ann;
    auto anns = joining::client(ann);
    talker carol;
    auto carols = joining::client(carol);
    s.everybody = {&ann, &bob, &carol, &dave};
    REQUIRE(s.it->join(loud, std::move(anns)));
    REQUIRE(s.it->join(quiet, std::move(carols)));
    bob.say(numbered(20'000'000));
    ann.say(numbered(20'000'000));
    for (int i = 0; i < 20; ++i) {
        dave.say("x");
        dave.go_on();
        for (int rounds = 0; rounds < 3; ++rounds) {
            ann.go_on();
            bob.go_on();
            s.receive();
        }
        carol.go_on();
        CHECK(carol.heard.size() == static_cast<std::size_t>(i) + 1);
    }
}

TEST_CASE("turn: a reader that pauses is not given up, though a client that answers nothing would be") {
    joining s;
    net::peer_connection id{};
    talker bob = s.peer(id);
    talker ann;
    auto near = joining::client(ann);
    const net::file_descriptor same(::fcntl(near.handle.number(), F_DUPFD_CLOEXEC, 0));
    const int limit = 30'000;
    ::setsockopt(same.number(), IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, sizeof limit); // as stream_sockets has it
    REQUIRE(s.it->join(id, std::move(near)));
    int now = -1;
    socklen_t size = sizeof now;
    ::getsockopt(same.number(), IPPROTO_TCP, TCP_USER_TIMEOUT, &now, &size);
    CHECK(now == 0);
}

TEST_CASE("RFC 6062 5.4: a client over TLS and a peer hear each other exactly") {
    for (const auto version : both) {
        CAPTURE(name_of(version));
        secret_couple c(version);
        const blob up = numbered(much / 3), down = numbered(much / 3 + 1);
        c.tls.send(up);
        c.bob.say(down);
        REQUIRE(c.until([&] { return c.bob.heard.size() == up.size() && c.tls.received().size() == down.size(); }));
        CHECK((c.bob.heard == up));
        CHECK(c.tls.received() == down);
        CHECK(up_of(c.it->counters().relayed_bytes) == up.size());
        CHECK(down_of(c.it->counters().relayed_bytes) == down.size());

        c.bob.finish();
        REQUIRE(c.until([&] { return c.tls.closed(); })); // close_notify: nothing was cut off
        c.tls.close();
        REQUIRE(c.until([&] { return !c.gone.empty(); }));
        CHECK(c.bob.heard_end);
        CHECK(c.gone[0].error == 0);
    }
}

TEST_CASE("RFC 8446 6.1: a client that has said close_notify still hears the peer out") {
    secret_couple c(test::tls_version::v1_3);
    c.tls.send(to_blob("that is all"));
    c.tls.close();
    REQUIRE(c.until([&] { return c.bob.heard_end; }));
    CHECK(c.bob.text() == "that is all");
    const blob answer = numbered(much / 3);
    c.bob.say(answer);
    c.bob.finish();
    REQUIRE(c.until([&] { return c.tls.closed(); }));
    CHECK(c.tls.received() == answer);
}

TEST_CASE("RFC 8446 6.1: a client whose close_notify came with its ConnectionBind has finished, and still hears") {
    joining s;
    net::peer_connection id{};
    talker bob = s.peer(id), ann;
    auto near = joining::client(ann);
    const auto context = any_context();
    near.tls = std::make_unique<net::tls_session>(*context);
    test::tls_client tls({.version = test::tls_version::v1_3});
    blob room(1 << 20), answer;
    for (bool closed = false; near.tls->now() != state::closed; answer.clear()) {
        near.tls->receive(tls.to_send(), room, answer);
        tls.receive(answer);
        if (tls.open() && !std::exchange(closed, true)) tls.close();
    }
    near.unread = to_blob("that is all");
    s.everybody = {&ann, &bob};
    REQUIRE(s.it->join(id, std::move(near)));
    REQUIRE(s.until([&] { return bob.heard_end; }));
    CHECK(bob.text() == "that is all");
    bob.say("I see");
    REQUIRE(s.until([&] { return !ann.heard.empty(); }));
    tls.receive(ann.heard);
    CHECK(tls.received() == to_blob("I see"));
}

TEST_CASE("turn: a TLS record that is wrong ends the connection, and the peer hears the end") {
    secret_couple c(test::tls_version::v1_3);
    c.tls.send(to_blob("good"));
    REQUIRE(c.until([&] { return c.bob.text() == "good"; }));
    blob record{std::byte{23}, std::byte{3}, std::byte{3}, std::byte{0}, std::byte{40}};
    record.resize(45);
    c.wire.say(record);
    REQUIRE(c.joining::until([&] { return c.bob.heard_end; }));
    CHECK(c.bob.text() == "good");
    c.bob.finish();
    REQUIRE(c.joining::until([&] { return !c.gone.empty(); }));
    CHECK(c.gone[0].error == EPROTO);
    CHECK(c.it->counters().closed[static_cast<std::size_t>(reason::malformed)].value() == 1);
}
