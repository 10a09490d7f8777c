/// The primitives against published values.

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/base64.hpp"
#include "base/crypto.hpp"
#include "support/hex.hpp"
#include "turn/stun/credentials.hpp"

using namespace turn;
using turn::test::from_hex;
using turn::test::to_hex;

namespace {

bytes of(std::string_view text) {
    return std::as_bytes(std::span(text));
}

template <class Hmac>
std::string in_parts(Hmac hmac, bytes key, bytes text, std::size_t cut) {
    const std::array<bytes, 3> parts{text.first(cut), bytes{}, text.subspan(cut)};
    return to_hex(hmac(key, parts));
}

} // namespace

TEST_CASE("RFC 1321 A.5: MD5") {
    CHECK(to_hex(crypto::md5({})) == "d4 1d 8c d9 8f 00 b2 04 e9 80 09 98 ec f8 42 7e");
    CHECK(to_hex(crypto::md5(of("abc"))) == "90 01 50 98 3c d2 4f b0 d6 96 3f 7d 28 e1 7f 72");
    CHECK(to_hex(crypto::md5(of("12345678901234567890123456789012345678901234567890123456789012345678901234567890"))) ==
          "57 ed f4 a2 2b e3 c9 55 ac 49 da 2e 21 07 b6 7a");
}

TEST_CASE("FIPS 180-2 B.1: SHA-256") {
    CHECK(to_hex(crypto::sha256(of("abc"))) ==
          "ba 78 16 bf 8f 01 cf ea 41 41 40 de 5d ae 22 23 b0 03 61 a3 96 17 7a 9c b4 10 ff 61 f2 00 15 ad");
}

TEST_CASE("RFC 2202 3: HMAC-SHA-1 over any division into parts") {
    const std::vector<std::byte> key20(20, std::byte{0x0b});
    const std::vector<std::byte> key80(80, std::byte{0xaa});
    struct {
        bytes key;
        std::string_view text;
        std::string_view mac;
    } const cases[] = {
        {key20, "Hi There", "b6 17 31 86 55 05 72 64 e2 8b c0 b6 fb 37 8c 8e f1 46 be 00"},
        {of("Jefe"), "what do ya want for nothing?", "ef fc df 6a e5 eb 2f a2 d2 74 16 d5 f1 84 df 9c 25 9a 7c 79"},
        {key80, "Test Using Larger Than Block-Size Key - Hash Key First",
         "aa 4a e5 e1 52 72 d0 0e 95 70 56 37 ce 8a 3b 55 ed 40 21 12"},
    };
    for (const auto& c : cases)
        for (std::size_t cut = 0; cut <= c.text.size(); ++cut)
            CHECK(in_parts(crypto::hmac_sha1, c.key, of(c.text), cut) == c.mac);
}

TEST_CASE("RFC 4231 4: HMAC-SHA-256 over any division into parts") {
    const std::vector<std::byte> key20(20, std::byte{0x0b});
    const std::vector<std::byte> key131(131, std::byte{0xaa});
    struct {
        bytes key;
        std::string_view text;
        std::string_view mac;
    } const cases[] = {
        {key20, "Hi There",
         "b0 34 4c 61 d8 db 38 53 5c a8 af ce af 0b f1 2b 88 1d c2 00 c9 83 3d a7 26 e9 37 6c 2e 32 cf f7"},
        {of("Jefe"), "what do ya want for nothing?",
         "5b dc c1 46 bf 60 75 4e 6a 04 24 26 08 95 75 c7 5a 00 3f 08 9d 27 39 83 9d ec 58 b9 64 ec 38 43"},
        {key131, "Test Using Larger Than Block-Size Key - Hash Key First",
         "60 e4 31 59 1e e0 b6 7f 0d 8a 26 aa cb f5 b7 7f 8e 0b c6 21 37 28 c5 14 05 46 04 0f 0e e3 7f 54"},
    };
    for (const auto& c : cases)
        for (std::size_t cut = 0; cut <= c.text.size(); ++cut)
            CHECK(in_parts(crypto::hmac_sha256, c.key, of(c.text), cut) == c.mac);
}

TEST_CASE("RFC 8489 B.1: the printed HMAC belongs to the printed bytes and the SHA-256 key") {
    const auto before_mac = from_hex("00 01 00 9c 21 12 a4 42 78 ad 34 33 c6 ad 72 c0 29 da 41 2e "
                                     "00 1e 00 20 4a 3c f3 8f ef 69 92 bd a9 52 c6 78 04 17 da 0f "
                                     "            24 81 94 15 56 9e 60 b2 05 c4 6e 41 40 7f 17 04 "
                                     "00 15 00 29 6f 62 4d 61 74 4a 6f 73 32 41 41 41 43 66 2f 2f 34 39 39 6b "
                                     "            39 35 34 64 36 4f 4c 33 34 6f 4c 39 46 53 54 76 79 36 34 73 41 "
                                     "00 00 00 00 14 00 0b 65 78 61 6d 70 6c 65 2e 6f 72 67 00");
    const auto key = stun::long_term_key_sha256("\u30de\u30c8\u30ea\u30c3\u30af\u30b9", "example.org", "TheMatrIX");
    REQUIRE(key);
    CHECK(in_parts(crypto::hmac_sha256, key->view(), before_mac, 20) ==
          "e4 68 6c 8f 0e de b5 90 13 e0 70 90 01 0a 93 ef cc bc cc 54 4c 0a 45 d9 f8 30 aa 6d 6f 73 5a 01");
    // USERHASH = SHA-256(username ":" realm), RFC 8489, 14.4.
    CHECK(to_hex(crypto::sha256(of("\u30de\u30c8\u30ea\u30c3\u30af\u30b9:example.org"))) ==
          "4a 3c f3 8f ef 69 92 bd a9 52 c6 78 04 17 da 0f 24 81 94 15 56 9e 60 b2 05 c4 6e 41 40 7f 17 04");
}

TEST_CASE("RFC 2104 2: an HMAC does not depend on the keys that came before") {
    const auto by_definition = [](bytes key, bytes text) {
        const auto padded_with = [&](unsigned pad) {
            std::vector<std::byte> block(64, std::byte{0});
            std::ranges::copy(key, block.begin());
            for (std::byte& b : block) b ^= static_cast<std::byte>(pad);
            return block;
        };
        auto inner = padded_with(0x36), outer = padded_with(0x5c);
        inner.insert(inner.end(), text.begin(), text.end());
        const auto digest = crypto::sha256(inner);
        outer.insert(outer.end(), digest.begin(), digest.end());
        return to_hex(crypto::sha256(outer));
    };
    // Alike in front, in full or in length, and all with another first byte: those that are remembered get mixed up
    // if they can be.
    std::vector<std::vector<std::byte>> keys;
    for (const std::size_t size : {0U, 1U, 16U, 31U, 32U, 33U, 64U}) keys.emplace_back(size, std::byte{7});
    for (unsigned last = 0; last < 4; ++last) {
        keys.emplace_back(16, std::byte{7}).back() = static_cast<std::byte>(last);
        keys.emplace_back(32, std::byte{7}).back() = static_cast<std::byte>(last);
    }
    for (unsigned first = 0; first < 256; ++first) keys.emplace_back(16, static_cast<std::byte>(first));

    const std::vector<bytes> texts{of("first"), of("a second text"), bytes{}};
    const auto check = [&](const std::vector<std::byte>& key) {
        for (const bytes& text : texts) {
            const auto mac = crypto::hmac_sha256(key, std::span(&text, 1));
            CHECK(to_hex(mac) == by_definition(key, text));
        }
    };
    for (const auto& key : keys) check(key);
    for (const auto& key : keys) {
        check(keys.front());
        check(key);
        check(keys[3]);
    }
}

TEST_CASE("HMACs are counted per thread") {
    const auto before = crypto::hmac_count();
    const bytes text = of("x");
    (void)crypto::hmac_sha1(text, std::span(&text, 1));
    (void)crypto::hmac_sha256(text, std::span(&text, 1));
    (void)crypto::md5(text);
    CHECK(crypto::hmac_count() == before + 2);

    std::uint64_t elsewhere = 99;
    std::thread([&] { elsewhere = crypto::hmac_count(); }).join();
    CHECK(elsewhere == 0);
}

TEST_CASE("ITU-T V.42 8.1.1.6.2: CRC-32 of every length") {
    CHECK(crypto::crc32({}) == 0);
    CHECK(crypto::crc32(of("123456789")) == 0xcbf43926U);
    CHECK(crypto::crc32(of("The quick brown fox jumps over the lazy dog")) == 0x414fa339U);
    // A bit at a time, as the definition has it: the tables must agree at every length and alignment.
    const auto by_definition = [](bytes data) {
        std::uint32_t crc = 0xffffffffU;
        for (const std::byte b : data) {
            crc ^= std::to_integer<std::uint32_t>(b);
            for (int i = 0; i < 8; ++i) crc = (crc & 1U) != 0 ? crc >> 1 ^ 0xedb88320U : crc >> 1;
        }
        return ~crc;
    };
    std::vector<std::byte> data(64);
    for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<std::byte>(i * 37 + 11);
    for (std::size_t from = 0; from < 8; ++from)
        for (std::size_t size = 0; from + size <= data.size(); ++size) {
            const auto part = bytes(data).subspan(from, size);
            CHECK(crypto::crc32(part) == by_definition(part));
        }
}

TEST_CASE("bytes are equal only when sizes and all bytes are") {
    std::vector<std::byte> a(20, std::byte{7});
    auto b = a;
    CHECK(crypto::equal(a, b));
    CHECK(crypto::equal({}, {}));
    CHECK_FALSE(crypto::equal(a, bytes(b).first(19)));
    CHECK_FALSE(crypto::equal({}, b));
    for (std::size_t i = 0; i < b.size(); ++i) {
        b[i] ^= std::byte{0x80};
        CHECK_FALSE(crypto::equal(a, b));
        b[i] ^= std::byte{0x80};
    }
}

TEST_CASE("random numbers do not repeat across refills and threads") {
    std::set<std::uint64_t> seen;
    for (int i = 0; i < 1000; ++i) seen.insert(crypto::random64());
    std::vector<std::uint64_t> other(1000);
    std::thread([&] { std::ranges::generate(other, crypto::random64); }).join();
    seen.insert(other.begin(), other.end());
    CHECK(seen.size() == 2000);

    std::array<std::byte, 32> block{};
    crypto::random(block);
    CHECK(std::ranges::count(block, std::byte{0}) < 16);
    crypto::random({});
}

TEST_CASE("RFC 4648 10: base64 with its padding") {
    const auto encoded = [](std::string_view text) {
        std::string out(base64_size(text.size()), '?');
        base64_encode(of(text), out);
        return out;
    };
    CHECK(encoded("") == "");
    CHECK(encoded("f") == "Zg==");
    CHECK(encoded("fo") == "Zm8=");
    CHECK(encoded("foo") == "Zm9v");
    CHECK(encoded("foob") == "Zm9vYg==");
    CHECK(encoded("fooba") == "Zm9vYmE=");
    CHECK(encoded("foobar") == "Zm9vYmFy");
    CHECK(encoded("\xfb\xff\xbf") == "+/+/");
}

TEST_CASE("RFC 4648 4: base64 is read strictly") {
    std::array<std::byte, 6> out{};
    REQUIRE(base64_decode("Zm9vYmFy", out));
    CHECK(to_hex(out) == to_hex(of("foobar")));
    CHECK_FALSE(base64_decode("Zm9vYmF", out));
    CHECK_FALSE(base64_decode("Zm9vYmFyA", out));
    CHECK_FALSE(base64_decode("Zm9vYmE=", out));
    CHECK_FALSE(base64_decode("Zm9vYm-_", out));
    CHECK_FALSE(base64_decode("Zm9v Ymy", out));
    CHECK_FALSE(base64_decode("Zm9vYm\xc3\xa4", out));
}
