/// Where RFC 5766 says otherwise than RFC 8656 and clients in the field follow it.

#include "support/story.hpp"

namespace turn::test {

TEST_CASE("RFC 5766 11: channel numbers up to 0x7FFF are taken as clients in the field use them") {
    world w;
    auto ann = w.raw("ann");
    REQUIRE(ann.allocate().code() == success);
    for (const int n : {0x4000, 0x4fff, 0x5000, 0x7ffe, 0x7fff}) {
        const auto number = static_cast<std::uint16_t>(n);
        auto& bob = w.peer();
        REQUIRE(ann.bind_channel(number, bob).code() == success);
        ann.send_channel_data(number, "up");
        bob.send(ann.relayed, "down");
        w.settle();
        CHECK(bob.received == texts{"up"});
        CHECK(ann.channel_data(number) == texts{"down"});
    }
    CHECK(ann.bind_channel(0x3fff, w.peer()).code() == 400);
    CHECK(ann.bind_channel(0x8000, w.peer()).code() == 400);
}

TEST_CASE("RFC 5766 2.2: the same user may have several allocations from one host") {
    world w;
    auto one = w.raw("ann", {.address = at("192.18.7.1:1000")});
    auto two = w.raw("ann", {.address = at("192.18.7.1:1001")});
    CHECK(one.allocate().code() == success);
    CHECK(two.allocate().code() == success);
    CHECK(one.refresh(0s).code() == success);
    CHECK(two.refresh(600s).code() == success);
}

} // namespace turn::test
