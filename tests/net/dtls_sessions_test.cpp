/// RFC 7350 at the server, over a network in memory: what a stranger can do before and after his cookie.

#include <doctest/doctest.h>

#include <malloc.h>

#include "dtls_client.hpp"
#include "net/dtls_sessions.hpp"
#include "support/fake_packet_io.hpp"

using namespace std::chrono_literals;
using namespace turn;
using namespace turn::test;
using namespace turn::net_test;

namespace {

blob to_blob(std::string_view text) {
    const auto data = std::as_bytes(std::span(text));
    return {data.begin(), data.end()};
}

/// dtls_sessions whose time passes as the test says.
struct story {
    dtls_trust trust{};
    fake_ports ports{};
    fake_packet_io io{ports};
    socket_id listener = *io.open(*transport_address::parse("192.0.2.1:5349"), {.role = net::socket_role::listener});
    net::connection_budget budget{40, 20};
    net::dtls_sessions it;
    time_point now = time_point() + 1h;
    std::vector<socket_id> come{}, gone{};
    std::vector<std::pair<socket_id, blob>> heard{};

    explicit story(net::dtls_options o = {}, bool plain = false, std::vector<certificate_files> files = {})
        : it(o, budget, io) {
        if (files.empty()) files.push_back(trust.files);
        CHECK(it.listen(listener, *net::tls_context::load(std::move(files)), plain) == 0);
    }

    void handle(std::span<const packet> batch) {
        do {
            const auto part = it.receive(batch, now);
            for (const auto& c : part.come) come.push_back(c.id);
            for (const packet& p : part.packets) heard.emplace_back(p.via, blob(p.data.begin(), p.data.end()));
            for (const auto& c : part.gone) gone.push_back(c.id);
            batch = batch.subspan(part.taken);
        } while (!batch.empty());
    }
    void receive() {
        for (auto batch = io.receive(); !batch.empty(); batch = io.receive()) handle(batch);
    }
    void pass(time_point::duration d) {
        now += d;
        it.tick(now);
        handle({});
    }
    void say(socket_id to, std::string_view text) {
        const blob body = to_blob(text);
        const datagram d{.via = to, .body = body, .way = direction::down};
        it.send({&d, 1});
    }
    std::uint64_t sessions() const {
        return it.counters().connections[static_cast<std::size_t>(transport::dtls)].value();
    }
    std::uint64_t closed_for(reason why) const { return it.counters().closed[static_cast<std::size_t>(why)].value(); }
    std::uint64_t dropped(reason why) const {
        return it.datagram_counters().dropped[static_cast<std::size_t>(why)].value();
    }
    void check_books() const {
        const dtls_counters& b = it.datagram_counters();
        std::uint64_t known = b.for_sessions.value() + b.challenged.value();
        for (const auto& n : b.dropped) known += n.value();
        CHECK(b.received.value() == known);
    }
};

/// Somebody on the fake network.
struct person {
    story& s;
    fake_packet_io io;
    socket_id socket;
    std::optional<dtls_client> client{};

    person(story& at, std::string_view address)
        : s(at), io(at.ports), socket(*io.open(*transport_address::parse(address), {})) {
        begin();
    }
    /// A new handshake from the same address and port.
    void begin() { client.emplace(io, socket, s.io.local_address(s.listener), s.trust); }
    /// What has come for us, not taken.
    std::vector<blob> inbox() {
        std::vector<blob> all;
        for (auto batch = io.receive(); !batch.empty(); batch = io.receive())
            for (const packet& p : batch)
                for (std::size_t i = 0; i < p.segments(); ++i)
                    all.emplace_back(p.segment(i).begin(), p.segment(i).end());
        return all;
    }
    /// One way there and back; returns whether anything moved.
    bool step() {
        const bool said = client->row.size() != 0;
        client->flush();
        s.receive();
        const auto came = inbox();
        for (const blob& d : came) client->take(d);
        return said || !came.empty();
    }
    void settle() {
        while (step()) {}
    }
    void shake_hands() {
        settle();
        REQUIRE(client->open());
    }
    void say(std::string_view text) {
        client->say(to_blob(text));
        settle();
    }
};

constexpr std::string_view home = "198.51.100.7:40000";

} // namespace

TEST_CASE("RFC 7350 3: a client shakes hands and each record is a message, both ways") {
    story s;
    person ann(s, home);
    ann.shake_hands();
    CHECK(s.come.empty()); // known by its first message
    ann.say("one");
    ann.client->session().send({.body = to_blob("two")}, ann.client->row);
    ann.client->session().send({.body = to_blob("three")}, ann.client->row);
    blob both(ann.client->row.octets);
    ann.client->row.cut(0);
    ann.client->row.append(both); // two records in one datagram
    ann.settle();
    REQUIRE(s.come.size() == 1);
    const socket_id id = s.come[0];
    CHECK(kind_of(id) == socket_kind::dtls);
    CHECK(s.heard ==
          std::vector<std::pair<socket_id, blob>>{{id, to_blob("one")}, {id, to_blob("two")}, {id, to_blob("three")}});
    s.say(id, "four");
    s.say(id, std::string(16'384, 'x'));
    ann.settle();
    CHECK(ann.client->heard == std::vector<blob>{to_blob("four"), to_blob(std::string(16'384, 'x'))});
    CHECK(s.it.counters().handshakes.value() == 1);
    CHECK(s.it.counters().received_frames.value() == 3);
    CHECK(s.io.counters().sent_packets[static_cast<std::size_t>(direction::down)].value() == 2);
    CHECK(s.io.counters().sent_packets[static_cast<std::size_t>(direction::control)].value() ==
          s.it.datagram_counters().own.value());

    s.say(id, std::string(16'385, 'x'));
    CHECK(s.it.counters()
              .dropped[static_cast<std::size_t>(direction::down)][static_cast<std::size_t>(reason::too_big)]
              .value() == 1);
    s.check_books();
}

TEST_CASE("RFC 6347 4.2.1: a ClientHello without a cookie costs no memory and is answered with less than it said") {
    story s;
    for (int i = 0; i < 100; ++i) {
        person stranger(s, "198.51.100.7:" + std::to_string(1000 + i));
        const std::size_t said = stranger.client->row[0].size();
        stranger.client->flush();
        s.receive();
        const auto answer = stranger.inbox();
        REQUIRE(answer.size() == 1);
        CHECK(answer[0].size() < said);
    }
    CHECK(s.sessions() == 0);
    CHECK(s.budget.in_use() == 0);
    CHECK(s.it.next_deadline() == time_point::max());
    CHECK(s.it.datagram_counters().challenged.value() == 100);
    s.check_books();
}

TEST_CASE("RFC 6347 4.2.1: a cookie is good for one address and one ClientHello, and for a minute at most") {
    story s;
    person ann(s, home);
    ann.step(); // asked for the cookie
    const blob with_cookie(ann.client->row[0].begin(), ann.client->row[0].end());

    person eve(s, "198.51.100.7:40001");
    eve.client->row.cut(0);
    eve.client->row.append(with_cookie);
    eve.client->flush();
    s.receive();
    CHECK(s.sessions() == 0); // another port

    blob other = with_cookie;
    other[13 + 12 + 2] ^= std::byte{1}; // another random
    ann.client->row.cut(0);
    ann.client->row.append(other);
    ann.client->flush();
    s.receive();
    CHECK(s.sessions() == 0);

    s.now += 2 * net::dtls_cookies::period;
    ann.client->row.append(with_cookie);
    ann.client->flush();
    s.receive();
    CHECK(s.sessions() == 0);

    s.now -= net::dtls_cookies::period;
    ann.client->row.append(with_cookie);
    ann.client->flush();
    s.receive();
    CHECK(s.sessions() == 1);
    s.check_books();
}

TEST_CASE("RFC 6347 4.2.8: a new handshake from the same address ends the session with its cookie, and not before") {
    story s;
    person ann(s, home);
    ann.shake_hands();
    ann.say("before");
    const socket_id first = s.come.at(0);

    ann.begin(); // she has forgotten everything, or somebody forges her address
    ann.client->flush();
    s.receive();
    CHECK(s.gone.empty());
    s.say(first, "still here");
    const auto came = ann.inbox();
    REQUIRE(came.size() == 2); // the HelloVerifyRequest, and what was said
    ann.client->take(came[0]);
    ann.client->flush();
    s.receive();
    CHECK(s.gone == std::vector{first});
    ann.shake_hands();
    ann.say("after");
    REQUIRE(s.come.size() == 2);
    CHECK(s.come[1] != first);
    CHECK(s.heard.back() == std::pair(s.come[1], to_blob("after")));
    CHECK(s.sessions() == 1);
    s.check_books();
}

TEST_CASE("RFC 6347 4.2.8: a ClientHello that comes twice, also late, changes nothing") {
    story s;
    person ann(s, home);
    ann.step();
    const blob with_cookie(ann.client->row[0].begin(), ann.client->row[0].end());
    const auto again = [&] {
        const datagram d{.via = ann.socket, .to = s.io.local_address(s.listener), .body = with_cookie};
        ann.io.send({&d, 1});
    };
    ann.client->flush();
    again();
    ann.shake_hands();
    ann.say("hello");
    again();
    ann.say("still the same");
    CHECK(s.gone.empty());
    CHECK(s.sessions() == 1);
    CHECK(s.heard.size() == 2);
    s.check_books();
}

TEST_CASE("RFC 6347 4.2.4: the server sends a flight again that was not answered") {
    story s({.first_retransmission = 50ms});
    person ann(s, home);
    ann.step();
    ann.client->flush();
    s.receive();
    const auto lost = ann.inbox();
    REQUIRE_FALSE(lost.empty());
    REQUIRE(s.it.next_deadline() < s.now + 10s);
    std::vector<blob> again;
    // OpenSSL looks at a clock of its own, which goes as fast as this one.
    const auto begin = std::chrono::steady_clock::now();
    for (auto passed = 0ns; again.empty() && passed < patience; passed = std::chrono::steady_clock::now() - begin) {
        s.it.tick(s.now + std::min<time_point::duration>(passed, 9s));
        again = ann.inbox();
    }
    REQUIRE_FALSE(again.empty());
    for (const blob& d : again) ann.client->take(d);
    ann.shake_hands();
    ann.say("hello");
    CHECK(s.heard.size() == 1);
    CHECK(s.it.next_deadline() == s.now + 30s);
}

TEST_CASE("RFC 6347 4.1.1.1: no datagram of a handshake is longer than 1200 bytes, however long the chain") {
    dtls_trust trust;
    const issued_certificate large = trust.authority.issue({.rsa_bits = 4096});
    std::string chain = large.chain;
    for (int i = 0; i < 3; ++i) chain += trust.authority.issue({.rsa_bits = 4096}).chain;
    const certificate_files files = trust.folder.files({chain, large.key}, "large");
    story s({}, false, {files});
    person ann(s, home);
    ann.step();
    ann.client->flush();
    s.receive();
    const auto flight = ann.inbox();
    std::size_t sum = 0;
    for (const blob& d : flight) {
        CHECK(d.size() <= 1200);
        sum += d.size();
    }
    CHECK(sum > 5000);
}

TEST_CASE("turn: a DTLS handshake that stops half-way and a session that says nothing are ended in time") {
    story s({.idle = 30s, .handshake = 10s});
    person half(s, home);
    half.step();
    half.client->flush();
    s.receive();
    CHECK(s.sessions() == 1);
    person silent(s, "198.51.100.8:1");
    silent.shake_hands();
    person ann(s, "198.51.100.9:1");
    ann.shake_hands();
    ann.say("hello");
    CHECK(s.budget.in_use() == 3);
    s.pass(10s);
    CHECK(s.closed_for(reason::handshake_timeout) == 1);
    CHECK(s.closed_for(reason::connection_idle) == 1);
    CHECK(s.gone.empty()); // nobody had heard of them
    CHECK(s.sessions() == 1);

    s.pass(19s);
    ann.say("here");
    s.pass(29s);
    CHECK(s.gone.empty());
    s.pass(1s);
    CHECK(s.gone == s.come);
    CHECK(s.sessions() == 0);
    CHECK(s.budget.in_use() == 0);
    CHECK(s.it.next_deadline() == time_point::max());
    silent.settle();
    CHECK(silent.client->session().now() == net::dtls_session::state::closed); // it was told
}

TEST_CASE("turn: a DTLS session with an allocation stays as long as it has one, and is in no budget") {
    story s;
    person ann(s, home);
    ann.shake_hands();
    ann.say("hello");
    s.it.claim(s.come[0], true, s.now);
    CHECK(s.budget.in_use() == 0);
    CHECK(s.it.next_deadline() == time_point::max());
    s.pass(24h);
    CHECK(s.sessions() == 1);
    s.it.claim(s.come[0], false, s.now);
    CHECK(s.budget.in_use() == 1);
    s.pass(30s);
    CHECK(s.sessions() == 0);
    CHECK(s.gone == s.come);
}

TEST_CASE("turn: one source has so many DTLS sessions without an allocation and no more") {
    story s;
    std::vector<std::unique_ptr<person>> crowd;
    for (int i = 0; i < 21; ++i)
        crowd.push_back(std::make_unique<person>(s, "198.51.100.7:" + std::to_string(1000 + i)));
    for (auto& p : crowd) p->settle();
    CHECK(s.sessions() == 20);
    CHECK_FALSE(crowd.back()->client->open());
    CHECK(s.closed_for(reason::connections_per_source) == 1);
    CHECK(s.dropped(reason::connections_per_source) == 1);
    crowd.front()->client->close();
    s.receive();
    CHECK(s.sessions() == 19);
    s.check_books();
}

TEST_CASE("RFC 6347 4.1.2.7: whatever somebody forges in a client's name, an open session goes on") {
    story s;
    person ann(s, home);
    ann.shake_hands();
    ann.say("hello");
    const auto forged = [&](blob d) {
        const datagram out{.via = ann.socket, .to = s.io.local_address(s.listener), .body = d};
        ann.io.send({&out, 1});
        s.receive();
    };
    for (const unsigned type : {20U, 21U, 22U, 23U, 24U, 63U})
        for (const unsigned epoch : {0U, 1U, 2U}) {
            blob d(13 + 40);
            d[0] = std::byte{static_cast<unsigned char>(type)};
            d[1] = std::byte{0xfe};
            d[2] = std::byte{0xfd};
            d[4] = std::byte{static_cast<unsigned char>(epoch)};
            d[10] = std::byte{0xff}; // a number to come
            d[12] = std::byte{40};
            d[13] = std::byte{2}; // a fatal alert, if it is one
            forged(d);
            d.resize(30); // cut off
            forged(d);
        }
    ann.say("still here");
    CHECK(s.heard.size() == 2);
    CHECK(s.gone.empty());
    s.check_books();
}

TEST_CASE("turn: what OpenSSL keeps for a handshake is bounded") {
    story s;
    person eve(s, home);
    eve.step();
    eve.client->flush();
    s.receive();
    REQUIRE(s.sessions() == 1);
    const auto before = ::mallinfo2().uordblks;
    const auto send = [&](unsigned char type, unsigned char epoch, unsigned number, std::size_t size) {
        blob d(13 + size);
        d[0] = std::byte{type};
        d[1] = std::byte{0xfe};
        d[2] = std::byte{0xfd};
        d[4] = std::byte{epoch};
        d[9] = static_cast<std::byte>(number >> 8);
        d[10] = static_cast<std::byte>(number);
        d[11] = static_cast<std::byte>(size >> 8);
        d[12] = static_cast<std::byte>(size);
        if (type == 22 && epoch == 0) { // the first byte of a message of 64 KiB
            d[13] = std::byte{16};
            d[14] = std::byte{1};
            d[18] = static_cast<std::byte>(2 + number % 8);
            d[24] = std::byte{1};
        }
        const datagram out{.via = eve.socket, .to = s.io.local_address(s.listener), .body = d};
        eve.io.send({&out, 1});
        s.receive();
        eve.inbox();
    };
    for (unsigned i = 0; i < 2000; ++i) {
        send(22, 1, i, 1000); // encrypted, too early
        send(23, 1, i, 1000);
        send(22, 0, 100 + i, 13);
    }
    CHECK(s.sessions() == 1);
    CHECK(::mallinfo2().uordblks < before + 400'000);
}

TEST_CASE("RFC 7983 7: STUN and DTLS on one socket are told apart by their first byte, in one train, too") {
    story s({}, true);
    person ann(s, home);
    ann.shake_hands();
    ann.say("hello");
    blob record = [&] {
        ann.client->session().send({.body = to_blob("in a train")}, ann.client->row);
        blob r(ann.client->row.octets);
        ann.client->row.cut(0);
        return r;
    }();
    blob train(record.size()); // begins like STUN
    train.insert(train.end(), record.begin(), record.end());
    const packet p{s.listener, ann.io.local_address(ann.socket), train, static_cast<std::uint16_t>(record.size())};
    REQUIRE(s.it.concerns({&p, 1}));
    s.handle({&p, 1});
    REQUIRE(s.heard.size() == 3);
    CHECK(s.heard[1] == std::pair(s.listener, blob(record.size())));
    CHECK(s.heard[2] == std::pair(s.come[0], to_blob("in a train")));

    for (const unsigned first : {0U, 3U, 19U, 64U, 79U, 255U}) {
        const blob plain(20, std::byte{static_cast<unsigned char>(first)});
        const packet other{s.listener, ann.io.local_address(ann.socket), plain, 0};
        CHECK_FALSE(s.it.concerns({&other, 1}));
    }
    s.check_books();
}

TEST_CASE("turn: a socket for DTLS alone takes nothing else, and a record without a session is dropped") {
    story s;
    person ann(s, home);
    const auto send = [&](blob d) {
        const datagram out{.via = ann.socket, .to = s.io.local_address(s.listener), .body = d};
        ann.io.send({&out, 1});
        s.receive();
    };
    send(blob(20));
    send({});
    CHECK(s.dropped(reason::malformed) == 2);
    blob data(13 + 30);
    data[0] = std::byte{23};
    data[1] = std::byte{0xfe};
    data[2] = std::byte{0xfd};
    data[12] = std::byte{30};
    send(data);
    CHECK(s.dropped(reason::no_session) == 1);
    CHECK(s.heard.empty());
    CHECK(ann.inbox().empty());
    s.check_books();
}

TEST_CASE("RFC 6347 4.2.1: a ClientHello in fragments is dropped, not put together") {
    story s;
    person ann(s, home);
    blob hello(ann.client->row[0].begin(), ann.client->row[0].end());
    hello[13 + 3] ^= std::byte{1}; // the message is longer than this part
    ann.client->row.cut(0);
    ann.client->row.append(hello);
    ann.client->flush();
    s.receive();
    CHECK(s.dropped(reason::malformed) == 1);
    CHECK(ann.inbox().empty());
}

TEST_CASE("RFC 6347 4.2: close_notify ends a session on both sides") {
    story s;
    person ann(s, home);
    ann.shake_hands();
    ann.say("hello");
    ann.client->close();
    s.receive();
    CHECK(s.gone == s.come);
    CHECK(s.sessions() == 0);

    person bob(s, "198.51.100.8:1");
    bob.shake_hands();
    bob.say("hello");
    s.it.close(s.come.at(1), reason::none);
    CHECK(s.it.more());
    s.handle({});
    bob.settle();
    CHECK(bob.client->session().now() == net::dtls_session::state::closed);
    CHECK(s.gone.size() == 2);
    s.say(s.come[1], "too late");
    CHECK(s.it.counters()
              .dropped[static_cast<std::size_t>(direction::down)][static_cast<std::size_t>(reason::socket_closed)]
              .value() == 1);
}

TEST_CASE("RFC 7350 3: nobody shakes hands who does not trust the certificate, and the server counts it") {
    story s;
    person ann(s, home);
    const dtls_trust other;
    ann.client.emplace(ann.io, ann.socket, s.io.local_address(s.listener), other);
    ann.settle();
    CHECK(ann.client->session().now() == net::dtls_session::state::failed);
    CHECK(ann.client->session().distrust() == net::tls_distrust::unknown_authority);
    CHECK(s.closed_for(reason::handshake_failed) == 1);
    CHECK(s.sessions() == 0);
    CHECK(s.budget.in_use() == 0);
}
