/// STUN messages as they arrive: RFC 8489, 5, 6.3, 7 and 12.

#include "support/story.hpp"

namespace turn::test {

TEST_CASE("RFC 8489 5: a datagram that does not begin with two zero bits is not answered as STUN") {
    world w;
    auto ann = w.raw("ann");
    for (const int leading_bits : {0x40, 0x80, 0xc0}) {
        message binding = ann.request(stun::method::binding);
        binding.raw()[0] |= std::byte(leading_bits);
        CHECK(ann.ask(binding).code() == silence);
    }
}

TEST_CASE("RFC 8489 5: a request without the magic cookie is not answered") {
    world w;
    auto ann = w.raw("ann");
    for (const std::size_t byte_of_cookie : {4U, 5U, 6U, 7U}) {
        message binding = ann.request(stun::method::binding);
        binding.raw()[byte_of_cookie] ^= std::byte{1};
        CHECK(ann.ask(binding).code() == silence);
    }
    CHECK(w.dropped(direction::up, reason::malformed) == 4);
}

TEST_CASE("RFC 8489 5: a length field that does not fill the datagram is not answered") {
    world w;
    auto ann = w.raw("ann");
    for (const int wrong : {-20, -4, -1, 1, 4, 400}) {
        message binding = ann.request(stun::method::binding).attribute(stun::software::type, "twenty bytes of text");
        const int length = std::to_integer<int>(binding.raw()[3]) + wrong;
        binding.raw()[2] = std::byte(length >> 8 & 0xff);
        binding.raw()[3] = std::byte(length & 0xff);
        CHECK(ann.ask(binding).code() == silence);
    }
    message cut_short = ann.request(stun::method::binding);
    cut_short.raw().resize(19);
    CHECK(ann.ask(cut_short).code() == silence);
    CHECK(w.dropped(direction::up, reason::malformed) == 7);
}

TEST_CASE("RFC 8489 5: an answer carries the transaction id of its request") {
    world w;
    auto ann = w.raw("ann");
    const message binding = ann.request(stun::method::binding);
    CHECK(ann.ask(binding).view().id() == binding.id());
    const message unsigned_allocate = ann.request(stun::method::allocate);
    CHECK(ann.ask(unsigned_allocate).view().id() == unsigned_allocate.id());
}

TEST_CASE("RFC 8489 6.1: no answer of ours is larger than 548 bytes") {
    world w;
    auto ann = w.raw("ann");
    std::size_t largest = ann.challenge().raw().size();
    message everything_unknown = ann.authenticated(stun::method::allocate);
    for (std::uint16_t type = 0x7000; type < 0x7100; ++type) everything_unknown.attribute(type, "");
    const answer refused = ann.ask(everything_unknown);
    CHECK(refused.code() == 420);
    largest = std::max(largest, refused.raw().size());
    const answer both = ann.ask(ann.allocate_request().with<stun::additional_address_family>(address_family::ipv6));
    CHECK(both.code() == success);
    largest = std::max(largest, both.raw().size());
    CHECK(largest <= 548);
}

TEST_CASE("RFC 8489 6.3: an unknown method is discarded and never challenged") {
    world w;
    auto ann = w.raw("ann");
    for (const unsigned unknown : {0x000U, 0x002U, 0x005U, 0x00fU, 0x123U, 0xfffU})
        CHECK(ann.ask(ann.request(stun::method(unknown))).code() == silence);
    CHECK(w.dropped(direction::up, reason::unknown_method) == 6);
}

TEST_CASE("RFC 8489 6.3: a response that nobody asked for is discarded") {
    world w;
    auto ann = w.raw("ann");
    for (const auto response : {stun::message_class::success_response, stun::message_class::error_response})
        CHECK(ann.ask(message(response, stun::method::binding, w.fresh_id())).code() == silence);
    CHECK(w.dropped(direction::up, reason::unexpected_class) == 2);
}

TEST_CASE("RFC 8489 6.3: a class that its method does not have is discarded") {
    world w;
    auto ann = w.raw("ann");
    for (const auto indication_only : {stun::method::send, stun::method::data})
        CHECK(ann.ask(ann.request(indication_only)).code() == silence);
    for (const auto request_only :
         {stun::method::allocate, stun::method::refresh, stun::method::create_permission, stun::method::channel_bind})
        CHECK(ann.ask(ann.indication(request_only)).code() == silence);
    CHECK(w.dropped(direction::up, reason::unexpected_class) == 6);
}

TEST_CASE("RFC 8489 6.3: unknown comprehension-optional attributes are ignored") {
    world w;
    auto ann = w.raw("ann");
    CHECK(ann.ask(ann.request(stun::method::binding).attribute(0x8abc, "never heard of")).code() == success);
    CHECK(ann.ask(ann.allocate_request().attribute(0xffff, "nor of this")).code() == success);
}

TEST_CASE("RFC 8489 6.3: known attributes that a Binding does not expect are ignored") {
    world w;
    auto ann = w.raw("ann");
    CHECK(ann.ask(ann.request(stun::method::binding)
                      .with<stun::username>("ann")
                      .with<stun::realm>("example.org")
                      .with<stun::lifetime>(600s)
                      .with<stun::xor_peer_address>(at("198.51.100.77:7"))
                      .with<stun::dont_fragment>({}))
              .code() == success);
}

TEST_CASE("RFC 8489 6.3: authentication comes before the look for unknown attributes") {
    world w;
    auto ann = w.raw("ann");
    CHECK(ann.ask(ann.request(stun::method::allocate).attribute(0x7abc, "")).code() == 401);
    const answer refused = ann.ask(ann.allocate_request().attribute(0x7abc, ""));
    CHECK(refused_signed(refused, ann, 420));
}

TEST_CASE("RFC 8489 6.3.1: an unknown comprehension-required attribute is answered 420 and named") {
    world w;
    auto ann = w.raw("ann");
    const answer refused =
        ann.ask(ann.request(stun::method::binding).attribute(0x7abc, "what").attribute(0x0003, "is this"));
    REQUIRE(refused.code() == 420);
    const auto named = refused.get<stun::unknown_attributes>();
    REQUIRE(named);
    REQUIRE(named->count == 2);
    CHECK(named->types[0] == 0x7abc);
    CHECK(named->types[1] == 0x0003);
    CHECK(w.refused(reason::unknown_attribute) == 1);
}

TEST_CASE("RFC 8489 6.3.1: an unknown attribute that comes twice is named once") {
    world w;
    auto ann = w.raw("ann");
    const answer refused = ann.ask(ann.request(stun::method::binding)
                                       .attribute(0x7abc, "one")
                                       .attribute(0x7abd, "between")
                                       .attribute(0x7abc, "two"));
    const auto named = refused.get<stun::unknown_attributes>();
    REQUIRE(named);
    CHECK(named->count == 2);
}

TEST_CASE("RFC 8489 6.3.1: a retransmitted Binding gets the same answer again") {
    world w;
    auto ann = w.raw("ann");
    const message binding = ann.request(stun::method::binding);
    const answer first = ann.ask(binding);
    const answer second = ann.ask(binding);
    REQUIRE(first.code() == success);
    CHECK(to_text(first.raw()) == to_text(second.raw()));
}

TEST_CASE("RFC 8489 6.3.1.1: an answer has the method of its request") {
    world w;
    auto ann = w.raw("ann");
    CHECK(ann.ask(ann.request(stun::method::binding)).view().method() == stun::method::binding);
    for (const auto m :
         {stun::method::allocate, stun::method::refresh, stun::method::create_permission, stun::method::channel_bind}) {
        const answer challenged = ann.ask(ann.request(m));
        REQUIRE(challenged.code() == 401);
        CHECK(challenged.view().method() == m);
    }
}

TEST_CASE("RFC 8489 6.3.1.1: a Binding is answered with the address it came from") {
    world w;
    auto ann = w.raw("ann", {.address = at("198.51.100.20:4711")});
    CHECK(ann.ask(ann.request(stun::method::binding)).get<stun::xor_mapped_address>() == at("198.51.100.20:4711"));
    auto bea = w.raw("bea", {.listener = 1, .address = at("[2001:db8:9::1]:4711")});
    CHECK(bea.ask(bea.request(stun::method::binding)).get<stun::xor_mapped_address>() == at("[2001:db8:9::1]:4711"));
}

TEST_CASE("RFC 8489 6.3.1.1: an error carries its code and a phrase for humans") {
    world w;
    auto ann = w.raw("ann");
    for (const answer& refused : {ann.ask(ann.request(stun::method::binding).attribute(0x7abc, "")), // 420
                                  ann.challenge(),                                                   // 401
                                  ann.ask(ann.authenticated(stun::method::allocate)),                // 400
                                  ann.refresh(600s)}) {                                              // 437
        const auto error = refused.get<stun::error_code>();
        REQUIRE(error);
        CHECK(error->code >= 400);
        CHECK(error->phrase.size() > 3);
        CHECK(error->phrase.size() < 128);
        CHECK(error->phrase.find('\0') == std::string_view::npos); // padding is no part of it
    }
}

TEST_CASE("RFC 8489 6.3.1.1: SOFTWARE is in the answers and can be switched off") {
    world named;
    auto ann = named.raw("ann");
    const answer greeting = ann.ask(ann.request(stun::method::binding)); // the text borrows from it
    const auto software = greeting.get<stun::software>();
    REQUIRE(software);
    CHECK(software->size() < 128);
    CHECK(software->find_first_of("0123456789") == std::string_view::npos); // no version for attackers to look up

    relay_options silent;
    silent.software = "";
    world nameless(silent);
    auto bea = nameless.raw("bea");
    CHECK_FALSE(bea.ask(bea.request(stun::method::binding)).has<stun::software>());
    CHECK_FALSE(bea.allocate().has<stun::software>());
}

TEST_CASE("RFC 8489 6.3.1.2: the answer leaves from the address the request came to") {
    world w(world_options{
        .listeners = {{at("198.51.100.1:3478"), "example.org"}, {at("198.51.100.2:3479"), "example.org"}}});
    for (const std::size_t listener : {0U, 1U}) {
        auto ann = w.raw("ann", {.listener = listener});
        CHECK(ann.ask(ann.request(stun::method::binding)).from() == w.listener(listener).local);
        CHECK(ann.challenge().from() == w.listener(listener).local);
    }
}

TEST_CASE("RFC 8489 6.3.2: a Binding indication is taken and not answered") {
    world w;
    auto ann = w.raw("ann");
    CHECK(ann.ask(ann.indication(stun::method::binding)).code() == silence);
    CHECK(w.counters().absorbed.value() == 1);
}

TEST_CASE("RFC 8489 6.3.2: an indication with an unknown comprehension-required attribute is discarded") {
    world w;
    auto ann = w.raw("ann");
    auto& bob = w.peer();
    REQUIRE(ann.allocate().code() == success);
    REQUIRE(ann.permit(bob).code() == success);

    ann.send(ann.indication(stun::method::send)
                 .with<stun::xor_peer_address>(bob.address)
                 .with<stun::data>(to_blob("psst"))
                 .attribute(0x7abc, "what is this"));
    ann.send(ann.indication(stun::method::binding).attribute(0x7abc, "and this"));
    w.settle();

    CHECK(bob.received.empty());
    CHECK(w.dropped(direction::up, reason::unknown_attribute) == 2);
    CHECK(w.counters().absorbed.value() == 0);
}

TEST_CASE("RFC 8489 7: a request with a wrong FINGERPRINT is discarded") {
    world w;
    auto ann = w.raw("ann");
    CHECK(ann.ask(ann.request(stun::method::binding).fingerprint(1)).code() == silence);
    CHECK(ann.ask(ann.request(stun::method::allocate).fingerprint(0x80000000)).code() == silence);
    CHECK(w.dropped(direction::up, reason::fingerprint_mismatch) == 2);
}

TEST_CASE("RFC 8489 7: an answer has a FINGERPRINT when the request had one and only then") {
    world w;
    auto ann = w.raw("ann");
    const answer with = ann.ask(ann.request(stun::method::binding).fingerprint());
    CHECK(with.view().check_fingerprint());
    const answer refused_with = ann.ask(ann.request(stun::method::allocate).fingerprint());
    REQUIRE(refused_with.code() == 401);
    CHECK(refused_with.view().check_fingerprint());
    CHECK_FALSE(ann.ask(ann.request(stun::method::binding)).has<stun::fingerprint>());
    CHECK_FALSE(ann.challenge().has<stun::fingerprint>());
}

TEST_CASE("RFC 8489 12: a Binding needs neither credentials nor FINGERPRINT") {
    world w;
    auto ann = w.raw("ann");
    const answer mapped = ann.ask(ann.request(stun::method::binding));
    CHECK(mapped.code() == success);
    CHECK_FALSE(mapped.view().has_integrity());
    CHECK(w.users.lookups == 0);
}

TEST_CASE("RFC 8489 12: a server that does STUN only answers Binding and nothing of TURN") {
    relay_options stun_only;
    stun_only.relaying = false;
    world w(stun_only);
    auto ann = w.raw("ann");
    CHECK(ann.ask(ann.request(stun::method::binding)).code() == success);
    CHECK(ann.ask(ann.request(stun::method::allocate)).code() == silence);
    ann.send_indication(at("192.88.98.1:9"), "psst");
    w.settle();
    CHECK(w.dropped(direction::up, reason::relay_disabled) == 2);
}

} // namespace turn::test
