/// bandwidth-per-allocation: RFC 8656, 5.

#include "support/story.hpp"

namespace turn::test {

namespace {

relay_options limited_to(std::uint64_t bits_per_second) {
    relay_options o;
    o.bandwidth_per_allocation = bits_per_second;
    return o;
}

/// One byte a microsecond, so the bucket holds 250 000 bytes.
constexpr std::uint64_t byte_a_microsecond = 8'000'000;
/// Eight microseconds a byte: a quarter of a second would be 31 250 bytes, so the bucket holds 65 536.
constexpr std::uint64_t slow = 1'000'000;

std::string thousand_bytes() {
    return std::string(1000, 'x');
}

/// Ann has a channel to Bob, and a permission for Carol, whom she speaks with by indications.
struct story {
    world w;
    raw_actor ann = w.raw("ann");
    peer_actor& bob = w.peer();
    peer_actor& carol = w.peer();

    explicit story(std::uint64_t bits_per_second) : w(limited_to(bits_per_second)) {
        REQUIRE(ann.allocate().code() == success);
        REQUIRE(ann.bind_channel(0x4000, bob).code() == success);
        REQUIRE(ann.permit(carol).code() == success);
    }
    void ann_sends(int times, const std::string& text) {
        for (int i = 0; i < times; ++i) ann.send_channel_data(0x4000, text);
    }
    void bob_sends(int times, const std::string& text) {
        for (int i = 0; i < times; ++i) bob.send(ann.relayed, text);
        w.settle();
    }
    [[nodiscard]] std::uint64_t dropped(direction way) const { return w.dropped(way, reason::bandwidth); }
};

} // namespace

TEST_CASE("RFC 8656 5: what exceeds the bandwidth of an allocation is discarded in each direction by itself") {
    story s(byte_a_microsecond);
    s.ann_sends(300, thousand_bytes());
    CHECK(s.bob.received.size() == 250);
    CHECK(s.dropped(direction::up) == 50);
    CHECK(s.dropped(direction::down) == 0);

    s.bob_sends(260, thousand_bytes());
    CHECK(s.ann.channel_data(0x4000).size() == 250);
    CHECK(s.dropped(direction::down) == 10);
    CHECK(s.dropped(direction::up) == 50);
}

TEST_CASE("RFC 8656 5: over time an allocation relays what its bandwidth says and what its bucket held at first") {
    story s(byte_a_microsecond);
    for (int tick = 0; tick <= 100; ++tick) {
        if (tick > 0) s.w.pass(10ms);
        s.ann_sends(50, thousand_bytes());
        s.bob_sends(30, thousand_bytes());
    }
    CHECK(s.bob.received.size() == 250 + 1000); // a second at 1 000 000 bytes
    CHECK(s.dropped(direction::up) == 101 * 50 - 1250);
    CHECK(s.ann.channel_data(0x4000).size() == 1250);
    CHECK(s.dropped(direction::down) == 101 * 30 - 1250);
}

TEST_CASE("RFC 8656 5: an allocation that was silent for long may not send more at once than one that is new") {
    story s(byte_a_microsecond);
    s.ann_sends(1, thousand_bytes());
    s.w.pass(4min);
    s.ann_sends(251, thousand_bytes());
    CHECK(s.bob.received.size() == 251);
    CHECK(s.dropped(direction::up) == 1);
}

TEST_CASE("RFC 8656 5: indications and channels draw from one bucket for all peers") {
    story s(byte_a_microsecond);
    s.ann_sends(100, thousand_bytes());
    for (int i = 0; i < 100; ++i) s.ann.send_indication(s.carol.address, thousand_bytes());
    s.ann_sends(40, thousand_bytes());
    for (int i = 0; i < 20; ++i) s.ann.send_indication(s.carol.address, thousand_bytes());
    CHECK(s.bob.received.size() == 140);
    CHECK(s.carol.received.size() == 110);
    CHECK(s.dropped(direction::up) == 10);

    s.bob_sends(200, thousand_bytes());
    for (int i = 0; i < 60; ++i) s.carol.send(s.ann.relayed, thousand_bytes());
    s.w.settle();
    CHECK(s.ann.channel_data(0x4000).size() == 200);
    CHECK(s.ann.data_from(s.carol.address).size() == 50);
    CHECK(s.dropped(direction::down) == 10);
}

TEST_CASE("RFC 8656 5: a datagram of any size passes when nothing came before it") {
    story s(slow);
    const std::string large(65'503, 'x'); // with the header of ChannelData the largest over UDP
    s.ann_sends(1, large);
    REQUIRE(s.bob.received.size() == 1);
    CHECK(s.bob.received[0].size() == large.size());
    s.ann_sends(1, "small"); // 33 bytes are left in the bucket
    CHECK(s.dropped(direction::up) == 1);
    s.w.pass(1ms); // 125 more
    s.ann_sends(1, "small");
    CHECK(s.bob.received.size() == 2);
}

TEST_CASE("RFC 8656 5: each segment of a GRO train is counted by itself") {
    story s(slow);
    blob train;
    const std::size_t segment = 4 + 1000;
    for (int i = 0; i < 64; ++i) {
        const blob message = channel_data_message(0x4000, to_blob(thousand_bytes()));
        train.insert(train.end(), message.begin(), message.end());
    }
    const blob short_one = channel_data_message(0x4000, to_blob(std::string(100, 'y')));
    train.insert(train.end(), short_one.begin(), short_one.end());
    const packet p{*s.w.socket_of(s.w.listener().local), s.ann.address(), train, segment};
    s.w.handle_batch(std::array{p, p});

    CHECK(s.bob.received.size() == 65 + 1 + 1); // 1 436 bytes are left for the second: its first, and its short last
    CHECK(s.bob.received.back() == std::string(100, 'y'));
    CHECK(s.dropped(direction::up) == 63);

    const blob from_bob = to_blob(std::string(65'000, 'z'));
    const packet down{*s.w.socket_of(s.ann.relayed), s.bob.address, from_bob, 1000};
    s.w.handle_batch(std::array{down, down});
    CHECK(s.ann.channel_data(0x4000).size() == 65);
    CHECK(s.dropped(direction::down) == 65);
}

TEST_CASE("RFC 8656 5: a datagram counts for 64 bytes at least so that empty ones are not free") {
    story s(slow);
    s.ann_sends(1025, "");
    CHECK(s.bob.received.size() == 1024);
    CHECK(s.dropped(direction::up) == 1);
}

TEST_CASE("RFC 8656 5: data that is discarded for another reason costs no bandwidth") {
    story s(slow);
    auto& eve = s.w.peer();
    for (int i = 0; i < 100; ++i) {
        eve.send(s.ann.relayed, thousand_bytes());
        s.ann.send_indication(eve.address, thousand_bytes());
        s.ann.send_channel_data(0x4001, thousand_bytes());
        s.ann.send_indication(s.carol.address.with_port(0), thousand_bytes());
    }
    s.w.settle();
    s.bob.send(s.ann.relayed, std::string(65'507, 'x')); // no room for the header of ChannelData
    s.carol.send(s.ann.relayed, std::string(65'507, 'x'));
    s.w.settle();
    CHECK(s.w.dropped(direction::down, reason::too_big) == 2);
    s.ann_sends(65, thousand_bytes());
    s.bob_sends(65, thousand_bytes());
    CHECK(s.bob.received.size() == 65);
    CHECK(s.ann.channel_data(0x4000).size() == 65);
    CHECK(s.dropped(direction::up) + s.dropped(direction::down) == 0);
}

TEST_CASE("RFC 8656 5: a client over its bandwidth is still answered and takes nothing from others") {
    story s(slow);
    auto dan = s.w.raw("dan");
    REQUIRE(dan.allocate().code() == success);
    REQUIRE(dan.bind_channel(0x4000, s.bob).code() == success);
    for (int i = 0; i < 60; ++i) {
        s.ann_sends(10, thousand_bytes());
        dan.send_channel_data(0x4000, thousand_bytes());
    }
    CHECK(std::count(s.bob.senders.begin(), s.bob.senders.end(), s.ann.relayed) == 65);
    CHECK(std::count(s.bob.senders.begin(), s.bob.senders.end(), dan.relayed) == 60);
    CHECK(s.dropped(direction::up) == 600 - 65);
    CHECK(s.ann.permit(s.carol).code() == success);
    CHECK(s.ann.refresh(0s).code() == success);
    REQUIRE(s.w.events.allocations_ended.size() == 1);
    CHECK(s.w.events.allocations_ended[0].use.packets_up == 65); // the bill has what was relayed
    CHECK(s.w.events.allocations_ended[0].use.bytes_up == 65'000);
}

TEST_CASE("RFC 8656 5: without a bandwidth for allocations there is no limit") {
    story s(relay_options{}.bandwidth_per_allocation);
    const std::string large(60'000, 'x');
    s.ann_sends(500, large);
    s.bob_sends(500, large);
    CHECK(s.bob.received.size() == 500);
    CHECK(s.ann.channel_data(0x4000).size() == 500);
    CHECK(s.dropped(direction::up) + s.dropped(direction::down) == 0);
}

} // namespace turn::test
