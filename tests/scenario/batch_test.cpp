#include <doctest/doctest.h>

#include "support/world.hpp"

using namespace std::chrono_literals;
using namespace turn;
using turn::test::blob;
using turn::test::to_blob;
using turn::test::world;
using turn::test::world_options;
using texts = std::vector<std::string>;

TEST_CASE("a GRO train goes through an outbox that holds one datagram in order and whole") {
    world w(world_options{.outbox_datagrams = 1});
    auto ann = w.raw("ann");
    auto& bob = w.peer();
    REQUIRE(ann.allocate().code() == 0);
    REQUIRE(ann.bind_channel(0x4000, bob).code() == 0);
    blob train;
    texts said;
    for (int i = 0; i < 10; ++i) {
        said.push_back("frame " + std::to_string(i) + (i == 9 ? "" : " of ten")); // the last may be shorter
        const blob message = turn::test::channel_data_message(0x4000, to_blob(said.back()));
        train.insert(train.end(), message.begin(), message.end());
    }
    const std::array batch{
        packet{*w.socket_of(w.listener().local), ann.address(), train, static_cast<std::uint16_t>(4 + said[0].size())}};
    w.handle_batch(batch);
    CHECK(bob.received == said);
    w.drain();
}

TEST_CASE("a GRO train from a peer is split into one message each on the way down") {
    world w(world_options{.outbox_datagrams = 3});
    auto ann = w.raw("ann");
    auto& bob = w.peer();
    REQUIRE(ann.allocate().code() == 0);
    REQUIRE(ann.permit(bob).code() == 0);
    const blob train = to_blob("aaabbbcccd");
    const std::array batch{packet{*w.socket_of(ann.relayed), bob.address, train, 3}};
    w.handle_batch(batch);
    CHECK(ann.data_from(bob.address) == texts{"aaa", "bbb", "ccc", "d"});
    w.drain();
}

TEST_CASE("what arrives behind a Refresh to zero in the same batch is for nobody") {
    world w;
    auto ann = w.raw("ann");
    auto& bob = w.peer();
    REQUIRE(ann.allocate().code() == 0);
    REQUIRE(ann.bind_channel(0x4000, bob).code() == 0);
    auto refresh = ann.authenticated(stun::method::refresh).with<stun::lifetime>(0s);
    refresh.integrity();
    const blob up = turn::test::channel_data_message(0x4000, to_blob("up"));
    const blob down = to_blob("down");
    const auto listener = *w.socket_of(w.listener().local);
    const auto relay = *w.socket_of(ann.relayed);
    const std::array batch{
        packet{listener, ann.address(), up},
        packet{relay, bob.address, down},
        packet{listener, ann.address(), refresh.view()},
        packet{listener, ann.address(), up},
        packet{relay, bob.address, down},
    };
    w.handle_batch(batch);
    CHECK(bob.received == texts{"up"});
    CHECK(ann.channel_data(0x4000) == texts{"down"});
    CHECK(w.dropped(direction::up, reason::no_allocation) == 1);
    CHECK(w.dropped(direction::down, reason::socket_closed) == 1);
    CHECK(w.addresses.open().empty());
    w.drain();
}

TEST_CASE("what arrives behind an Allocate in the same batch finds the allocation") {
    world w(relay_options{.anonymous = true});
    auto ann = w.raw("ann");
    auto& bob = w.peer();
    const auto allocate =
        ann.request(stun::method::allocate).with<stun::requested_transport>(stun::requested_transport::udp);
    const auto permit = ann.request(stun::method::create_permission).with<stun::xor_peer_address>(bob.address);
    const auto send = ann.indication(stun::method::send)
                          .with<stun::xor_peer_address>(bob.address)
                          .with<stun::data>(to_blob("at once"));
    const auto listener = *w.socket_of(w.listener().local);
    const std::array batch{packet{listener, ann.address(), allocate.view()},
                           packet{listener, ann.address(), permit.view()},
                           packet{listener, ann.address(), send.view()}};
    w.handle_batch(batch);
    CHECK(bob.received == texts{"at once"});
    w.drain();
}

TEST_CASE("allocations that end together end as far as the outbox has room and the others later") {
    world w;
    std::vector<turn::test::raw_actor> clients;
    for (int i = 0; i < 100; ++i) {
        clients.push_back(w.raw("ann"));
        REQUIRE(clients.back().allocate().code() == 0);
    }
    outbox out(1);
    // Each returns whether any are left to end.
    std::function<bool()> end_some;
    allocation_end how{};
    SUBCASE("of everybody") {
        end_some = [&] { return w.relay().end_all_allocations(w.now(), out); };
        how = allocation_end::shutdown;
    }
    SUBCASE("of one user") {
        end_some = [&] { return w.relay().end_allocations_of("example.org", "ann", w.now(), out); };
        how = allocation_end::user_removed;
    }
    SUBCASE("by time") {
        end_some = [&, then = w.now() + 600s] {
            w.relay().tick(then, out);
            return w.relay().next_deadline() <= then;
        };
        how = allocation_end::expired;
    }
    const order* const room = out.orders().data();
    std::size_t calls = 0;
    for (bool left = true; left; ++calls) {
        REQUIRE(calls < 100);
        left = end_some();
        CHECK(left == (w.counters().allocations.value() > 0));
        for (const order& o : out.orders()) CHECK(w.addresses.close(std::get<close_socket>(o).id));
        CHECK(out.orders().data() == room); // it did not grow
        out.clear();
    }
    CHECK(calls > 1);
    CHECK(w.addresses.open().empty());
    CHECK(w.quota_in_use() == 0);
    REQUIRE(w.events.allocations_ended.size() == 100);
    for (const auto& ended : w.events.allocations_ended) CHECK(ended.how == how);
    CHECK_FALSE(end_some());
    CHECK(out.empty());
    w.handle_batch({}); // the world was not told and must not compare
    w.drain();
}
