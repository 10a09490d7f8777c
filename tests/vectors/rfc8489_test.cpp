/// The message of RFC 8489, appendix B.1. As printed its length field counts the header too, and so does the one its
/// HMAC was computed over; here it is read with the right length, and signed anew by another HMAC implementation.
/// The printed HMAC itself is checked in unit/crypto_test.cpp.

#include <doctest/doctest.h>

#include <algorithm>

#include "support/hex.hpp"
#include "turn/stun/attributes.hpp"
#include "turn/stun/credentials.hpp"

using namespace turn;
using namespace turn::stun;
using turn::test::from_hex;
using turn::test::to_hex;

namespace {

const auto as_printed = from_hex("00 01 00 9c 21 12 a4 42 78 ad 34 33 c6 ad 72 c0 29 da 41 2e "
                                 "00 1e 00 20 4a 3c f3 8f ef 69 92 bd a9 52 c6 78 04 17 da 0f "
                                 "            24 81 94 15 56 9e 60 b2 05 c4 6e 41 40 7f 17 04 "
                                 "00 15 00 29 6f 62 4d 61 74 4a 6f 73 32 41 41 41 43 66 2f 2f 34 39 39 6b "
                                 "            39 35 34 64 36 4f 4c 33 34 6f 4c 39 46 53 54 76 79 36 34 73 41 00 00 00 "
                                 "00 14 00 0b 65 78 61 6d 70 6c 65 2e 6f 72 67 00 "
                                 "00 1c 00 20 e4 68 6c 8f 0e de b5 90 13 e0 70 90 01 0a 93 ef "
                                 "            cc bc cc 54 4c 0a 45 d9 f8 30 aa 6d 6f 73 5a 01");

std::vector<std::byte> corrected() {
    auto message = as_printed;
    message[3] = std::byte{0x88};
    const auto mac = from_hex("23 41 12 fb d4 e2 7f 98 3e b4 03 28 36 f9 98 21 "
                              "6f 5b 23 f8 d9 27 75 3f bc 4f 88 2b fb df 0d ec");
    std::ranges::copy(mac, message.end() - 32);
    return message;
}

// The appendix names no algorithm; its HMAC is the one of the SHA-256 key.
const auto key = long_term_key_sha256("\u30de\u30c8\u30ea\u30c3\u30af\u30b9", "example.org", "TheMatrIX");

} // namespace

TEST_CASE("RFC 8489 B.1: the sample request as printed is longer than itself") {
    CHECK(message_view::parse(as_printed).error() == errc::truncated);
}

TEST_CASE("RFC 8489 B.1: the sample request with USERHASH and MESSAGE-INTEGRITY-SHA256") {
    const auto sample = corrected();
    const auto m = message_view::parse(sample);
    REQUIRE(m);
    CHECK(m->has_integrity());
    CHECK(m->has_integrity_sha256());
    CHECK_FALSE(m->has<message_integrity>());
    CHECK(*m->get<nonce>() == "obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA");
    CHECK(*m->get<realm>() == "example.org");
    CHECK(to_hex(*m->get<userhash>()).starts_with("4a 3c f3 8f ef 69 92 bd"));
    CHECK(m->unknown_required({}) == 0);

    REQUIRE(key);
    CHECK(key->size == 32);
    CHECK(m->check_integrity(*key).has_value());

    const auto md5_key = long_term_key("\u30de\u30c8\u30ea\u30c3\u30af\u30b9", "example.org", "TheMatrIX");
    CHECK(m->check_integrity(*md5_key).error() == errc::integrity_mismatch);
}

TEST_CASE("RFC 8489 B.1: the userhash of the sample request") {
    const auto sample = corrected();
    const auto hash = hash_username("\u30de\u30c8\u30ea\u30c3\u30af\u30b9", "example.org");
    REQUIRE(hash);
    CHECK(*message_view::parse(sample)->get<userhash>() == *hash);
    CHECK_FALSE(hash_username("", "example.org"));
    CHECK_FALSE(hash_username("ann\a", "example.org"));
}

TEST_CASE("RFC 8489 B.1: the nonce of the sample request asks for what the request does") {
    CHECK(features_of("obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA") == security_features{.username_anonymity = true});
}

TEST_CASE("RFC 8489 B.1: the writer makes the same bytes") {
    const auto sample = corrected();
    const auto m = message_view::parse(sample);
    REQUIRE(m);
    std::array<std::byte, 256> out;
    out.fill(std::byte{0xee});
    const auto written = message_builder(out, message_class::request, method::binding, m->id())
                             .add<userhash>(*m->get<userhash>())
                             .add<nonce>(*m->get<nonce>())
                             .add<realm>(*m->get<realm>())
                             .integrity_sha256(*key)
                             .finish();
    REQUIRE(written);
    CHECK(to_hex(*written) == to_hex(sample));
}
