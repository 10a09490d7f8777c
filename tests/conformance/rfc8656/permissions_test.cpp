/// Permissions: RFC 8656, 9.

#include "support/story.hpp"

namespace turn::test {

TEST_CASE("RFC 8656 9: a peer without permission is not heard and not told") {
    world w;
    auto ann = w.raw("ann");
    auto& bob = w.peer();
    auto& eve = w.peer();
    REQUIRE(ann.allocate().code() == success);
    REQUIRE(ann.permit(bob).code() == success);
    eve.send(ann.relayed, "let me in");
    w.settle();
    CHECK(ann.received().empty());
    CHECK(eve.received.empty());
    CHECK(w.dropped(direction::down, reason::no_permission) == 1);
}

TEST_CASE("RFC 8656 9: a permission is for an address whatever the port") {
    world w;
    auto ann = w.raw("ann");
    auto& bob = w.peer(at("25.0.7.1:1000"));
    auto& bob_elsewhere = w.peer(at("25.0.7.1:2000"));
    REQUIRE(ann.allocate().code() == success);
    REQUIRE(ann.permit(bob).code() == success);
    bob_elsewhere.send(ann.relayed, "it is me");
    ann.send_indication(bob_elsewhere.address, "hello");
    w.settle();
    CHECK(ann.data_from(bob_elsewhere.address) == texts{"it is me"});
    CHECK(bob_elsewhere.received == texts{"hello"});
    CHECK(bob.received.empty());
}

TEST_CASE("RFC 8656 9: a permission is for one address and not for its neighbours") {
    world w;
    auto ann = w.raw("ann");
    REQUIRE(ann.allocate().code() == success);
    REQUIRE(ann.permit({at("25.0.7.1:1000")}).code() == success);
    for (const char* other : {"25.0.7.2:1000", "25.0.7.0:1000", "25.0.6.1:1000", "24.0.7.1:1000"}) {
        auto& neighbour = w.peer(at(other));
        neighbour.send(ann.relayed, "knock");
        ann.send_indication(neighbour.address, "hello");
        w.settle();
        CHECK(neighbour.received.empty());
    }
    CHECK(ann.received().empty());
}

TEST_CASE("RFC 8656 9: a permission lasts 300 s") {
    world w;
    auto ann = w.raw("ann");
    auto& bob = w.peer();
    REQUIRE(ann.allocate().code() == success);
    REQUIRE(ann.permit(bob).code() == success);
    w.pass(299s);
    bob.send(ann.relayed, "in time");
    ann.send_indication(bob.address, "in time");
    w.pass(1s);
    bob.send(ann.relayed, "too late");
    ann.send_indication(bob.address, "too late");
    w.settle();
    CHECK(ann.data_from(bob.address) == texts{"in time"});
    CHECK(bob.received == texts{"in time"});
    CHECK(w.dropped(direction::up, reason::no_permission) == 1);
    CHECK(w.dropped(direction::down, reason::no_permission) == 1);
}

TEST_CASE("RFC 8656 9: a permission that is installed again lasts 300 s from then") {
    world w;
    auto ann = w.raw("ann");
    auto& bob = w.peer();
    REQUIRE(ann.allocate().code() == success);
    REQUIRE(ann.permit(bob).code() == success);
    w.pass(200s);
    REQUIRE(ann.permit(bob).code() == success);
    w.pass(299s);
    bob.send(ann.relayed, "in time");
    w.pass(1s);
    bob.send(ann.relayed, "too late");
    w.settle();
    CHECK(ann.data_from(bob.address) == texts{"in time"});
}

TEST_CASE("RFC 8656 9: ChannelBind and CreatePermission refresh the same permission") {
    world w;
    auto ann = w.raw("ann");
    auto& bob = w.peer();
    REQUIRE(ann.allocate().code() == success);
    REQUIRE(ann.permit(bob).code() == success);
    w.pass(200s);
    REQUIRE(ann.bind_channel(0x4000, bob).code() == success);
    w.pass(200s);
    bob.send(ann.relayed, "after ChannelBind");
    REQUIRE(ann.permit(bob).code() == success);
    w.pass(199s); // the channel still stands
    bob.send(ann.relayed, "after CreatePermission");
    w.settle();
    CHECK(ann.channel_data(0x4000) == texts{"after ChannelBind", "after CreatePermission"});
    CHECK(w.counters().permissions.value() == 1);
}

TEST_CASE("RFC 8656 9: a permission of one allocation is not another's") {
    world w;
    auto ann = w.raw("ann");
    auto bea = w.raw("bea");
    auto& bob = w.peer();
    REQUIRE(ann.allocate().code() == success);
    REQUIRE(bea.allocate().code() == success);
    REQUIRE(ann.permit(bob).code() == success);
    bob.send(bea.relayed, "hello");
    bea.send_indication(bob.address, "hello");
    w.settle();
    CHECK(bea.received().empty());
    CHECK(bob.received.empty());
}

TEST_CASE("RFC 8656 9: permissions end with their allocation") {
    world w;
    auto ann = w.raw("ann");
    auto& bob = w.peer();
    REQUIRE(ann.allocate().code() == success);
    w.pass(590s);
    REQUIRE(ann.permit(bob).code() == success);
    w.pass(10s);
    CHECK(w.counters().permissions.value() == 0);
    REQUIRE(ann.allocate().code() == success);
    bob.send(ann.relayed, "still there?");
    w.settle();
    CHECK(ann.received().empty());
}

TEST_CASE("RFC 8656 9: traffic in neither direction refreshes a permission") {
    world w;
    auto ann = w.raw("ann");
    auto& bob = w.peer();
    REQUIRE(ann.allocate().code() == success);
    REQUIRE(ann.permit(bob).code() == success);
    w.pass(250s);
    bob.send(ann.relayed, "one");
    ann.send_indication(bob.address, "one");
    w.pass(50s);
    bob.send(ann.relayed, "two");
    ann.send_indication(bob.address, "two");
    w.settle();
    CHECK(ann.data_from(bob.address) == texts{"one"});
    CHECK(bob.received == texts{"one"});
}

} // namespace turn::test
