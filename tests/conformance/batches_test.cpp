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

} // namespace turn::test
