/// IPv4, IPv6 or both: RFC 8656, 7.2 items 6 to 9, and 18.6, 18.11, 18.12.

#include "support/story.hpp"

namespace turn::test {

namespace {

answer allocate_family(raw_actor& who, address_family family) {
    const answer a = who.ask(who.allocate_request().with<stun::requested_address_family>(family));
    if (const auto relayed = a.get<stun::xor_relayed_address>()) who.relayed = *relayed;
    return a;
}

answer allocate_both(raw_actor& who) {
    return who.ask(who.allocate_request().with<stun::additional_address_family>(address_family::ipv6));
}

} // namespace

TEST_CASE("RFC 8656 7.2: a plain Allocate gets an IPv4 address even over IPv6") {
    world w;
    auto ann = w.raw("ann", {.listener = 1});
    REQUIRE_FALSE(ann.address().is_ipv4());
    REQUIRE(ann.allocate().code() == success);
    CHECK(ann.relayed.is_ipv4());
}

TEST_CASE("RFC 8656 7.2: REQUESTED-ADDRESS-FAMILY gets an address of that family") {
    world w;
    auto ann = w.raw("ann");
    auto bea = w.raw("bea", {.listener = 1});
    REQUIRE(allocate_family(ann, address_family::ipv6).code() == success);
    CHECK(ann.relayed.family == address_family::ipv6);
    REQUIRE(allocate_family(bea, address_family::ipv4).code() == success);
    CHECK(bea.relayed.family == address_family::ipv4);
}

TEST_CASE("RFC 8656 7.2: a family this server does not relay is answered 440") {
    world w;
    w.addresses.has_ipv6 = false;
    auto ann = w.raw("ann");
    CHECK(refused_signed(allocate_family(ann, address_family::ipv6), ann, 440));
    CHECK(w.refused(reason::unsupported_family) == 1);
    CHECK(allocate_family(ann, address_family::ipv4).code() == success);
}

TEST_CASE("RFC 8656 7.2: without IPv4 a plain Allocate is answered 440") {
    world w;
    w.addresses.has_ipv4 = false;
    auto ann = w.raw("ann");
    CHECK(ann.allocate().code() == 440);
    CHECK(allocate_family(ann, address_family::ipv6).code() == success);
}

TEST_CASE("RFC 8656 7.2: both address family attributes together are answered 400") {
    world w;
    auto ann = w.raw("ann");
    CHECK(ann.ask(ann.allocate_request()
                      .with<stun::requested_address_family>(address_family::ipv4)
                      .with<stun::additional_address_family>(address_family::ipv6))
              .code() == 400);
    CHECK(w.refused(reason::bad_attribute) == 1);
}

TEST_CASE("RFC 8656 7.2: EVEN-PORT with a reservation and two families are answered 400") {
    world w;
    auto ann = w.raw("ann");
    const auto both = [&] {
        return ann.allocate_request().with<stun::additional_address_family>(address_family::ipv6);
    };
    CHECK(ann.ask(both().with<stun::even_port>({true})).code() == 400);
    CHECK(ann.ask(both().with<stun::even_port>({false})).code() == success);
}

TEST_CASE("RFC 8656 7.2: ADDITIONAL-ADDRESS-FAMILY of IPv4 is answered 400") {
    world w;
    auto ann = w.raw("ann");
    CHECK(ann.ask(ann.allocate_request().with<stun::additional_address_family>(address_family::ipv4)).code() == 400);
}

TEST_CASE("RFC 8656 7.2: ADDITIONAL-ADDRESS-FAMILY gets one address of each family") {
    world w;
    auto ann = w.raw("ann");
    const answer both = allocate_both(ann);
    REQUIRE(both.code() == success);
    const auto relayed = both.all<stun::xor_relayed_address>();
    REQUIRE(relayed.size() == 2);
    CHECK(relayed[0].family == address_family::ipv4);
    CHECK(relayed[1].family == address_family::ipv6);
    CHECK_FALSE(both.has<stun::address_error_code>());
    CHECK(w.quota_in_use() == 1); // one allocation, if a dual one
    REQUIRE(w.events.allocations_created.size() == 1);
    CHECK(w.events.allocations_created[0].relayed_additional == relayed[1]);
}

TEST_CASE("turn: ADDITIONAL-ADDRESS-FAMILY is understood under the number that drafts gave it") {
    world w;
    auto ann = w.raw("ann");
    const auto asked = [&](int family) {
        return ann.ask(ann.allocate_request().attribute(0x8032, octets({family, 0, 0, 0}))); // as coturn's clients do
    };
    CHECK(asked(1).code() == 400);
    const answer dual = asked(2);
    CHECK(dual.code() == success);
    CHECK(dual.all<stun::xor_relayed_address>().size() == 2);
}

TEST_CASE("RFC 8656 7.2: of two families one unsupported succeeds with ADDRESS-ERROR-CODE 440") {
    for (const auto missing : {address_family::ipv4, address_family::ipv6}) {
        world w;
        (missing == address_family::ipv4 ? w.addresses.has_ipv4 : w.addresses.has_ipv6) = false;
        auto ann = w.raw("ann");
        const answer half = allocate_both(ann);
        REQUIRE(half.code() == success);
        const auto error = half.get<stun::address_error_code>();
        REQUIRE(error);
        CHECK(error->family == missing);
        CHECK(error->code == 440);
        CHECK(error->phrase.size() < 128);
        const auto relayed = half.all<stun::xor_relayed_address>();
        REQUIRE(relayed.size() == 1);
        CHECK(relayed[0].family != missing);
    }
}

TEST_CASE("RFC 8656 18.12: the reserved bits of ADDRESS-ERROR-CODE are zero") {
    world w;
    w.addresses.has_ipv6 = false;
    auto ann = w.raw("ann");
    const std::string raw = to_text(allocate_both(ann).raw());
    const std::size_t attribute = raw.find("\x80\x01");
    REQUIRE(attribute != std::string::npos);
    CHECK(raw.substr(attribute + 4, 4) == std::string("\x02\x00\x04\x28", 4)); // IPv6, 4 and 40
}

TEST_CASE("RFC 8656 7.2: of two families one without ports succeeds with ADDRESS-ERROR-CODE 508") {
    world w;
    w.addresses.port_max = w.addresses.port_min; // one port per family
    auto bea = w.raw("bea");
    REQUIRE(allocate_family(bea, address_family::ipv6).code() == success); // takes the one of IPv6
    auto ann = w.raw("ann");
    const answer half = allocate_both(ann);
    REQUIRE(half.code() == success);
    REQUIRE(half.get<stun::address_error_code>());
    CHECK(half.get<stun::address_error_code>()->family == address_family::ipv6);
    CHECK(half.get<stun::address_error_code>()->code == 508);
    CHECK(half.all<stun::xor_relayed_address>().size() == 1);
}

TEST_CASE("RFC 8656 7.2: two families with no port in either are answered 508") {
    world w;
    w.addresses.descriptors = 0;
    auto ann = w.raw("ann");
    CHECK(refused_signed(allocate_both(ann), ann, 508));
    CHECK(w.quota_in_use() == 0);
}

TEST_CASE("RFC 8656 7.2: each address of a dual allocation speaks to peers of its family") {
    world w;
    auto ann = w.raw("ann");
    auto& four = w.peer(address_family::ipv4);
    auto& six = w.peer(address_family::ipv6);
    const auto relayed = allocate_both(ann).all<stun::xor_relayed_address>();
    REQUIRE(relayed.size() == 2);
    REQUIRE(ann.permit({four.address, six.address}).code() == success);
    REQUIRE(ann.bind_channel(0x4000, six).code() == success);
    ann.send_indication(four.address, "to four");
    ann.send_channel_data(0x4000, "to six");
    four.send(relayed[0], "from four");
    six.send(relayed[1], "from six");
    w.settle();
    CHECK(four.received == texts{"to four"});
    CHECK(four.senders[0] == relayed[0]);
    CHECK(six.received == texts{"to six"});
    CHECK(six.senders[0] == relayed[1]);
    CHECK(ann.data_from(four.address) == texts{"from four"});
    CHECK(ann.channel_data(0x4000) == texts{"from six"});
}

TEST_CASE("RFC 8656 18.6: the reserved bits of REQUESTED-ADDRESS-FAMILY do not matter but its value does") {
    world w;
    auto ann = w.raw("ann");
    const auto with = [&](const blob& value) {
        return ann.ask(ann.allocate_request().attribute(stun::requested_address_family::type, value)).code();
    };
    CHECK(with(octets({1, 0, 0})) == 400);
    CHECK(with(octets({1, 0, 0, 0, 0})) == 400);
    CHECK(with(octets({3, 0, 0, 0})) == 440); // no family anybody has
    CHECK(with(octets({2, 0xff, 0xff, 0xff})) == success);
}

} // namespace turn::test
