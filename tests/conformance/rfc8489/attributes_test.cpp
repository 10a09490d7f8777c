/// Attributes as they arrive and as they leave: RFC 8489, 14.

#include "support/story.hpp"

namespace turn::test {

TEST_CASE("RFC 8489 14: padding is ignored on arrival") {
    world w;
    auto ann = w.raw("ann");
    message binding = ann.request(stun::method::binding);
    binding.attribute(stun::software::type, to_blob("a"), std::byte{0xff});
    CHECK(ann.ask(binding).code() == success);

    message allocate = ann.authenticated(stun::method::allocate); // ann: three letters and one byte of padding
    allocate.with<stun::requested_transport>(17).attribute(stun::even_port::type, octets({0x00}), std::byte{0xff});
    const answer allocated = ann.ask(allocate);
    REQUIRE(allocated.code() == success);
    CHECK_FALSE(allocated.has<stun::reservation_token>()); // the padding of EVEN-PORT is no R bit
}

TEST_CASE("RFC 8489 14: padding leaves as zeros and is not counted") {
    relay_options options;
    options.software = "lib"; // three letters
    world w(options);
    auto ann = w.raw("ann");
    const answer mapped = ann.ask(ann.request(stun::method::binding));
    CHECK(mapped.get<stun::software>() == "lib");
    const std::string raw = to_text(mapped.raw());
    const std::size_t software = raw.find("\x80\x22");
    REQUIRE(software != std::string::npos);
    CHECK(raw.substr(software, 8) == std::string("\x80\x22\x00\x03lib\x00", 8));

    auto& bob = w.peer();
    REQUIRE(ann.allocate().code() == success);
    REQUIRE(ann.permit(bob).code() == success);
    bob.send(ann.relayed, "hello"); // five bytes: three of padding
    w.settle();
    const auto indications = ann.take();
    REQUIRE(indications.size() == 1);
    const std::string text = to_text(indications[0]);
    CHECK(text.substr(text.size() - 12) == std::string("\x00\x13\x00\x05hello\x00\x00\x00", 12));
}

TEST_CASE("RFC 8489 14: of two attributes of one type the first counts") {
    world w;
    auto ann = w.raw("ann");
    const answer allocated = ann.ask(ann.allocate_request().with<stun::lifetime>(1000s).with<stun::lifetime>(2000s));
    CHECK(allocated.get<stun::lifetime>() == 1000s);

    auto& bob = w.peer();
    auto& eve = w.peer();
    REQUIRE(ann.permit({bob.address, eve.address}).code() == success);
    ann.send(ann.indication(stun::method::send)
                 .with<stun::xor_peer_address>(bob.address)
                 .with<stun::xor_peer_address>(eve.address)
                 .with<stun::data>(to_blob("first"))
                 .with<stun::data>(to_blob("second")));
    w.settle();
    CHECK(bob.received == texts{"first"});
    CHECK(eve.received.empty());
}

TEST_CASE("RFC 8489 14: an attribute that ends one byte behind the message is not answered") {
    world w;
    auto ann = w.raw("ann");
    message binding = ann.request(stun::method::binding).attribute(stun::software::type, "four");
    binding.raw()[stun::header_size + 3] = std::byte{5};
    CHECK(ann.ask(binding).code() == silence);
    message half_a_header = ann.request(stun::method::binding).append(octets({0x80, 0x22}));
    CHECK(ann.ask(half_a_header).code() == silence);
    CHECK(w.dropped(direction::up, reason::malformed) == 2);
}

TEST_CASE("RFC 8489 14.1: an address whose length does not fit its family is no address") {
    world w;
    auto ann = w.raw("ann");
    REQUIRE(ann.allocate().code() == success);
    const std::vector<blob> wrong{
        octets({0, 1, 0x21, 0x12, 1, 2, 3}),                                               // IPv4, three bytes
        octets({0, 1, 0x21, 0x12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}), // IPv4, sixteen
        octets({0, 2, 0x21, 0x12, 1, 2, 3, 4}),                                            // IPv6, four
        octets({0, 3, 0x21, 0x12, 1, 2, 3, 4}),                                            // no family at all
        octets({0, 1, 0x21}),
        {},
    };
    for (const blob& value : wrong)
        CHECK(ann.ask(ann.authenticated(stun::method::create_permission).attribute(stun::xor_peer_address::type, value))
                  .code() == 400);
    CHECK(w.refused(reason::bad_attribute) == wrong.size());
}

TEST_CASE("RFC 8489 14.1: the first byte of an address does not matter") {
    world w;
    auto ann = w.raw("ann");
    auto& bob = w.peer();
    REQUIRE(ann.allocate().code() == success);
    message permit = ann.authenticated(stun::method::create_permission);
    const std::size_t value = permit.view().size() + 4;
    permit.with<stun::xor_peer_address>(bob.address);
    permit.raw()[value] = std::byte{0xff};
    REQUIRE(ann.ask(permit).code() == success);

    bob.send(ann.relayed, "still me");
    w.settle();
    CHECK(ann.data_from(bob.address) == texts{"still me"});
}

TEST_CASE("RFC 8489 14.3: a USERNAME of 763 bytes is read") {
    world w;
    auto ann = w.raw(std::string(763, 'a'));
    CHECK(ann.allocate().code() == success);
    auto too_long = w.raw(std::string(764, 'a'));
    CHECK(too_long.allocate().code() == 400);
}

TEST_CASE("RFC 8489 9: attributes behind MESSAGE-INTEGRITY are not obeyed") {
    world w;
    auto ann = w.raw("ann");
    auto& bob = w.peer();
    auto& eve = w.peer();
    REQUIRE(ann.allocate().code() == success);
    // Somebody on the way appends a peer of his own to a signed request.
    message permit = ann.authenticated(stun::method::create_permission).with<stun::xor_peer_address>(bob.address);
    permit.integrity().with<stun::xor_peer_address>(eve.address);
    REQUIRE(ann.ask(permit).code() == success);

    bob.send(ann.relayed, "from bob");
    eve.send(ann.relayed, "from eve");
    w.settle();
    CHECK(ann.data_from(bob.address) == texts{"from bob"});
    CHECK(ann.data_from(eve.address).empty());
}

TEST_CASE("RFC 8489 9: what is missing before MESSAGE-INTEGRITY is not found behind it") {
    world w;
    auto ann = w.raw("ann");
    message allocate = ann.authenticated(stun::method::allocate);
    allocate.integrity().with<stun::requested_transport>(17);
    CHECK(ann.ask(allocate).code() == 400);
    message unknown_behind = ann.allocate_request();
    unknown_behind.integrity().attribute(0x7abc, "not your business");
    CHECK(ann.ask(unknown_behind).code() == success);
}

TEST_CASE("RFC 8489 14.5: FINGERPRINT behind MESSAGE-INTEGRITY does not disturb it") {
    world w;
    auto ann = w.raw("ann");
    message allocate = ann.allocate_request();
    allocate.integrity().fingerprint();
    const answer allocated = ann.ask(allocate);
    REQUIRE(allocated.code() == success);
    CHECK(allocated.signed_with(ann.key()));
    CHECK(allocated.view().check_fingerprint());
}

TEST_CASE("RFC 8489 14.5: every byte before MESSAGE-INTEGRITY is covered by it") {
    world w;
    auto ann = w.raw("ann");
    REQUIRE(ann.challenge().code() == 401);
    message good = ann.allocate_request();
    good.integrity();
    // The attributes that carry the proof are judged first; flip the content of the first one, REQUESTED-TRANSPORT's
    // reserved bits, which mean nothing by themselves.
    message flipped = ann.allocate_request();
    flipped.integrity();
    const std::string text = to_text(flipped.view());
    const std::size_t transport = text.find(std::string("\x00\x19\x00\x04", 4));
    REQUIRE(transport != std::string::npos);
    flipped.raw()[transport + 7] ^= std::byte{1};
    CHECK(ann.ask(flipped).code() == 401);
    CHECK(w.refused(reason::bad_password) == 1);
    CHECK(ann.ask(good).code() == success);
}

TEST_CASE("RFC 8489 14.7: FINGERPRINT comes last") {
    world w;
    auto ann = w.raw("ann");
    const answer mapped = ann.ask(ann.request(stun::method::binding).fingerprint());
    const std::string raw = to_text(mapped.raw());
    CHECK(raw.substr(raw.size() - 8, 4) == std::string("\x80\x28\x00\x04", 4));

    message in_front = ann.request(stun::method::binding);
    in_front.fingerprint().with<stun::software>("behind it");
    CHECK(ann.ask(in_front).code() == silence);
}

TEST_CASE("RFC 8489 14.10: REALM and NONCE are short and need no quoting") {
    world w;
    auto ann = w.raw("ann");
    const answer challenged = ann.challenge();
    for (const std::string& text : {std::string(*challenged.get<stun::realm>()), nonce_of(challenged)}) {
        CHECK_FALSE(text.empty());
        CHECK(text.size() < 128);
        CHECK(std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f && c != '"' && c != '\\'; }));
    }
}

} // namespace turn::test
