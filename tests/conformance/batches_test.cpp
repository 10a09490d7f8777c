/// Packets come in batches and trains: what the relay does with one must not depend on what it came with.

#include "support/story.hpp"

namespace turn::test {

namespace {

/// Ann has channel 0x4000 to Bob in a world whose packets are handed over by the test.
struct story {
    world w;
    raw_actor ann = w.raw("ann");
    peer_actor& bob = w.peer();

    explicit story(std::size_t outbox_datagrams = 64) : w(world_options{.outbox_datagrams = outbox_datagrams}) {
        REQUIRE(ann.allocate().code() == success);
        REQUIRE(ann.bind_channel(0x4000, bob).code() == success);
    }
    [[nodiscard]] packet from_ann(const blob& data, std::size_t stride = 0) const {
        return {*w.socket_of(w.listener().local), ann.address(), data, static_cast<std::uint16_t>(stride)};
    }
    [[nodiscard]] packet from_bob(const blob& data) const { return {*w.socket_of(ann.relayed), bob.address, data, 0}; }
    void handle(std::initializer_list<packet> batch) {
        w.handle_batch({batch.begin(), batch.size()});
        w.settle();
    }
};

blob joined(std::initializer_list<blob> parts) {
    blob all;
    for (const blob& part : parts) all.insert(all.end(), part.begin(), part.end());
    return all;
}

} // namespace

TEST_CASE("A train is as many packets as it has segments and the last may be shorter") {
    story s;
    const blob one = channel_data_message(0x4000, to_blob("first")),
               two = channel_data_message(0x4000, to_blob("other"));
    const blob last = channel_data_message(0x4000, to_blob("end"));
    const blob train = joined({one, two, last});
    s.handle({s.from_ann(train, one.size())});
    CHECK(s.bob.received == texts{"first", "other", "end"});
}

TEST_CASE("One bad segment of a train is dropped alone") {
    story s;
    const blob good = channel_data_message(0x4000, to_blob("hello")),
               unbound = channel_data_message(0x4001, to_blob("hello"));
    const blob train = joined({good, unbound, good});
    s.handle({s.from_ann(train, good.size())});
    CHECK(s.bob.received == texts{"hello", "hello"});
    CHECK(s.w.dropped(direction::up, reason::no_channel) == 1);
}

TEST_CASE("RFC 8656 8.2: what follows a deletion in the same train finds no allocation") {
    story s;
    message away = s.ann.authenticated(stun::method::refresh).with<stun::lifetime>(0s);
    away.integrity();
    const blob too_late = channel_data_message(0x4000, to_blob("too late"));
    const blob train = joined({away.raw(), too_late});
    s.handle({s.from_ann(train, away.raw().size())});
    CHECK(s.bob.received.empty());
    CHECK(s.w.dropped(direction::up, reason::no_allocation) == 1);
}

TEST_CASE("RFC 8656 8.2: what a peer sent before the deletion and is handled after it is dropped") {
    story s;
    message away = s.ann.authenticated(stun::method::refresh).with<stun::lifetime>(0s);
    away.integrity();
    const blob too_late = to_blob("too late");
    s.handle({s.from_ann(away.raw()), s.from_bob(too_late)});
    CHECK(s.ann.channel_data(0x4000).empty());
    CHECK(s.w.dropped(direction::down, reason::socket_closed) == 1);
}

TEST_CASE("A packet on a socket that never was is dropped and counted") {
    story s;
    const blob lost = to_blob("hello?");
    s.handle({packet{socket_id{4711}, s.bob.address, lost, 0}});
    CHECK(s.w.dropped(direction::down, reason::socket_closed) == 1);
}

TEST_CASE("A full outbox stops a batch and the next call goes on in the middle of the train") {
    story s;
    const blob one = channel_data_message(0x4000, to_blob("hello"));
    const blob train = joined({one, one, one});
    const packet batch[] = {s.from_ann(train, one.size()), s.from_ann(one)};
    outbox two_datagrams(2);
    batch_cursor at;
    s.w.relay().handle(batch, at, s.w.now(), two_datagrams);
    CHECK(two_datagrams.datagrams().size() == 2);
    CHECK(at.packet == 0);
    CHECK(at.segment == 2);

    two_datagrams.clear();
    s.w.relay().handle(batch, at, s.w.now(), two_datagrams);
    CHECK(two_datagrams.datagrams().size() == 2);
    CHECK(at.packet == 2);
    CHECK(at.segment == 0);
}

TEST_CASE("Among thousands of allocations each packet of a batch finds its own") {
    world w;
    w.compare_every = 100;
    std::vector<raw_actor> others;
    for (int i = 0; i < 2100; ++i) REQUIRE(others.emplace_back(w.raw("somebody")).allocate().code() == success);
    std::vector<raw_actor> clients;
    std::vector<peer_actor*> peers;
    for (int i = 0; i < 40; ++i) {
        peers.push_back(&w.peer());
        REQUIRE(clients.emplace_back(w.raw("ann")).allocate().code() == success);
        REQUIRE(clients.back().bind_channel(0x4000, *peers.back()).code() == success);
    }
    const socket_id listener = *w.socket_of(w.listener().local);
    std::vector<blob> bytes_sent;
    for (int i = 0; i < 40; ++i) {
        bytes_sent.push_back(channel_data_message(0x4000, to_blob("up " + std::to_string(i))));
        bytes_sent.push_back(to_blob("down " + std::to_string(i)));
    }
    message away = clients[7].authenticated(stun::method::refresh).with<stun::lifetime>(0s);
    away.integrity();

    std::vector<packet> batch{{listener, clients[7].address(), away.raw(), 0},
                              {listener, peers[0]->address, bytes_sent[0], 0}, // of somebody without an allocation
                              {socket_id{100'000}, peers[0]->address, bytes_sent[1], 0}};
    for (std::size_t i = 0; i < 40; ++i) {
        batch.push_back({listener, clients[i].address(), bytes_sent[2 * i], 0});
        batch.push_back({*w.socket_of(clients[i].relayed), peers[i]->address, bytes_sent[2 * i + 1], 0});
    }
    w.handle_batch(batch);
    w.settle();
    for (std::size_t i = 0; i < 40; ++i) {
        CAPTURE(i);
        const bool alive = i != 7;
        CHECK(peers[i]->received == (alive ? texts{"up " + std::to_string(i)} : texts{}));
        CHECK(clients[i].channel_data(0x4000) == (alive ? texts{"down " + std::to_string(i)} : texts{}));
    }
    CHECK(w.dropped(direction::up, reason::no_allocation) == 2);
    CHECK(w.dropped(direction::down, reason::socket_closed) == 2);
}

} // namespace turn::test
