#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include "counting_allocator.hpp"
#include "support/world.hpp"

using namespace std::chrono_literals;
using namespace turn;
using turn::test::blob;
using turn::test::heap_watch;
using turn::test::to_blob;
using turn::test::world;

namespace {

/// A relay with somebody on it, and packets handed to it past the world, which allocates as it likes.
struct busy_relay {
    world w;
    test::raw_actor ann = w.raw("ann");
    test::peer_actor& bob = w.peer();  ///< permitted
    test::peer_actor& cleo = w.peer(); ///< bound to channel 0x4000
    test::peer_actor& stranger = w.peer();
    outbox out{64};

    busy_relay() {
        REQUIRE(ann.allocate().code() == 0);
        REQUIRE(ann.permit(bob).code() == 0);
        REQUIRE(ann.bind_channel(0x4000, cleo).code() == 0);
        w.events.remember = false; // the observer is the test's; its memory would grow
    }
    [[nodiscard]] packet from_ann(const blob& data, std::uint16_t stride = 0) const {
        return {*w.socket_of(w.listener().local), ann.address(), data, stride};
    }
    [[nodiscard]] packet from_peer(const test::peer_actor& peer, const blob& data, std::uint16_t stride = 0) const {
        return {*w.socket_of(ann.relayed), peer.address, data, stride};
    }
    struct result {
        std::size_t datagrams = 0, allocations = 0;
    };
    /// Hands the same packet over a thousand times.
    result thousand_times(const packet& p) {
        result r;
        const std::array batch{p};
        for (int i = 0; i < 1000; ++i) {
            const heap_watch heap;
            for (batch_cursor at; at.packet < batch.size();) {
                w.relay().handle(batch, at, w.now(), out);
                r.datagrams += out.datagrams().size();
                out.clear();
            }
            r.allocations += heap.allocations();
        }
        return r;
    }
};

blob send_indication_to(const transport_address& peer) {
    return test::message(stun::message_class::indication, stun::method::send, {})
        .with<stun::xor_peer_address>(peer)
        .with<stun::data>(to_blob("hello"))
        .raw();
}

} // namespace

TEST_CASE("the allocator that counts does count") {
    const heap_watch heap;
    const auto taken = std::make_unique<int>(1);
    CHECK(heap.allocations() >= 1);
}

TEST_CASE("relaying ChannelData up takes nothing from the heap") {
    busy_relay r;
    const blob data = test::channel_data_message(0x4000, to_blob("hello"));
    const auto [datagrams, allocations] = r.thousand_times(r.from_ann(data));
    CHECK(datagrams == 1000);
    CHECK(allocations == 0);
}

TEST_CASE("relaying ChannelData down takes nothing from the heap") {
    busy_relay r;
    const blob data = to_blob("hello");
    const auto [datagrams, allocations] = r.thousand_times(r.from_peer(r.cleo, data));
    CHECK(datagrams == 1000);
    CHECK(allocations == 0);
}

TEST_CASE("relaying a Send indication takes nothing from the heap") {
    busy_relay r;
    const blob data = send_indication_to(r.bob.address);
    const auto [datagrams, allocations] = r.thousand_times(r.from_ann(data));
    CHECK(datagrams == 1000);
    CHECK(allocations == 0);
}

TEST_CASE("making a Data indication takes nothing from the heap") {
    busy_relay r;
    const blob data = to_blob("hello");
    const auto [datagrams, allocations] = r.thousand_times(r.from_peer(r.bob, data));
    CHECK(datagrams == 1000);
    CHECK(allocations == 0);
}

TEST_CASE("relaying GRO trains both ways takes nothing from the heap") {
    busy_relay r;
    blob up;
    for (int i = 0; i < 40; ++i) {
        const blob one = test::channel_data_message(0x4000, to_blob("hello"));
        up.insert(up.end(), one.begin(), one.end());
    }
    const auto sent = r.thousand_times(r.from_ann(up, 9));
    CHECK(sent.datagrams == 40'000);
    CHECK(sent.allocations == 0);
    const blob down(4000);
    const auto heard = r.thousand_times(r.from_peer(r.bob, down, 100)); // 40 Data indications
    CHECK(heard.datagrams == 40'000);
    CHECK(heard.allocations == 0);
}

TEST_CASE("dropping what is not allowed takes nothing from the heap") {
    busy_relay r;
    const blob hello = to_blob("hello");
    const blob unbound = test::channel_data_message(0x4001, hello);
    const blob unpermitted = send_indication_to(r.stranger.address);
    for (const packet& p : {r.from_peer(r.stranger, hello), r.from_ann(unbound), r.from_ann(unpermitted)}) {
        const auto [datagrams, allocations] = r.thousand_times(p);
        CHECK(datagrams == 0);
        CHECK(allocations == 0);
    }
}

TEST_CASE("challenging and answering Binding takes nothing from the heap") {
    busy_relay r;
    const blob binding = r.ann.request(stun::method::binding).raw();
    const blob allocate =
        r.ann.request(stun::method::allocate).with<stun::requested_transport>(stun::requested_transport::udp).raw();
    for (const blob* data : {&binding, &allocate}) {
        const auto [datagrams, allocations] = r.thousand_times(r.from_ann(*data));
        CHECK(datagrams == 1000);
        CHECK(allocations == 0);
    }
}
