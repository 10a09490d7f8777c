/// Allocate: RFC 8656, 7.2, in the order of its items; ports and families have files of their own.

#include "support/story.hpp"

namespace turn::test {

TEST_CASE("RFC 8656 7.2: an Allocate is answered with the relayed address and the mapped address and a lifetime") {
    world w;
    auto ann = w.raw("ann", {.address = at("192.18.7.1:4711")});
    const answer allocated = ann.allocate();
    REQUIRE(allocated.code() == success);
    CHECK(allocated.get<stun::xor_relayed_address>() == w.addresses.open().begin()->second);
    CHECK(allocated.get<stun::xor_mapped_address>() == at("192.18.7.1:4711"));
    CHECK(allocated.get<stun::lifetime>() == 600s);
    CHECK_FALSE(allocated.has<stun::reservation_token>());
    CHECK_FALSE(allocated.has<stun::address_error_code>());
    CHECK(allocated.all<stun::xor_relayed_address>().size() == 1);
}

TEST_CASE("RFC 8656 7.2: a success has no attribute that a browser would not understand") {
    world w;
    auto ann = w.raw("ann");
    const answer allocated =
        ann.ask(ann.allocate_request().with<stun::additional_address_family>(address_family::ipv6));
    REQUIRE(allocated.code() == success);
    CHECK(allocated.view().unknown_required({}) == 0);
}

TEST_CASE("RFC 8656 7.2: a server for guests asks for no credentials") {
    relay_options options;
    options.anonymous = true;
    world w(options);
    auto guest = w.raw("guest", {.known = false});
    auto& bob = w.peer();
    const answer allocated = guest.ask(guest.request(stun::method::allocate).with<stun::requested_transport>(17));
    REQUIRE(allocated.code() == success);
    CHECK_FALSE(allocated.view().has_integrity());
    CHECK(guest.ask(guest.request(stun::method::create_permission).with<stun::xor_peer_address>(bob.address)).code() ==
          success);
    CHECK(guest.ask(guest.request(stun::method::refresh).with<stun::lifetime>(0s)).code() == success);
}

TEST_CASE("RFC 8656 7.2: an Allocate on a 5-tuple that has an allocation is answered 437") {
    world w;
    auto ann = w.raw("ann");
    REQUIRE(ann.allocate().code() == success);
    CHECK(refused_signed(ann.allocate(), ann, 437));
    CHECK(w.refused(reason::allocation_mismatch) == 1);
    CHECK(w.addresses.open().size() == 1);
    CHECK(ann.refresh(600s).code() == success);
}

TEST_CASE("RFC 8656 7.2: an unsigned Allocate on a 5-tuple that has an allocation is challenged and not answered 437") {
    world w;
    auto ann = w.raw("ann");
    REQUIRE(ann.allocate().code() == success);
    CHECK(ann.challenge().code() == 401);
}

TEST_CASE("RFC 8656 7.2: an Allocate without REQUESTED-TRANSPORT is answered 400") {
    world w;
    auto ann = w.raw("ann");
    CHECK(ann.ask(ann.authenticated(stun::method::allocate)).code() == 400);
    CHECK(w.refused(reason::missing_attribute) == 1);
}

TEST_CASE("RFC 8656 7.2: a malformed REQUESTED-TRANSPORT is answered 400") {
    world w;
    auto ann = w.raw("ann");
    for (const blob& wrong : {blob{}, octets({17}), octets({17, 0}), octets({17, 0, 0}), octets({17, 0, 0, 0, 0})})
        CHECK(ann.ask(ann.authenticated(stun::method::allocate).attribute(stun::requested_transport::type, wrong))
                  .code() == 400);
    CHECK(w.refused(reason::bad_attribute) == 5);
}

TEST_CASE("RFC 8656 7.2: a transport other than UDP is answered 442") {
    world w;
    auto ann = w.raw("ann");
    for (const int protocol : {0, 6, 16, 18, 132, 255})
        CHECK(ann.ask(ann.authenticated(stun::method::allocate)
                          .with<stun::requested_transport>(static_cast<std::uint8_t>(protocol)))
                  .code() == 442);
    CHECK(w.refused(reason::unsupported_transport) == 6);
    CHECK(w.addresses.binds == 0);
}

TEST_CASE("RFC 8656 18.8: the reserved bits of REQUESTED-TRANSPORT do not matter") {
    world w;
    auto ann = w.raw("ann");
    CHECK(ann.ask(ann.authenticated(stun::method::allocate)
                      .attribute(stun::requested_transport::type, octets({17, 0xff, 0xff, 0xff})))
              .code() == success);
}

TEST_CASE("RFC 8656 7.2: DONT-FRAGMENT in an Allocate is understood") {
    world w;
    auto ann = w.raw("ann");
    CHECK(ann.ask(ann.allocate_request().with<stun::dont_fragment>({})).code() == success);
}

TEST_CASE("RFC 8656 3.7: DONT-FRAGMENT from IPv4 to an IPv6 relay is refused and named") {
    world w;
    auto ann = w.raw("ann");
    const auto refused = [&](message m) {
        const answer a = ann.ask(m.with<stun::dont_fragment>({}));
        const auto unknown = a.get<stun::unknown_attributes>();
        return a.code() == 420 && unknown && unknown->count == 1 && unknown->types[0] == stun::dont_fragment::type;
    };
    using family = stun::requested_address_family;
    CHECK(refused(ann.allocate_request().with<family>(address_family::ipv6)));
    CHECK(refused(ann.allocate_request().with<stun::additional_address_family>(address_family::ipv6)));
    CHECK_FALSE(refused(ann.allocate_request().with<family>(address_family::ipv4)));
    auto six = w.raw("six", {.listener = 1});
    CHECK(six.ask(six.allocate_request().with<family>(address_family::ipv6).with<stun::dont_fragment>({})).code() ==
          success);
    CHECK(w.refused(reason::unknown_attribute) == 2);
}

TEST_CASE("RFC 8656 7.2: refusals come in the order 400 then 442 then 486 or 508") {
    world w(world_options{.quota = {.total = 100, .per_user = 1}});
    auto first = w.raw("ann");
    REQUIRE(first.allocate().code() == success); // and that is all Ann may have
    auto ann = w.raw("ann");
    const auto tcp = [&] { return ann.authenticated(stun::method::allocate).with<stun::requested_transport>(6); };
    const auto never_given = relay_addresses::token{};
    CHECK(ann.ask(tcp().with<stun::reservation_token>(never_given).with<stun::even_port>({false})).code() == 400);
    CHECK(ann.ask(tcp().attribute(stun::lifetime::type, octets({1}))).code() == 400);
    CHECK(ann.ask(tcp().with<stun::reservation_token>(never_given)).code() == 442);
    CHECK(ann.ask(tcp()).code() == 442);
    CHECK(ann.allocate().code() == 486);
    w.stop_accepting();
    CHECK(ann.ask(tcp()).code() == 442);
    CHECK(ann.allocate().code() == 508);
}

TEST_CASE("RFC 8656 7.2: one allocation more than the user's quota is answered 486") {
    world w(world_options{.quota = {.total = 100, .per_user = 2}});
    auto ann1 = w.raw("ann");
    auto ann2 = w.raw("ann");
    auto ann3 = w.raw("ann");
    REQUIRE(ann1.allocate().code() == success);
    REQUIRE(ann2.allocate().code() == success);
    CHECK(refused_signed(ann3.allocate(), ann3, 486));
    CHECK(w.refused(reason::quota_user) == 1);
    CHECK(w.addresses.open().size() == 2);

    REQUIRE(ann1.refresh(0s).code() == success); // gives its unit back at once
    CHECK(ann3.allocate().code() == success);
}

TEST_CASE("RFC 8656 7.2: the quota of one user is not another's") {
    world w(world_options{.quota = {.total = 100, .per_user = 1}});
    auto ann = w.raw("ann");
    auto bea = w.raw("bea");
    REQUIRE(ann.allocate().code() == success);
    CHECK(bea.allocate().code() == success);
}

TEST_CASE("RFC 8656 7.2: the same name in two realms is two users with two quotas") {
    world w(world_options{
        .listeners = {{at("198.51.100.1:3478"), "red.example"}, {at("198.51.100.1:3479"), "blue.example"}},
        .quota = {.total = 100, .per_user = 1}});
    auto red = w.raw("ann", {.listener = 0});
    auto blue = w.raw("ann", {.listener = 1});
    auto red_again = w.raw("ann", {.listener = 0});
    CHECK(red.allocate().code() == success);
    CHECK(blue.allocate().code() == success);
    CHECK(red_again.allocate().code() == 486);
}

TEST_CASE("RFC 8656 7.2: a quota goes by the account where the credential names one") {
    world w(world_options{.quota = {.total = 100, .per_user = 1}});
    w.users.add("1700000000:ann").account = "ann";
    w.users.add("1700003600:ann").account = "ann";
    auto earlier = w.raw("1700000000:ann");
    auto later = w.raw("1700003600:ann");
    REQUIRE(earlier.allocate().code() == success);
    CHECK(later.allocate().code() == 486);
}

TEST_CASE("RFC 8656 7.2: a user may have a quota of his own") {
    world w(world_options{.quota = {.total = 100, .per_user = 1}});
    w.users.add("ann").allocation_limit = 2;
    auto ann1 = w.raw("ann");
    auto ann2 = w.raw("ann");
    auto ann3 = w.raw("ann");
    CHECK(ann1.allocate().code() == success);
    CHECK(ann2.allocate().code() == success);
    CHECK(ann3.allocate().code() == 486);
}

TEST_CASE("RFC 8656 7.2: one allocation more than the server's total is answered 508") {
    world w(world_options{.quota = {.total = 2, .per_user = 0}});
    auto ann = w.raw("ann");
    auto bea = w.raw("bea");
    auto cat = w.raw("cat");
    REQUIRE(ann.allocate().code() == success);
    REQUIRE(bea.allocate().code() == success);
    CHECK(refused_signed(cat.allocate(), cat, 508));
    CHECK(w.refused(reason::quota_total) == 1);
}

TEST_CASE("RFC 8656 7.2: a refused Allocate costs no quota and no port") {
    world w(world_options{.quota = {.total = 100, .per_user = 1}});
    auto ann = w.raw("ann");
    w.addresses.has_ipv6 = false;
    REQUIRE(ann.ask(ann.allocate_request().with<stun::requested_address_family>(address_family::ipv6)).code() == 440);
    REQUIRE(ann.ask(ann.authenticated(stun::method::allocate)).code() == 400);
    CHECK(w.quota_in_use() == 0);
    CHECK(w.addresses.open().empty());
    CHECK(ann.allocate().code() == success);
}

TEST_CASE("RFC 8656 7.2: without a free port an Allocate is answered 508 and the quota is untouched") {
    world w;
    w.addresses.port_max = w.addresses.port_min; // one port
    auto ann = w.raw("ann");
    auto bea = w.raw("bea");
    REQUIRE(ann.allocate().code() == success);
    CHECK(refused_signed(bea.allocate(), bea, 508));
    CHECK(w.refused(reason::no_ports) == 1);
    CHECK(w.quota_in_use() == 1);
}

TEST_CASE("RFC 8656 7.2: without a descriptor an Allocate is answered 508") {
    world w;
    w.addresses.descriptors = 0;
    auto ann = w.raw("ann");
    CHECK(ann.allocate().code() == 508);
    CHECK(w.refused(reason::no_descriptors) == 1);
}

TEST_CASE("RFC 8656 7.2: a relay that is full itself answers 508") {
    relay_options options;
    options.max_allocations = 1;
    world w(options);
    auto ann = w.raw("ann");
    auto bea = w.raw("bea");
    REQUIRE(ann.allocate().code() == success);
    CHECK(bea.allocate().code() == 508);
    CHECK(w.quota_in_use() == 1);
}

TEST_CASE("RFC 8656 7.2: a server about to end takes no new allocations and keeps the old ones") {
    world w;
    auto ann = w.raw("ann");
    auto bea = w.raw("bea");
    REQUIRE(ann.allocate().code() == success);
    w.stop_accepting();
    CHECK(refused_signed(bea.allocate(), bea, 508));
    CHECK(w.refused(reason::draining) == 1);
    CHECK(ann.refresh(600s).code() == success);
}

TEST_CASE("RFC 8656 7.2: a new allocation lets nobody through") {
    world w;
    auto ann = w.raw("ann");
    auto& bob = w.peer();
    REQUIRE(ann.allocate().code() == success);
    REQUIRE(ann.bind_channel(0x4000, bob).code() == success);
    REQUIRE(ann.refresh(0s).code() == success);

    REQUIRE(ann.allocate().code() == success); // the same 5-tuple, a new allocation
    bob.send(ann.relayed, "remember me?");
    ann.send_channel_data(0x4000, "hello");
    ann.send_indication(bob.address, "hello");
    w.settle();
    CHECK(ann.received().empty());
    CHECK(bob.received.empty());
}

TEST_CASE("RFC 8656 7.2: LIFETIME is granted between the default and the maximum") {
    const std::vector<std::pair<std::chrono::seconds, std::chrono::seconds>> asked_and_granted{
        {0s, 600s}, {1s, 600s}, {600s, 600s}, {601s, 601s}, {3600s, 3600s}, {3601s, 3600s}, {0xffffffffs, 3600s}};
    for (const auto& [asked, granted] : asked_and_granted) {
        world w;
        auto ann = w.raw("ann");
        CHECK(ann.ask(ann.allocate_request().with<stun::lifetime>(asked)).get<stun::lifetime>() == granted);
        w.pass(granted - 1s);
        CHECK(w.addresses.open().size() == 1);
        w.pass(1s);
        CHECK(w.addresses.open().empty());
    }
}

TEST_CASE("RFC 8656 18.2: a LIFETIME that is not four bytes is answered 400") {
    world w;
    auto ann = w.raw("ann");
    CHECK(ann.ask(ann.allocate_request().attribute(stun::lifetime::type, octets({0, 0, 2}))).code() == 400);
    REQUIRE(ann.allocate().code() == success);
    CHECK(ann.ask(ann.authenticated(stun::method::refresh).attribute(stun::lifetime::type, octets({0, 0, 0, 0, 0})))
              .code() == 400);
    CHECK(w.addresses.open().size() == 1);
}

TEST_CASE("RFC 8656 7.2: a retransmitted Allocate gets the same answer and makes no second allocation") {
    world w;
    auto ann = w.raw("ann");
    message allocate = ann.allocate_request();
    allocate.integrity();
    const answer first = ann.ask(allocate);
    const answer second = ann.ask(allocate);
    REQUIRE(first.code() == success);
    CHECK(to_text(second.raw()) == to_text(first.raw()));
    CHECK(w.addresses.binds == 1);
    CHECK(w.counters().allocations_created.value() == 1);
    CHECK(w.users.lookups == 1);
}

TEST_CASE("RFC 8656 7.2: a late retransmission tells how much of the lifetime is left") {
    world w;
    auto ann = w.raw("ann");
    message allocate = ann.allocate_request();
    allocate.integrity();
    REQUIRE(ann.ask(allocate).code() == success);
    w.pass(20s);
    CHECK(ann.ask(allocate).get<stun::lifetime>() == 580s);
}

TEST_CASE("RFC 8656 7.2: a retransmitted Allocate keeps its RESERVATION-TOKEN") {
    world w;
    auto ann = w.raw("ann");
    message allocate = ann.allocate_request().with<stun::even_port>({true});
    allocate.integrity();
    const auto token = ann.ask(allocate).get<stun::reservation_token>();
    REQUIRE(token);
    CHECK(ann.ask(allocate).get<stun::reservation_token>() == token);
    CHECK(w.addresses.binds == 1);
}

TEST_CASE("RFC 8656 7.2: a retransmitted Allocate keeps its ADDRESS-ERROR-CODE") {
    world w;
    w.addresses.has_ipv6 = false;
    auto ann = w.raw("ann");
    message allocate = ann.allocate_request().with<stun::additional_address_family>(address_family::ipv6);
    allocate.integrity();
    const answer first = ann.ask(allocate);
    REQUIRE(first.has<stun::address_error_code>());
    CHECK(to_text(ann.ask(allocate).raw()) == to_text(first.raw()));
}

TEST_CASE("RFC 8656 7.2: a transaction id used again by somebody else is no retransmission") {
    world w;
    auto ann = w.raw("ann");
    message allocate = ann.allocate_request();
    allocate.integrity();
    REQUIRE(ann.ask(allocate).code() == success);
    w.users.add("eve");
    raw_actor eve = ann; // on Ann's 5-tuple
    eve.username = "eve";
    eve.password = password_of("eve");
    message stolen_id(stun::message_class::request, stun::method::allocate, allocate.id());
    stolen_id.credentials("eve", eve.realm, eve.nonce, eve.key()).with<stun::requested_transport>(17);
    CHECK(eve.ask(stolen_id).code() == 437);
}

} // namespace turn::test
