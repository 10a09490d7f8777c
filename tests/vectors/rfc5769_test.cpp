/// The four messages of RFC 5769, read, verified and (padding apart) written again.

#include <doctest/doctest.h>

#include <algorithm>
#include <string_view>

#include "support/hex.hpp"
#include "turn/stun/attributes.hpp"
#include "turn/stun/credentials.hpp"

using namespace turn;
using namespace turn::stun;
using turn::test::from_hex;
using turn::test::to_hex;

namespace {

const auto sample_request = from_hex("00 01 00 58 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86 fa 87 df ae "
                                     "80 22 00 10 53 54 55 4e 20 74 65 73 74 20 63 6c 69 65 6e 74 "
                                     "00 24 00 04 6e 00 01 ff "
                                     "80 29 00 08 93 2f f9 b1 51 26 3b 36 "
                                     "00 06 00 09 65 76 74 6a 3a 68 36 76 59 20 20 20 "
                                     "00 08 00 14 9a ea a7 0c bf d8 cb 56 78 1e f2 b5 b2 d3 f2 49 c1 b5 71 a2 "
                                     "80 28 00 04 e5 7a 3b cf");

const auto sample_ipv4_response = from_hex("01 01 00 3c 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86 fa 87 df ae "
                                           "80 22 00 0b 74 65 73 74 20 76 65 63 74 6f 72 20 "
                                           "00 20 00 08 00 01 a1 47 e1 12 a6 43 "
                                           "00 08 00 14 2b 91 f5 99 fd 9e 90 c3 8c 74 89 f9 2a f9 ba 53 f0 6b e7 d7 "
                                           "80 28 00 04 c0 7d 4c 96");

const auto sample_ipv6_response = from_hex("01 01 00 48 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86 fa 87 df ae "
                                           "80 22 00 0b 74 65 73 74 20 76 65 63 74 6f 72 20 "
                                           "00 20 00 14 00 02 a1 47 01 13 a9 fa a5 d3 f1 79 bc 25 f4 b5 be d2 b9 d9 "
                                           "00 08 00 14 a3 82 95 4e 4b e6 7b f1 17 84 c9 7c 82 92 c2 75 bf e3 ed 41 "
                                           "80 28 00 04 c8 fb 0b 4c");

const auto sample_long_term_request =
    from_hex("00 01 00 60 21 12 a4 42 78 ad 34 33 c6 ad 72 c0 29 da 41 2e "
             "00 06 00 12 e3 83 9e e3 83 88 e3 83 aa e3 83 83 e3 82 af e3 82 b9 00 00 "
             "00 15 00 1c 66 2f 2f 34 39 39 6b 39 35 34 64 36 4f 4c 33 34 6f 4c 39 46 53 54 76 79 36 34 73 41 "
             "00 14 00 0b 65 78 61 6d 70 6c 65 2e 6f 72 67 00 "
             "00 08 00 14 f6 70 24 65 6d d6 4a 3e 02 b8 e0 71 2e 85 c9 a2 8c a8 96 66");

constexpr std::string_view matrix_in_katakana = "\u30de\u30c8\u30ea\u30c3\u30af\u30b9";

/// The key of the short-term mechanism is the password itself: RFC 8489, 9.1.1.
credential_key short_term_key(std::string_view password) {
    credential_key key;
    std::ranges::copy(std::as_bytes(std::span(password)), key.value.begin());
    key.size = static_cast<std::uint8_t>(password.size());
    return key;
}

const auto key_of_2 = short_term_key("VOkJxbRl1RmTxUk/WvJxBt");

/// Every single-bit change to what MESSAGE-INTEGRITY covers must be noticed (or no longer parse).
void check_that_integrity_covers(std::vector<std::byte> message, std::size_t covered, const credential_key& key) {
    for (std::size_t i = 0; i < covered; ++i) {
        if (i == 2 || i == 3) continue; // the length field is replaced for the computation
        for (int bit = 0; bit < 8; ++bit) {
            message[i] ^= std::byte(1 << bit);
            const auto m = message_view::parse(message);
            CHECK_MESSAGE((!m || !m->check_integrity(key)), "byte " << i << " bit " << bit);
            message[i] ^= std::byte(1 << bit);
        }
    }
}

} // namespace

TEST_CASE("RFC 5769 2.1: the sample request") {
    const auto m = message_view::parse(sample_request);
    REQUIRE(m);
    CHECK(m->cls() == message_class::request);
    CHECK(m->method() == method::binding);
    CHECK(to_hex(m->id()) == "b7 e7 a7 01 bc 34 d6 86 fa 87 df ae");
    CHECK(*m->get<software>() == "STUN test client");
    CHECK(*m->get<username>() == "evtj:h6vY");
    CHECK(m->check_integrity(key_of_2).has_value());
    CHECK(m->check_integrity(short_term_key("VOkJxbRl1RmTxUk/WvJxBu")).error() == errc::integrity_mismatch);
    CHECK(m->check_fingerprint().has_value());

    std::array<std::uint16_t, 4> unknown{};
    REQUIRE(m->unknown_required(unknown) == 1);
    CHECK(unknown[0] == 0x0024); // PRIORITY belongs to ICE; ICE-CONTROLLED is comprehension-optional

    check_that_integrity_covers(sample_request, sample_request.size() - 24 - 8, key_of_2);
}

TEST_CASE("RFC 5769 2.2: the sample IPv4 response") {
    const auto m = message_view::parse(sample_ipv4_response);
    REQUIRE(m);
    CHECK(m->cls() == message_class::success_response);
    CHECK(m->method() == method::binding);
    CHECK(*m->get<software>() == "test vector");
    CHECK(m->get<xor_mapped_address>()->to_string() == "192.0.2.1:32853");
    CHECK(m->check_integrity(key_of_2).has_value());
    CHECK(m->check_fingerprint().has_value());

    check_that_integrity_covers(sample_ipv4_response, sample_ipv4_response.size() - 24 - 8, key_of_2);
}

TEST_CASE("RFC 5769 2.3: the sample IPv6 response") {
    const auto m = message_view::parse(sample_ipv6_response);
    REQUIRE(m);
    CHECK(m->cls() == message_class::success_response);
    CHECK(*m->get<software>() == "test vector");
    CHECK(m->get<xor_mapped_address>()->to_string() == "[2001:db8:1234:5678:11:2233:4455:6677]:32853");
    CHECK(m->check_integrity(key_of_2).has_value());
    CHECK(m->check_fingerprint().has_value());
}

TEST_CASE("RFC 5769 2.4: the sample request with long-term authentication") {
    const auto m = message_view::parse(sample_long_term_request);
    REQUIRE(m);
    CHECK(*m->get<username>() == matrix_in_katakana);
    CHECK(*m->get<nonce>() == "f//499k954d6OL34oL9FSTvy64sA");
    CHECK(*m->get<realm>() == "example.org");
    CHECK_FALSE(m->has_fingerprint());

    // The password is given there before and after preparation; "TheMatrIX" is what both ends hash.
    const auto key = long_term_key(matrix_in_katakana, "example.org", "TheMatrIX");
    REQUIRE(key);
    CHECK(m->check_integrity(*key).has_value());
    check_that_integrity_covers(sample_long_term_request, sample_long_term_request.size() - 24, *key);
}

TEST_CASE("RFC 5769 2.4: the writer makes the same bytes") {
    const auto key = *long_term_key(matrix_in_katakana, "example.org", "TheMatrIX");
    std::array<std::byte, 256> out;
    out.fill(std::byte{0xee});
    const auto written = message_builder(out, message_class::request, method::binding,
                                         message_view::parse(sample_long_term_request)->id())
                             .add<username>(matrix_in_katakana)
                             .add<nonce>("f//499k954d6OL34oL9FSTvy64sA")
                             .add<realm>("example.org")
                             .integrity(key)
                             .finish();
    REQUIRE(written);
    CHECK(to_hex(*written) == to_hex(sample_long_term_request));
}
