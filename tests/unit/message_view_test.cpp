/// What is a STUN message, and which of its attributes count.

#include <doctest/doctest.h>

#include <algorithm>
#include <initializer_list>
#include <string>
#include <vector>

#include "base/byte_order.hpp"
#include "stun/integrity.hpp"
#include "support/hex.hpp"
#include "turn/stun/attributes.hpp"
#include "turn/stun/credentials.hpp"

using namespace turn;
using namespace turn::stun;
using turn::test::from_hex;
using turn::test::to_hex;

namespace {

/// Header of an Allocate request with these attributes behind it; the length field is right.
std::vector<std::byte> message_of(std::initializer_list<std::string_view> attributes) {
    auto out = from_hex("00 03 00 00 21 12 a4 42 00 01 02 03 04 05 06 07 08 09 0a 0b");
    for (const auto a : attributes) std::ranges::copy(from_hex(a), std::back_inserter(out));
    const auto length = out.size() - header_size;
    out[2] = static_cast<std::byte>(length >> 8);
    out[3] = static_cast<std::byte>(length & 0xff);
    return out;
}

errc error_of(const std::vector<std::byte>& datagram) {
    const auto m = message_view::parse(datagram);
    REQUIRE_FALSE(m);
    return m.error();
}

credential_key key_of(std::string_view password) {
    return *long_term_key("ann", "example.org", password);
}

const std::string some_integrity = "00 08 00 14 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 10 11 12 13 14";
const std::string some_integrity_sha256 = "00 1c 00 10 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 10";
const std::string some_fingerprint = "80 28 00 04 01 02 03 04";
const std::string lifetime_600 = "00 0d 00 04 00 00 02 58";
const std::string lifetime_0 = "00 0d 00 04 00 00 00 00";
const std::string user_ann = "00 06 00 03 61 6e 6e 00";

} // namespace

TEST_CASE("RFC 8489 5: class and method are read from and written to their bits") {
    for (unsigned method_bits = 0; method_bits < 0x1000; ++method_bits) {
        for (const auto cls : {message_class::request, message_class::indication, message_class::success_response,
                               message_class::error_response}) {
            std::array<std::byte, header_size> out{};
            const auto written = message_builder(out, cls, static_cast<method>(method_bits), {}).finish();
            REQUIRE(written);
            const auto m = message_view::parse(*written);
            REQUIRE(m);
            REQUIRE(m->cls() == cls);
            REQUIRE(m->method() == static_cast<method>(method_bits));
        }
    }
    // Figure 3: Binding request, indication, success and error response.
    for (const auto& [type, cls] : {std::pair{"00 01", message_class::request},
                                    {"00 11", message_class::indication},
                                    {"01 01", message_class::success_response},
                                    {"01 11", message_class::error_response}}) {
        auto datagram = message_of({});
        std::ranges::copy(from_hex(type), datagram.begin());
        CHECK(message_view::parse(datagram)->cls() == cls);
        CHECK(message_view::parse(datagram)->method() == method::binding);
    }
}

TEST_CASE("RFC 8489 6.3: what the header must say") {
    CHECK(error_of({}) == errc::truncated);
    CHECK(message_view::parse(message_of({})).has_value());
    CHECK(message_view::parse(message_of({}))->id() ==
          transaction_id{std::byte{0}, std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}, std::byte{5},
                         std::byte{6}, std::byte{7}, std::byte{8}, std::byte{9}, std::byte{10}, std::byte{11}});

    SUBCASE("the two first bits are zero") {
        for (const int bits : {0x40, 0x80, 0xc0}) {
            auto datagram = message_of({});
            datagram[0] |= static_cast<std::byte>(bits);
            CHECK(error_of(datagram) == errc::not_stun);
        }
    }
    SUBCASE("every bit of the magic cookie counts") {
        for (std::size_t bit = 0; bit < 32; ++bit) {
            auto datagram = message_of({});
            datagram[4 + bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
            CHECK(error_of(datagram) == errc::not_stun);
        }
    }
    SUBCASE("the length is a multiple of four though it fills the datagram") {
        for (const std::size_t length : {1U, 2U, 3U, 5U, 6U, 7U, 9U}) {
            auto datagram = message_of({lifetime_600, "80 22 00 00"});
            datagram.resize(header_size + length);
            datagram[3] = static_cast<std::byte>(length);
            CHECK(error_of(datagram) == errc::not_stun);
        }
    }
    SUBCASE("the length fills the datagram exactly") {
        auto datagram = message_of({lifetime_600});
        datagram.push_back(std::byte{0});
        CHECK(error_of(datagram) == errc::not_stun);
        datagram = message_of({lifetime_600});
        datagram[3] = std::byte{4};
        CHECK(error_of(datagram) == errc::not_stun);
        datagram[3] = std::byte{12};
        CHECK(error_of(datagram) == errc::truncated);
    }
}

TEST_CASE("RFC 8489 14: a message cut at any byte is none") {
    const auto whole = message_of({user_ann, lifetime_600, "00 13 00 05 01 02 03 04 05 00 00 00", some_integrity,
                                   some_integrity_sha256, some_fingerprint});
    REQUIRE(message_view::parse(whole));
    for (std::size_t size = 0; size < whole.size(); ++size) {
        // In a buffer of its own, so that reading past its end is seen by the sanitizers.
        const std::vector<std::byte> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
        CHECK(error_of(cut) == errc::truncated);
    }
}

TEST_CASE("RFC 8489 14: an attribute that overruns the message by one byte is refused") {
    // The value fills the message to its last byte; claiming one byte more is too much.
    CHECK(message_view::parse(message_of({"00 06 00 04 61 6e 6e 65"})).has_value());
    CHECK(error_of(message_of({"00 06 00 05 61 6e 6e 65"})) == errc::truncated);
    // Its padding has to be there too: five bytes need eight.
    CHECK(message_view::parse(message_of({"00 06 00 05 61 6e 6e 65 74 00 00 00"})).has_value());
    CHECK(error_of(message_of({"00 06 00 09 61 6e 6e 65 74 00 00 00"})) == errc::truncated);
    // Nothing is left for a value behind the last four bytes.
    CHECK(message_view::parse(message_of({lifetime_600, "80 22 00 00"})).has_value());
    CHECK(error_of(message_of({lifetime_600, "80 22 00 01"})) == errc::truncated);
    CHECK(error_of(message_of({lifetime_600, "80 22 ff ff"})) == errc::truncated);
    // Unknown and invisible attributes have bounds as well.
    CHECK(error_of(message_of({"7f ff 00 05 00 00 00 00"})) == errc::truncated);
    CHECK(error_of(message_of({some_integrity, "80 22 00 05 00 00 00 00"})) == errc::truncated);
}

TEST_CASE("RFC 8489 14: the largest message parses") {
    auto datagram = message_of({});
    const std::size_t length = 0xfffc;
    datagram.resize(header_size + length);
    datagram[2] = std::byte{0xff};
    datagram[3] = std::byte{0xfc};
    std::ranges::copy(from_hex("00 13 ff f8"), datagram.begin() + header_size);
    const auto m = message_view::parse(datagram);
    REQUIRE(m);
    CHECK(m->get<data>()->size() == 0xfff8);
}

TEST_CASE("RFC 8489 14: of several attributes of one type the first counts") {
    const auto datagram = message_of({lifetime_600, lifetime_0});
    const auto m = message_view::parse(datagram);
    REQUIRE(m);
    CHECK(*m->get<lifetime>() == std::chrono::seconds(600));
}

TEST_CASE("RFC 8489 14: the first attribute counts though it is malformed") {
    const auto datagram = message_of({"00 0d 00 02 00 00 00 00", lifetime_600});
    const auto m = message_view::parse(datagram);
    REQUIRE(m);
    CHECK(m->get<lifetime>().error() == errc::bad_attribute);
    CHECK(m->has<lifetime>());
}

TEST_CASE("RFC 8489 14: an absent attribute is missing and not malformed") {
    const auto datagram = message_of({user_ann});
    const auto m = message_view::parse(datagram);
    REQUIRE(m);
    CHECK(m->get<lifetime>().error() == errc::missing_attribute);
    CHECK_FALSE(m->has<lifetime>());
    CHECK_FALSE(m->has_integrity());
    CHECK_FALSE(m->has_fingerprint());
    CHECK(m->check_integrity(key_of("pw")).error() == errc::missing_attribute);
    CHECK(m->check_fingerprint().error() == errc::missing_attribute);
}

TEST_CASE("RFC 8489 14: padding may be anything and belongs to no value") {
    for (const auto* text : {"00 09 00 05 00 00 04 01 4e 00 00 00", "00 09 00 05 00 00 04 01 4e ff 20 41"}) {
        const auto datagram = message_of({text});
        const auto m = message_view::parse(datagram);
        REQUIRE(m);
        CHECK(m->get<error_code>()->phrase == "N");
    }
}

TEST_CASE("RFC 8656 9: every XOR-PEER-ADDRESS of a list is visited and a malformed one is seen") {
    const auto datagram = message_of({"00 12 00 08 00 01 a1 47 e1 12 a6 43", lifetime_600, "00 12 00 04 00 01 a1 47",
                                      "00 12 00 08 00 01 a1 46 e1 12 a6 43"});
    const auto m = message_view::parse(datagram);
    REQUIRE(m);
    std::vector<std::string> seen;
    m->for_each<xor_peer_address>([&](const result<transport_address>& peer) {
        seen.push_back(peer ? peer->to_string() : message(peer.error()));
        return true;
    });
    CHECK(seen == std::vector<std::string>{"192.0.2.1:32853", message(errc::bad_attribute), "192.0.2.1:32852"});

    int visits = 0;
    m->for_each<xor_peer_address>([&](const result<transport_address>& peer) {
        ++visits;
        return peer.has_value();
    });
    CHECK(visits == 2);
}

TEST_CASE("RFC 8489 14.5: attributes behind MESSAGE-INTEGRITY are not seen") {
    for (const std::string& closing : {some_integrity, some_integrity_sha256}) {
        const auto datagram =
            message_of({user_ann, closing, lifetime_600, "00 12 00 08 00 01 a1 47 e1 12 a6 43", "7f ff 00 00"});
        const auto m = message_view::parse(datagram);
        REQUIRE(m);
        CHECK(m->has<username>());
        CHECK_FALSE(m->has<lifetime>());
        CHECK_FALSE(m->has<xor_peer_address>());
        m->for_each<xor_peer_address>([](const result<transport_address>&) {
            FAIL("an appended peer was seen");
            return true;
        });
        CHECK(m->unknown_required({}) == 0);
    }
}

TEST_CASE("RFC 8489 14.5: MESSAGE-INTEGRITY-SHA256 and FINGERPRINT are seen behind MESSAGE-INTEGRITY") {
    const auto datagram =
        message_of({user_ann, some_integrity, lifetime_600, some_integrity_sha256, lifetime_0, some_fingerprint});
    const auto m = message_view::parse(datagram);
    REQUIRE(m);
    CHECK(m->has_integrity());
    CHECK(m->has_integrity_sha256());
    CHECK(m->has_fingerprint());
    CHECK(m->has<message_integrity>());
    CHECK(m->has<message_integrity_sha256>());
    CHECK(*m->get<fingerprint>() == 0x01020304);
    CHECK_FALSE(m->has<lifetime>());
}

TEST_CASE("RFC 8489 14.6: MESSAGE-INTEGRITY behind MESSAGE-INTEGRITY-SHA256 is ignored") {
    const auto datagram = message_of({some_integrity_sha256, some_integrity});
    const auto m = message_view::parse(datagram);
    REQUIRE(m);
    CHECK(m->has_integrity_sha256());
    CHECK_FALSE(m->has<message_integrity>());
}

TEST_CASE("RFC 8489 14.6: of two MESSAGE-INTEGRITY-SHA256 the first counts") {
    const auto datagram =
        message_of({some_integrity_sha256, "00 1c 00 10 ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff"});
    const auto m = message_view::parse(datagram);
    REQUIRE(m);
    CHECK(to_hex(*m->get<message_integrity_sha256>()).starts_with("01 02 03 04"));
    // The second is not even looked at.
    CHECK(message_view::parse(message_of({some_integrity_sha256, "00 1c 00 04 ff ff ff ff"})).has_value());
}

TEST_CASE("RFC 8489 14.5 to 14.7: closing attributes of a wrong length spoil the message") {
    CHECK(error_of(message_of({"00 08 00 10 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 10"})) == errc::bad_attribute);
    CHECK(error_of(message_of({"00 08 00 00"})) == errc::bad_attribute);
    CHECK(error_of(message_of({"00 1c 00 0c 01 02 03 04 05 06 07 08 09 0a 0b 0c"})) == errc::bad_attribute);
    CHECK(error_of(message_of({"00 1c 00 11 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 10 11 00 00 00"})) ==
          errc::bad_attribute);
    CHECK(error_of(message_of({"80 28 00 03 01 02 03 04"})) == errc::bad_attribute);
    CHECK(error_of(message_of({"80 28 00 08 01 02 03 04 05 06 07 08"})) == errc::bad_attribute);
    // Behind MESSAGE-INTEGRITY another one is not looked at.
    CHECK(message_view::parse(message_of({some_integrity, "00 08 00 00"})).has_value());
}

TEST_CASE("RFC 8489 14.5: MESSAGE-INTEGRITY holds with FINGERPRINT behind it and fails with any other key") {
    std::array<std::byte, 256> out;
    for (const bool with_fingerprint : {false, true}) {
        message_builder b(out, message_class::request, method::allocate, {});
        b.add<username>("ann").add<lifetime>(std::chrono::seconds(600)).integrity(key_of("right"));
        if (with_fingerprint) b.fingerprint();
        const auto m = message_view::parse(*b.finish());
        REQUIRE(m);
        CHECK(m->check_integrity(key_of("right")).has_value());
        CHECK(m->check_integrity(key_of("wrong")).error() == errc::integrity_mismatch);
        CHECK(m->check_integrity(credential_key{}).error() == errc::integrity_mismatch);
    }
}

TEST_CASE("RFC 8489 14.6: a truncated MESSAGE-INTEGRITY-SHA256 is checked over its own length") {
    const auto key = key_of("pw");
    std::array<std::byte, 256> out;
    const auto full = message_builder(out, message_class::request, method::allocate, {})
                          .add<username>("ann")
                          .integrity_sha256(key)
                          .finish();
    REQUIRE(full);
    // The length field enters the HMAC, so cutting a full one short is not what a truncating sender does.
    std::vector<std::byte> cut(full->begin(), full->end() - 16);
    cut[3] = static_cast<std::byte>(std::to_integer<unsigned>(cut[3]) - 16);
    cut[cut.size() - 17] = std::byte{16};
    const auto m = message_view::parse(cut);
    REQUIRE(m);
    CHECK(m->get<message_integrity_sha256>()->size() == 16);
    CHECK(m->check_integrity(key).error() == errc::integrity_mismatch);

    // One that was made for 16 bytes: HMAC-SHA256 over the message with a length of 8 + 4 + 16.
    const auto made = from_hex("00 03 00 1c 21 12 a4 42 00 00 00 00 00 00 00 00 00 00 00 00 00 06 00 03 61 6e 6e 00 "
                               "00 1c 00 10 07 f9 a0 47 05 08 77 07 f0 10 a8 a0 62 1a 34 14");
    const auto truncated = message_view::parse(made);
    REQUIRE(truncated);
    CHECK(truncated->check_integrity(key).has_value());
}

TEST_CASE("RFC 8489 9.2.4: with both integrity attributes the stronger one decides") {
    const auto key = key_of("pw");
    std::array<std::byte, 256> out;
    const auto written = message_builder(out, message_class::request, method::allocate, {})
                             .add<username>("ann")
                             .integrity(key)
                             .integrity_sha256(key)
                             .fingerprint()
                             .finish();
    REQUIRE(written);
    CHECK(message_view::parse(*written)->check_integrity(key).has_value());
    CHECK(message_view::parse(*written)->check_fingerprint().has_value());

    const std::size_t sha256_value = written->size() - 8 - 32;
    out[sha256_value] ^= std::byte{1};
    CHECK(message_view::parse(*written)->check_integrity(key).error() == errc::integrity_mismatch);
}

TEST_CASE("RFC 8489 14.7: FINGERPRINT must match and be last") {
    std::array<std::byte, 256> out;
    const auto written = message_builder(out, message_class::request, method::binding, {})
                             .add<software>("libturn")
                             .fingerprint()
                             .finish();
    REQUIRE(written);
    CHECK(message_view::parse(*written)->check_fingerprint().has_value());

    SUBCASE("every bit of the message is covered") {
        for (std::size_t i = 0; i < written->size(); ++i) {
            for (int bit = 0; bit < 8; ++bit) {
                out[i] ^= static_cast<std::byte>(1 << bit);
                const auto m = message_view::parse(*written);
                CHECK((!m || !m->check_fingerprint()));
                out[i] ^= static_cast<std::byte>(1 << bit);
            }
        }
    }
    SUBCASE("anything behind it makes it wrong though its value fits") {
        std::vector<std::byte> longer(written->begin(), written->end());
        std::ranges::copy(from_hex("80 22 00 00"), std::back_inserter(longer));
        longer[3] = static_cast<std::byte>(longer.size() - header_size);
        const std::size_t at = written->size() - 8;
        store_u32(longer, at + 4, fingerprint_of(bytes(longer).first(at)));
        CHECK(message_view::parse(longer)->check_fingerprint().error() == errc::integrity_mismatch);
    }
    SUBCASE("of two the first counts and it is not last") {
        std::vector<std::byte> longer(written->begin(), written->end());
        std::ranges::copy(from_hex(some_fingerprint), std::back_inserter(longer));
        longer[3] = static_cast<std::byte>(longer.size() - header_size);
        for (const std::size_t at : {longer.size() - 16, longer.size() - 8})
            store_u32(longer, at + 4, fingerprint_of(bytes(longer).first(at)));
        CHECK(message_view::parse(longer)->check_fingerprint().error() == errc::integrity_mismatch);
    }
}

TEST_CASE("RFC 8489 6.3.1: unknown comprehension-required attributes are listed once each and in order") {
    const auto datagram = message_of(
        {"7f ff 00 00", lifetime_600, "00 24 00 04 00 00 00 00", "7f ff 00 00", "80 99 00 00", "00 02 00 00"});
    const auto m = message_view::parse(datagram);
    REQUIRE(m);
    std::array<std::uint16_t, 2> two{};
    CHECK(m->unknown_required(two) == 3);
    CHECK(two == std::array<std::uint16_t, 2>{0x7fff, 0x0024});
    std::array<std::uint16_t, 8> all{};
    CHECK(m->unknown_required(all) == 3);
    CHECK(all[2] == 0x0002);
    CHECK(m->unknown_required({}) == 3);
}

TEST_CASE("RFC 8489 6.3.1: exactly the attributes of this library are known") {
    const std::vector<std::uint16_t> known = {0x0001, 0x0006, 0x0008, 0x0009, 0x000a, 0x000c, 0x000d, 0x0012,
                                              0x0013, 0x0014, 0x0015, 0x0016, 0x0017, 0x0018, 0x0019, 0x001a,
                                              0x001c, 0x001d, 0x001e, 0x0020, 0x0022, 0x002a};
    for (unsigned type = 0; type < 0x10000; ++type) {
        // Closing attributes have fixed lengths and hide what follows; as the only attribute they are fine.
        std::string value = " 00 00";
        if (type == 0x0008) value = some_integrity.substr(5);
        if (type == 0x001c) value = some_integrity_sha256.substr(5);
        if (type == 0x8028) value = some_fingerprint.substr(5);
        const std::array head{static_cast<std::byte>(type >> 8), static_cast<std::byte>(type & 0xff)};
        const auto datagram = message_of({to_hex(head) + value});
        const auto m = message_view::parse(datagram);
        REQUIRE(m);
        const bool wanted = type < 0x8000 && std::ranges::find(known, type) == known.end();
        REQUIRE_MESSAGE(m->unknown_required({}) == (wanted ? 1 : 0), "type " << type);
    }
}

TEST_CASE("RFC 8489 6.3.1: a message full of unknown types is counted in one pass") {
    auto datagram = message_of({});
    for (unsigned type = 0x4000; type < 0x4000 + 0x3fff; ++type)
        for (const unsigned b : {type >> 8, type & 0xff, 0U, 0U}) datagram.push_back(static_cast<std::byte>(b));
    const auto length = datagram.size() - header_size;
    datagram[2] = static_cast<std::byte>(length >> 8);
    datagram[3] = static_cast<std::byte>(length & 0xff);
    std::array<std::uint16_t, 16> out{};
    CHECK(message_view::parse(datagram)->unknown_required(out) == 0x3fff);
    CHECK(out[15] == 0x400f);
}
