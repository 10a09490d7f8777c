/// ChannelData: RFC 8656, 12 (first bytes), 12.4 to 12.7.

#include "support/story.hpp"

namespace turn::test {

namespace {

/// Ann has channel 0x4000 to Bob.
struct story {
    world w{};
    raw_actor ann = w.raw("ann");
    peer_actor& bob = w.peer();

    story() {
        REQUIRE(ann.allocate().code() == success);
        REQUIRE(ann.bind_channel(0x4000, bob).code() == success);
    }
};

} // namespace

TEST_CASE("RFC 8656 12.6: ChannelData becomes a datagram from the relayed address") {
    story s;
    s.ann.send_channel_data(0x4000, "hello");
    CHECK(s.bob.received == texts{"hello"});
    CHECK(s.bob.senders[0] == s.ann.relayed);
}

TEST_CASE("RFC 8656 12.6: ChannelData without data becomes an empty datagram") {
    story s;
    s.ann.send_channel_data(0x4000, "");
    CHECK(s.bob.received == texts{""});
}

TEST_CASE("RFC 8656 12.7: an empty datagram of the peer becomes ChannelData without data") {
    story s;
    s.bob.send(s.ann.relayed, "");
    s.w.settle();
    CHECK(s.ann.channel_data(0x4000) == texts{""});
}

TEST_CASE("RFC 8656 12.5: bytes behind the length of ChannelData are padding and go nowhere") {
    story s;
    s.ann.send_channel_data(0x4000, "hello", 3);
    s.ann.send_channel_data(0x4000, "hello", 40);
    CHECK(s.bob.received == texts{"hello", "hello"});
}

TEST_CASE("RFC 8656 12.5: ChannelData over UDP leaves without padding") {
    story s;
    s.bob.send(s.ann.relayed, "hello");
    s.w.settle();
    const auto heard = s.ann.take();
    REQUIRE(heard.size() == 1);
    CHECK(to_text(heard[0]) == std::string("\x40\x00\x00\x05hello", 9));
}

TEST_CASE("RFC 8656 12.6: ChannelData that is shorter than it says is discarded") {
    story s;
    blob short_by_one = channel_data_message(0x4000, to_blob("hello"));
    short_by_one.pop_back();
    s.ann.send(short_by_one);
    for (const std::size_t stub : {1U, 2U, 3U}) s.ann.send(bytes(short_by_one).first(stub));
    CHECK(s.bob.received.empty());
    CHECK(s.w.dropped(direction::up, reason::truncated_data) == 4);
}

TEST_CASE("RFC 8656 12.6: ChannelData on a channel that is not bound is discarded") {
    story s;
    s.ann.send_channel_data(0x4001, "hello");
    s.ann.send_channel_data(0x4fff, "hello");
    CHECK(s.bob.received.empty());
    CHECK(s.ann.received().empty());
    CHECK(s.w.dropped(direction::up, reason::no_channel) == 2);
}

TEST_CASE("RFC 8656 12: a first byte that belongs to no protocol here is dropped") {
    story s;
    for (int first = 0x80; first <= 0xff; ++first) {
        blob datagram = channel_data_message(0x4000, to_blob("hello"));
        datagram[0] = std::byte(first);
        s.ann.send(datagram);
    }
    s.ann.send(blob{});
    CHECK(s.bob.received.empty());
    CHECK(s.ann.received().empty());
    CHECK(s.w.dropped(direction::up, reason::malformed) == 129);
}

TEST_CASE("RFC 8656 12.6: ChannelData refreshes neither the channel nor the permission") {
    story s;
    REQUIRE(s.ann.refresh(3600s).code() == success);
    s.w.pass(299s);
    s.ann.send_channel_data(0x4000, "one");
    s.bob.send(s.ann.relayed, "one");
    s.w.pass(1s);
    s.bob.send(s.ann.relayed, "the permission is over");
    s.w.pass(299s);
    s.ann.send_channel_data(0x4000, "two");
    s.w.pass(1s);
    s.ann.send_channel_data(0x4000, "the channel is over");
    CHECK(s.ann.channel_data(0x4000) == texts{"one"});
    CHECK(s.bob.received == texts{"one", "two"});
}

TEST_CASE("RFC 8656 12.6: a bound channel suffices on the way up when the permission has expired") {
    story s;
    s.w.pass(301s);
    s.ann.send_channel_data(0x4000, "hello");
    CHECK(s.bob.received == texts{"hello"});
}

TEST_CASE("RFC 8656 12.6: ChannelData carries any bytes whatever they look like") {
    story s;
    const message binding = s.ann.request(stun::method::binding);
    const std::string looks_like_stun = to_text(binding.view());
    s.ann.send_channel_data(0x4000, looks_like_stun);
    s.bob.send(s.ann.relayed, looks_like_stun);
    s.w.settle();
    CHECK(s.bob.received == texts{looks_like_stun});
    CHECK(s.ann.channel_data(0x4000) == texts{looks_like_stun});
}

TEST_CASE("RFC 8656 12.6: as much as a datagram holds goes up whole") {
    story s;
    const std::string much(65'507 - 4, 'x');
    s.ann.send_channel_data(0x4000, much);
    CHECK(s.bob.received == texts{much});
}

} // namespace turn::test
