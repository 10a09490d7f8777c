/// bandwidth-per-allocation, RFC 8656, 5, for TCP relays: nothing is dropped, who has used it up is read later.

#include "joined.hpp"

using namespace turn;
using namespace turn::net_test;

namespace {

constexpr std::uint64_t a_byte_a_microsecond = 8'000'000; ///< bits per second
constexpr std::size_t at_once = 250'000;                  ///< a quarter of a second's worth
constexpr std::size_t after_a_pause = 125'000;
constexpr std::uint64_t slowest = 1'000;             ///< bits per second
constexpr std::size_t at_once_when_slowest = 65'536; ///< which takes nine minutes to come again

std::uint64_t held_back(const joining& s, direction d) {
    return s.it->counters().held_back[static_cast<std::size_t>(d)].value();
}

/// Peers of one relay or of several, each with a client.
struct crowd : joining {
    crowd() : joining({.bandwidth_per_allocation = a_byte_a_microsecond}) {}

    talker& join(const allocation_place& of) {
        talker bob = peer(id);
        talker ann;
        auto near = client(ann);
        clients.push_back(std::make_unique<talker>(std::move(ann)));
        peers.push_back(std::make_unique<talker>(std::move(bob)));
        everybody.push_back(clients.back().get());
        everybody.push_back(peers.back().get());
        REQUIRE(it->join(id, std::move(near), of));
        return *peers.back();
    }
    [[nodiscard]] std::size_t heard_by(std::size_t client) const { return clients[client]->heard.size(); }

    net::peer_connection id{}; ///< the last one's
    std::vector<std::unique_ptr<talker>> clients{}, peers{};
};

} // namespace

TEST_CASE("RFC 8656 5: a connection of a TCP relay is read no faster than its bandwidth, each way by itself") {
    net::peer_connection_options options{.bandwidth_per_allocation = a_byte_a_microsecond};
    SUBCASE("through pipes") {}
    SUBCASE("without any to be had") {
        options.most_pipes = 0;
    }
    couple c(options);
    const blob up = numbered(700'000);
    c.ann.say(up);
    c.ann.finish();
    c.settle();
    CHECK(c.bob.heard.size() == at_once);
    CHECK(held_back(c, direction::up) == 1);
    CHECK(c.it->traffic_of(c.id).held_back == 1);
    CHECK_FALSE(c.it->more()); // until then nobody is awake
    CHECK(c.it->next_deadline() == c.now + 125ms);

    c.bob.say("I hear you");
    c.settle();
    CHECK(c.ann.text() == "I hear you");
    CHECK(held_back(c, direction::down) == 0);

    c.pass(125ms - 1ms);
    c.settle();
    CHECK(c.bob.heard.size() == at_once);
    for (std::size_t expected = at_once; expected < up.size() - after_a_pause;) {
        c.pass(c.it->next_deadline() - c.now);
        c.settle();
        expected += after_a_pause;
        CHECK(c.bob.heard.size() == expected);
        CHECK_FALSE(c.bob.heard_end);
    }
    c.pass(125ms);
    REQUIRE(c.until([&] { return c.bob.heard_end; }));
    CHECK((c.bob.heard == up));
    c.bob.finish();
    REQUIRE(c.until([&] { return c.over(); }));
    CHECK(c.gone[0].error == 0);
    CHECK(c.gone[0].carried.held_back == held_back(c, direction::up));
    CHECK(c.it->next_deadline() == time_point::max());
}

TEST_CASE("RFC 8656 5: a connection of a TCP relay that pauses may say as much at once as at first") {
    couple c({.bandwidth_per_allocation = a_byte_a_microsecond});
    for (std::size_t round = 1; round <= 3; ++round) {
        c.bob.say(numbered(at_once));
        c.settle();
        CHECK(c.ann.heard.size() == round * at_once);
        c.pass(125ms); // so that it finds that there is nothing more to be read
        c.settle();
        CHECK(c.it->next_deadline() == time_point::max());
        c.pass(125ms);
    }
}

TEST_CASE("RFC 8656 5: all connections of a TCP allocation share its bandwidth in turn, and others have their own") {
    crowd c;
    constexpr std::size_t fellows = 3;
    const allocation_place anns{.index = 0, .number = 1}, carols{.index = 1, .number = 2};
    for (std::size_t i = 0; i < fellows; ++i) c.join(anns).say(numbered(1'000'000));
    c.join(carols).say(numbered(1'000'000));
    c.settle();
    CHECK(c.heard_by(0) + c.heard_by(1) + c.heard_by(2) == at_once);
    CHECK(c.heard_by(fellows) == at_once);

    std::array<std::size_t, fellows> before{};
    for (std::size_t i = 0; i < fellows; ++i) before[i] = c.heard_by(i);
    constexpr std::size_t pauses = 4;
    for (std::size_t i = 0; i < pauses; ++i) {
        c.pass(125ms);
        c.settle();
    }
    for (std::size_t i = 0; i < fellows; ++i) {
        const std::size_t more = c.heard_by(i) - before[i], share = pauses * after_a_pause / fellows;
        CHECK(more <= share + pauses);
        CHECK(more + pauses >= share);
    }
    CHECK(c.heard_by(fellows) == at_once + pauses * after_a_pause);
}

TEST_CASE("RFC 8656 5: when many wait for a TCP allocation's bandwidth nobody is passed over") {
    crowd c;
    const allocation_place anns{.index = 0, .number = 1};
    constexpr std::size_t fellows = 40; // more than 4 KiB each would be too much for one pause
    for (std::size_t i = 0; i < fellows; ++i) c.join(anns).say(numbered(300'000));
    c.settle();
    std::size_t first = 0;
    for (std::size_t i = 0; i < fellows; ++i) first += c.heard_by(i);
    CHECK(first == at_once);
    for (int i = 0; i < 4; ++i) {
        c.pass(125ms);
        c.settle();
    }
    for (std::size_t i = 0; i < fellows; ++i) CHECK(c.heard_by(i) >= 4096);
}

TEST_CASE("RFC 8656 5: a TCP allocation's bandwidth is not renewed by a new connection, only by a new allocation") {
    crowd c;
    const allocation_place anns{.index = 0, .number = 1}, after_her{.index = 0, .number = 2};
    c.join(anns).say(numbered(at_once + 1));
    c.settle();
    CHECK(c.heard_by(0) == at_once);
    c.it->close(c.id);
    CHECK(c.it->next_deadline() == time_point::max()); // nobody waits any more
    c.join(anns).say("hello");
    c.settle();
    CHECK(c.heard_by(1) == 0);
    CHECK(c.it->traffic_of(c.id).held_back == 1); // whoever had its id before is not counted
    c.join(after_her).say("hello");
    c.settle();
    CHECK(c.heard_by(2) == 5);
}

TEST_CASE("RFC 8656 5: what came behind ConnectionBind counts against the bandwidth of a TCP relay") {
    joining s({.bandwidth_per_allocation = a_byte_a_microsecond});
    net::peer_connection id{};
    talker bob = s.peer(id), ann;
    auto near = joining::client(ann);
    near.unread = numbered(50'000 + at_once); // it has been read: what is too much is owed
    ann.say("more");
    s.everybody = {&ann, &bob};
    REQUIRE(s.it->join(id, std::move(near)));
    s.settle();
    CHECK(bob.heard.size() == 50'000 + at_once);
    s.pass(125ms);
    s.settle();
    CHECK(bob.heard.size() == 50'000 + at_once);
    s.pass(50ms);
    s.settle();
    CHECK(bob.heard.size() == 50'000 + at_once + 4);
}

TEST_CASE("RFC 8656 5: over TLS it is the application data that counts, and nothing is lost") {
    for (const auto version : both) {
        CAPTURE(name_of(version));
        secret_couple c(version, {.bandwidth_per_allocation = a_byte_a_microsecond});
        const blob up = numbered(600'000), down = numbered(600'000);
        const auto settle = [&] {
            for (int i = 0; i < 3; ++i) {
                c.settle();
                c.carry();
            }
        };
        c.tls.send(up);
        c.bob.say(down);
        c.carry();
        settle();
        CHECK(c.bob.heard.size() >= at_once);
        CHECK(c.bob.heard.size() < at_once + 16'384); // a record is not divided
        CHECK(c.tls.received().size() == at_once);
        c.pass(125ms);
        settle();
        CHECK(c.bob.heard.size() < at_once + after_a_pause + 16'384); // and what was too much is owed
        CHECK(c.tls.received().size() == at_once + after_a_pause);
        for (int i = 0; i < 4; ++i) {
            c.pass(125ms);
            settle();
        }
        CHECK((c.bob.heard == up));
        CHECK(c.tls.received() == down);
    }
}

TEST_CASE("turn: who waits for bandwidth is neither silent nor gone, and what is left of them is not cut off") {
    couple c({.half_closed = 30s, .broken = 30s, .bandwidth_per_allocation = slowest});
    const blob said = numbered(80'000);
    c.ann.say(said);
    bool breaks = false;
    SUBCASE("when the other has finished") {
        c.bob.finish();
    }
    SUBCASE("when they have broken") {
        breaks = true;
    }
    c.settle();
    CHECK(c.bob.heard.size() == at_once_when_slowest);
    if (breaks) {
        REQUIRE(c.ann.said_all());
        c.ann.abort();
    } else {
        c.ann.finish();
    }
    c.everybody = {&c.ann, &c.bob};
    int pauses = 0;
    for (c.settle(); c.bob.heard.size() < said.size() && pauses < 10; ++pauses) {
        REQUIRE_FALSE(c.over());
        CHECK(c.it->next_deadline() - c.now > 30s); // 4 KiB, or nobody is woken for it
        c.pass(c.it->next_deadline() - c.now);
        c.settle();
    }
    CHECK(pauses == 4);
    REQUIRE(c.until([&] { return c.over(); }));
    CHECK((c.bob.heard == said));
    CHECK(c.gone[0].error == (breaks ? ECONNRESET : 0));
}

TEST_CASE("turn: a peer that breaks is not waited for, though its client has no bandwidth left") {
    couple c({.bandwidth_per_allocation = slowest});
    c.ann.say(numbered(100'000));
    c.settle();
    REQUIRE(held_back(c, direction::up) == 1);
    c.bob.abort();
    c.everybody = {&c.ann};
    REQUIRE(c.until([&] { return c.over(); }));
    CHECK(c.it->next_deadline() == time_point::max());
}

TEST_CASE("turn: the bandwidth of TCP relays is set, raised and taken away while they relay") {
    couple c;
    c.ann.say(numbered(at_once));
    c.settle();
    CHECK(c.bob.heard.size() == at_once);

    c.it->limit_bandwidth(slowest, c.now);
    c.ann.say(numbered(at_once));
    c.settle();
    CHECK(c.bob.heard.size() == at_once + at_once_when_slowest);

    c.it->limit_bandwidth(a_byte_a_microsecond, c.now);
    c.settle();
    CHECK(c.bob.heard.size() == at_once + at_once_when_slowest); // used up is used up
    c.pass(125ms);                                               // but not for nine minutes
    c.settle();
    CHECK(c.bob.heard.size() == at_once + at_once_when_slowest + after_a_pause);

    c.it->limit_bandwidth(0, c.now);
    c.settle();
    CHECK(c.bob.heard.size() == 2 * at_once);
    CHECK(c.it->next_deadline() == time_point::max());
}
