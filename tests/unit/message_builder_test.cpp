/// The writer: what it leaves in the buffer, and what it refuses.

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "support/hex.hpp"
#include "turn/stun/attributes.hpp"
#include "turn/stun/credentials.hpp"

using namespace turn;
using namespace turn::stun;
using turn::test::to_hex;

namespace {

const auto key = *long_term_key("ann", "example.org", "pw");
constexpr std::byte untouched{0xee};

/// One of everything that is interesting about writing: text with padding, addresses, no value, closing attributes.
result<bytes> write_answer(std::span<std::byte> out) {
    return message_builder(out, message_class::success_response, method::allocate, {})
        .add<xor_relayed_address>(*transport_address::parse("192.0.2.1:49152"))
        .add<xor_mapped_address>(*transport_address::parse("[2001:db8::1]:1"))
        .add<lifetime>(std::chrono::seconds(600))
        .add<dont_fragment>({})
        .add<realm>("a")
        .add<nonce>("ab")
        .add<software>("abc")
        .add<even_port>({true})
        .add<unknown_attributes>({{1, 2, 3}, 3})
        .integrity(key)
        .integrity_sha256(key)
        .fingerprint()
        .finish();
}

} // namespace

TEST_CASE("RFC 8489 14: padding leaves as zero whatever the buffer held") {
    for (const int garbage : {0x00, 0xee, 0xff}) {
        std::array<std::byte, 512> out;
        out.fill(static_cast<std::byte>(garbage));
        const auto written = message_builder(out, message_class::request, method::binding, {})
                                 .add<realm>("a")
                                 .add<nonce>("ab")
                                 .add<software>("abc")
                                 .add<even_port>({false})
                                 .finish();
        REQUIRE(written);
        CHECK(to_hex(*written) == "00 01 00 20 21 12 a4 42 00 00 00 00 00 00 00 00 00 00 00 00 "
                                  "00 14 00 01 61 00 00 00 00 15 00 02 61 62 00 00 80 22 00 03 61 62 63 00 "
                                  "00 18 00 01 00 00 00 00");
    }
}

TEST_CASE("RFC 8489 6: what was written is read again") {
    std::array<std::byte, 512> out;
    const auto written = write_answer(out);
    REQUIRE(written);
    const auto m = message_view::parse(*written);
    REQUIRE(m);
    CHECK(m->get<xor_relayed_address>()->to_string() == "192.0.2.1:49152");
    CHECK(m->get<xor_mapped_address>()->to_string() == "[2001:db8::1]:1");
    CHECK(*m->get<lifetime>() == std::chrono::seconds(600));
    CHECK(m->has<dont_fragment>());
    CHECK(*m->get<realm>() == "a");
    CHECK(*m->get<nonce>() == "ab");
    CHECK(*m->get<software>() == "abc");
    CHECK(m->get<even_port>()->reserve_next);
    CHECK(m->get<unknown_attributes>()->count == 3);
    CHECK(m->check_integrity(key).has_value());
    CHECK(m->check_fingerprint().has_value());
}

TEST_CASE("a message that does not fit says so and writes nothing behind its room") {
    std::array<std::byte, 512> out;
    const std::size_t needed = write_answer(out)->size();
    const std::string wanted = to_hex(std::span(out).first(needed));
    for (std::size_t room = 0; room < needed; ++room) {
        out.fill(untouched);
        const auto written = write_answer(std::span(out).first(room));
        REQUIRE_FALSE(written);
        CHECK(written.error() == errc::no_capacity);
        CHECK(std::all_of(out.begin() + static_cast<std::ptrdiff_t>(room), out.end(),
                          [](std::byte b) { return b == untouched; }));
    }
    for (std::size_t room = needed; room < needed + 5; ++room) {
        out.fill(untouched);
        const auto written = write_answer(std::span(out).first(room));
        REQUIRE(written);
        CHECK(to_hex(*written) == wanted);
        CHECK(out[needed] == untouched);
    }
}

TEST_CASE("the first mistake is remembered and later attributes are not written") {
    std::array<std::byte, 256> out;
    out.fill(untouched);
    message_builder b(out, message_class::error_response, method::allocate, {});
    b.add<error_code>({200, "no such class"});
    const auto size = b.size();
    b.add<realm>(std::string(764, 'x')).add<software>("x").integrity(key).fingerprint();
    CHECK(b.size() == size);
    CHECK(b.finish().error() == errc::bad_attribute);
    CHECK(b.finish().error() == errc::bad_attribute);
}

TEST_CASE("a message has at most 65535 bytes behind its header") {
    std::vector<std::byte> out(100'000, untouched);
    const std::vector<std::byte> payload(0xfff8);
    message_builder largest(out, message_class::indication, method::send, {});
    largest.add<data>(payload);
    const auto written = largest.finish();
    REQUIRE(written);
    CHECK(written->size() == header_size + 0xfffc);
    CHECK(message_view::parse(*written)->get<data>()->size() == 0xfff8);
    CHECK(largest.add<dont_fragment>({}).finish().error() == errc::no_capacity);

    const std::vector<std::byte> one_more(0xfff9);
    CHECK(message_builder(out, message_class::indication, method::send, {}).add<data>(one_more).finish().error() ==
          errc::no_capacity);
}

TEST_CASE("RFC 8489 14.5 to 14.7: nothing is written where no receiver looks") {
    std::array<std::byte, 512> out;
    const auto fresh = [&] { return message_builder(out, message_class::request, method::binding, {}); };
    const auto refused = [](message_builder b) { return !b.finish() && b.finish().error() == errc::bad_attribute; };

    CHECK(refused(fresh().integrity(key).add<software>("late")));
    CHECK(refused(fresh().integrity(key).integrity(key)));
    CHECK(refused(fresh().integrity_sha256(key).integrity(key)));
    CHECK(refused(fresh().integrity_sha256(key).add<lifetime>(std::chrono::seconds(1))));
    CHECK(refused(fresh().fingerprint().add<software>("late")));
    CHECK(refused(fresh().fingerprint().integrity(key)));
    CHECK(refused(fresh().fingerprint().fingerprint()));
    CHECK(refused(fresh().add<message_integrity>({}).add<software>("late")));

    CHECK(fresh().integrity(key).integrity_sha256(key).fingerprint().finish().has_value());
    CHECK(fresh().integrity(key).fingerprint().finish().has_value());
    CHECK(fresh().fingerprint().finish().has_value());
}

TEST_CASE("RFC 8489 5: a message without attributes is its header") {
    std::array<std::byte, 32> out;
    out.fill(untouched);
    transaction_id id;
    id.fill(std::byte{0xab});
    message_builder b(out, message_class::error_response, method::channel_bind, id);
    CHECK(b.size() == header_size);
    CHECK(to_hex(*b.finish()) == "01 19 00 00 21 12 a4 42 ab ab ab ab ab ab ab ab ab ab ab ab");
    CHECK(out[header_size] == untouched);
}
