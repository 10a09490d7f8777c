#include <doctest/doctest.h>

#include "support/real_server.hpp"

using namespace turn;
using namespace turn::test;

TEST_CASE("server::stop gives everything back and leaves the totals to be read") {
    auto s = server::start(on_loopback());
    REQUIRE(s);
    real_client ann(s->description().listeners.front().local);
    real_client bob(s->description().listeners.front().local, "bob", "bob's password");
    REQUIRE(ann.allocate({.even_port = true})); // and the next higher port is held for a token
    REQUIRE(bob.allocate());
    REQUIRE(ann.permit(loopback()));
    REQUIRE(s->allocation_count() == 2);
    REQUIRE(s->totals().ports_in_use == 3);

    s->stop();
    const server_totals after = s->totals();
    CHECK(after.relay.allocations == 0);
    CHECK(after.relay.permissions == 0);
    CHECK(after.relay.allocations_created == 2);
    CHECK(after.relay.allocations_ended == 2);
    CHECK(after.ports_in_use == 0);
    CHECK(after.quota_in_use == 0);
    CHECK(after.reservations == 0);

    s->stop(); // again: nothing happens
    s->stop_accepting();
    CHECK(s->allocation_count() == 0);
}
