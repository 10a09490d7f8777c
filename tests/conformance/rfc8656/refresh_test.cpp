/// Refresh: RFC 8656, 8.

#include "support/story.hpp"

namespace turn::test {

namespace {

/// Ann with one address of each family, and a peer in each that may speak to her.
struct dual_story {
    world w{};
    raw_actor ann = w.raw("ann");
    peer_actor& four = w.peer(address_family::ipv4);
    peer_actor& six = w.peer(address_family::ipv6);
    transport_address relayed_four{}, relayed_six{};

    dual_story() {
        const auto relayed = ann.ask(ann.allocate_request().with<stun::additional_address_family>(address_family::ipv6))
                                 .all<stun::xor_relayed_address>();
        REQUIRE(relayed.size() == 2);
        relayed_four = relayed[0];
        relayed_six = relayed[1];
        REQUIRE(ann.permit({four.address, six.address}).code() == success);
    }
    answer refresh(std::chrono::seconds lifetime, address_family family) {
        return ann.ask(ann.authenticated(stun::method::refresh)
                           .with<stun::lifetime>(lifetime)
                           .with<stun::requested_address_family>(family));
    }
};

} // namespace

TEST_CASE("RFC 8656 8.2: Refresh grants a lifetime between the default and the maximum") {
    world w;
    auto ann = w.raw("ann");
    REQUIRE(ann.allocate().code() == success);
    CHECK(ann.ask(ann.authenticated(stun::method::refresh)).get<stun::lifetime>() == 600s);
    CHECK(ann.refresh(1s).get<stun::lifetime>() == 600s);
    CHECK(ann.refresh(601s).get<stun::lifetime>() == 601s);
    CHECK(ann.refresh(3600s).get<stun::lifetime>() == 3600s);
    CHECK(ann.refresh(0xffffffffs).get<stun::lifetime>() == 3600s);
}

TEST_CASE("RFC 8656 8.2: a Refresh counts from now") {
    world w;
    auto ann = w.raw("ann");
    REQUIRE(ann.allocate().code() == success);
    w.pass(100s);
    REQUIRE(ann.refresh(600s).code() == success);
    w.pass(599s);
    CHECK(w.addresses.open().size() == 1);
    w.pass(1s);
    CHECK(w.addresses.open().empty());
}

TEST_CASE("RFC 8656 8.2: a Refresh may shorten what is left") {
    world w;
    auto ann = w.raw("ann");
    REQUIRE(ann.ask(ann.allocate_request().with<stun::lifetime>(3600s)).code() == success);
    REQUIRE(ann.refresh(600s).code() == success);
    w.pass(600s);
    CHECK(w.addresses.open().empty());
}

TEST_CASE("RFC 8656 8.2: a Refresh of zero deletes the allocation at once") {
    world w;
    auto ann = w.raw("ann");
    auto& bob = w.peer();
    REQUIRE(ann.allocate().code() == success);
    REQUIRE(ann.permit(bob).code() == success);
    const answer deleted = ann.refresh(0s);
    REQUIRE(deleted.code() == success);
    CHECK(deleted.get<stun::lifetime>() == 0s);
    CHECK(deleted.signed_with(ann.key()));
    CHECK(w.addresses.open().empty());
    CHECK(w.quota_in_use() == 0);
    REQUIRE(w.events.allocations_ended.size() == 1);
    CHECK(w.events.allocations_ended[0].how == allocation_end::refreshed_to_zero);
    ann.send_indication(bob.address, "too late");
    CHECK(bob.received.empty());
}

TEST_CASE("RFC 8656 8.2: a retransmitted Refresh of zero is answered 437") {
    world w;
    auto ann = w.raw("ann");
    REQUIRE(ann.allocate().code() == success);
    message away = ann.authenticated(stun::method::refresh).with<stun::lifetime>(0s);
    away.integrity();
    REQUIRE(ann.ask(away).code() == success);
    CHECK(ann.ask(away).code() == 437); // the client takes it for success: 8.3
}

TEST_CASE("RFC 8656 8.2: after a deletion the 5-tuple can be used again and Refresh finds the new allocation") {
    world w;
    auto ann = w.raw("ann");
    for (int i = 0; i < 3; ++i) {
        REQUIRE(ann.allocate().code() == success);
        REQUIRE(ann.refresh(600s).code() == success);
        REQUIRE(ann.refresh(0s).code() == success);
    }
    CHECK(w.addresses.open().empty());
}

TEST_CASE("RFC 8656 8.2: a Refresh for a family the allocation does not have is answered 443") {
    world w;
    auto ann = w.raw("ann");
    REQUIRE(ann.allocate().code() == success);
    for (const auto lifetime : {600s, 0s}) {
        const answer refused = ann.ask(ann.authenticated(stun::method::refresh)
                                           .with<stun::lifetime>(lifetime)
                                           .with<stun::requested_address_family>(address_family::ipv6));
        CHECK(refused_signed(refused, ann, 443));
    }
    CHECK(w.refused(reason::wrong_family) == 2);
    CHECK(w.addresses.open().size() == 1);
}

TEST_CASE("RFC 8656 8.2: a Refresh with a malformed REQUESTED-ADDRESS-FAMILY is answered 400 and changes nothing") {
    world w;
    auto ann = w.raw("ann");
    REQUIRE(ann.allocate().code() == success);
    for (const blob& malformed : {octets({}), octets({1}), octets({1, 0, 0, 0, 0, 0, 0, 0})}) {
        const answer refused = ann.ask(ann.authenticated(stun::method::refresh)
                                           .with<stun::lifetime>(0s)
                                           .attribute(stun::requested_address_family::type, malformed));
        CHECK(refused_signed(refused, ann, 400));
    }
    CHECK(w.refused(reason::bad_attribute) == 3);
    CHECK(w.addresses.open().size() == 1);
}

TEST_CASE("RFC 8656 8.1: a Refresh of one family leaves the other's time alone") {
    dual_story s;
    s.w.pass(300s);
    REQUIRE(s.refresh(600s, address_family::ipv6).get<stun::lifetime>() == 600s);
    s.w.pass(300s);
    CHECK(s.w.addresses.open().size() == 1); // IPv4 has expired
    CHECK(s.w.addresses.socket_at(s.relayed_six));
    CHECK(s.refresh(600s, address_family::ipv4).code() == 443);
    s.w.pass(300s);
    CHECK(s.w.addresses.open().empty());
}

TEST_CASE("RFC 8656 8.1: a Refresh that names no family is for both") {
    dual_story s;
    s.w.pass(300s);
    REQUIRE(s.ann.refresh(600s).code() == success);
    s.w.pass(599s);
    CHECK(s.w.addresses.open().size() == 2);
    REQUIRE(s.ann.refresh(0s).code() == success);
    CHECK(s.w.addresses.open().empty());
}

TEST_CASE("RFC 8656 8.1: deleting one family leaves the other's permissions and channels alone") {
    for (const auto deleted : {address_family::ipv4, address_family::ipv6}) {
        dual_story s;
        REQUIRE(s.ann.bind_channel(0x4004, s.four).code() == success);
        REQUIRE(s.ann.bind_channel(0x4006, s.six).code() == success);
        REQUIRE(s.refresh(0s, deleted).get<stun::lifetime>() == 0s);

        s.ann.send_channel_data(0x4004, "hello");
        s.ann.send_channel_data(0x4006, "hello");
        s.four.send(s.relayed_four, "hello");
        s.six.send(s.relayed_six, "hello");
        s.w.settle();
        const bool four_lives = deleted != address_family::ipv4;
        CHECK(s.four.received.size() == (four_lives ? 1 : 0));
        CHECK(s.six.received.size() == (four_lives ? 0 : 1));
        CHECK(s.ann.channel_data(0x4004).size() == (four_lives ? 1 : 0));
        CHECK(s.ann.channel_data(0x4006).size() == (four_lives ? 0 : 1));
        CHECK(s.w.addresses.open().size() == 1);
    }
}

TEST_CASE("RFC 8656 8.1: a family that was deleted can be named no more and its peers neither") {
    dual_story s;
    REQUIRE(s.refresh(0s, address_family::ipv6).code() == success);
    CHECK(s.refresh(600s, address_family::ipv6).code() == 443);
    CHECK(s.ann.permit(s.six).code() == 443);
    CHECK(s.ann.bind_channel(0x4006, s.six).code() == 443);
    CHECK(s.ann.permit(s.four).code() == success);
}

TEST_CASE("RFC 8656 8.1: deleting both families one after the other ends the allocation") {
    dual_story s;
    REQUIRE(s.refresh(0s, address_family::ipv4).code() == success);
    CHECK(s.w.quota_in_use() == 1);
    REQUIRE(s.refresh(0s, address_family::ipv6).code() == success);
    CHECK(s.w.quota_in_use() == 0);
    CHECK(s.ann.refresh(600s).code() == 437);
}

TEST_CASE("RFC 8656 8: removing a user ends his allocations and nobody else's") {
    world w;
    auto ann = w.raw("ann");
    auto bea = w.raw("bea");
    REQUIRE(ann.allocate().code() == success);
    REQUIRE(bea.allocate().code() == success);
    w.end_allocations_of("example.org", "ann");
    CHECK(ann.refresh(600s).code() == 437);
    CHECK(bea.refresh(600s).code() == success);
    REQUIRE(w.events.allocations_ended.size() == 1);
    CHECK(w.events.allocations_ended[0].how == allocation_end::user_removed);
    w.end_allocations_of("example.com", "bea"); // a Bea of another realm
    CHECK(bea.refresh(600s).code() == success);
}

} // namespace turn::test
