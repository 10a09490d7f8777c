/// Long-term keys and the preparation of what goes into them.

#include <doctest/doctest.h>

#include <string>

#include "support/hex.hpp"
#include "turn/stun/credentials.hpp"

using namespace turn;
using namespace turn::stun;
using turn::test::to_hex;

TEST_CASE("RFC 8489 9.2.2: the key is a digest of name and realm and password") {
    const auto key = long_term_key("user", "realm", "pass");
    REQUIRE(key);
    CHECK(key->size == 16);
    CHECK(to_hex(key->view()) == "84 93 fb c5 3b a5 82 fb 4c 04 4c 45 6b dc 40 eb"); // RFC 5389, 15.4

    const auto key_sha256 = long_term_key_sha256("user", "realm", "pass");
    REQUIRE(key_sha256);
    CHECK(to_hex(key_sha256->view()) ==
          "07 e9 34 11 7a bd 40 83 6e 7c 63 29 b5 47 31 b2 b2 d2 a5 f9 a7 1f 54 49 22 d7 5e 07 30 d8 25 1b");
}

TEST_CASE("RFC 8489 9.2.2: realm and password are prepared and the name is not") {
    const auto composed = long_term_key("ann", "caf\u00e9", "na\u00efve");
    const auto decomposed = long_term_key("ann", "cafe\u0301", "nai\u0308ve");
    REQUIRE(composed);
    REQUIRE(decomposed);
    CHECK(to_hex(composed->view()) == to_hex(decomposed->view()));

    const auto name_composed = long_term_key("\u00e9", "r", "p");
    const auto name_decomposed = long_term_key("e\u0301", "r", "p");
    CHECK(to_hex(name_composed->view()) != to_hex(name_decomposed->view()));
}

TEST_CASE("RFC 8489 9.2.2: what cannot be prepared makes no key") {
    CHECK(long_term_key("ann", "", "pw").error() == errc::invalid_text);
    CHECK(long_term_key("ann", "r", "").error() == errc::invalid_text);
    CHECK(long_term_key("ann", "r", std::string_view("p\0w", 3)).error() == errc::invalid_text);
    CHECK(long_term_key("ann", "r\n", "pw").error() == errc::invalid_text);
    CHECK(long_term_key_sha256("ann", "r", "\xff").error() == errc::invalid_text);
}

TEST_CASE("RFC 8265 4.2.2: an OpaqueString keeps its case and its ASCII spaces") {
    for (const auto* text : {"a", "Correct Horse Battery Staple", " leading and trailing ", "~!@#$%^&*()_+{}|:<>?"}) {
        CAPTURE(text);
        const auto prepared = opaque_string(text);
        REQUIRE(prepared);
        CHECK(*prepared == text);
    }
}

TEST_CASE("RFC 8265 4.2.2: spaces become U+0020 and the rest NFC") {
    struct {
        std::string_view text;
        std::string_view prepared;
    } const cases[] = {
        {"foo\u1680bar", "foo bar"}, // RFC 8265, 4.3, example 4
        {"a\u00a0b", "a b"},
        {"a\u3000b\u2003c", "a b c"},
        {"a\u2000b", "a b"}, // whose canonical decomposition is another space
        {"A\u030a", "\u00c5"},
        {"\u212b", "\u00c5"}, // ANGSTROM SIGN
        {"o\u0323\u0302", "\u1ed9"},
        {"o\u0302\u0323", "\u1ed9"},
        {"\u1100\u1161\u11a8", "\uac01"},             // jamo compose to a syllable
        {"\u03c0\u00df\u00e5", "\u03c0\u00df\u00e5"}, // RFC 8265, 4.3, example 3
        {"Jack of \u2666s", "Jack of \u2666s"},       // example 5
        {"\uff21\u216b", "\uff21\u216b"},             // compatibility characters stay as they are
        {"\U0001f511", "\U0001f511"},
        {"\u0622\u0628", "\u0622\u0628"},
    };
    for (const auto& c : cases) {
        CAPTURE(c.text);
        const auto prepared = opaque_string(c.text);
        REQUIRE(prepared);
        CHECK(*prepared == c.prepared);
        CHECK(*opaque_string(*prepared) == *prepared);
    }
}

TEST_CASE("RFC 8265 4.2 and RFC 8264 9: what is no OpaqueString") {
    using namespace std::string_view_literals;
    const std::string_view cases[] = {
        "",                 // RFC 8265, 4.3, example 8
        "my cat is a \tby", // example 9: a control character
        "\0"sv,
        "user\0junk"sv,
        "\x7f",
        "\u0085",
        "\u00adsoft hyphen", // default-ignorable
        "\u200b",            // zero width space
        "\u2028",
        "\u2029",
        "\ufeff",
        "\ue000",     // private use
        "\U000f0000", // private use
        "\u0378",     // unassigned
        "\ufffe",     // noncharacter
        "\U0010ffff", // noncharacter
        "\ufdd0",     // noncharacter
        "\u115f",     // old Hangul jamo, default-ignorable
        "\u1100",     // old Hangul jamo on its own
        "\u0640",     // RFC 8264, 9.6, disallowed
        "\u302e",
        "a\ufe0f",    // variation selector
        "\U000e0041", // tag character
        "\xff",
        "\xc0\x80",         // overlong NUL
        "\xc1\xbf",         // overlong
        "\xe0\x80\xaf",     // overlong
        "\xed\xa0\x80",     // a surrogate
        "\xf4\x90\x80\x80", // above U+10FFFF
        "\xe2\x82",         // cut
        "a\x80",
    };
    for (const auto text : cases) {
        CAPTURE(to_hex(std::as_bytes(std::span(text))));
        const auto prepared = opaque_string(text);
        REQUIRE_FALSE(prepared);
        CHECK(prepared.error() == errc::invalid_text);
    }
}

TEST_CASE("RFC 5892 A: code points that need a context") {
    const auto allowed = [](std::string_view text) { return opaque_string(text).has_value(); };
    CHECK(allowed("\u0915\u094d\u200d"));       // ZERO WIDTH JOINER behind a virama
    CHECK(allowed("\u0915\u094d\u200c\u0937")); // ZERO WIDTH NON-JOINER too
    CHECK_FALSE(allowed("a\u200d"));
    CHECK_FALSE(allowed("\u200d"));
    CHECK_FALSE(allowed("a\u200cb"));
    CHECK(allowed("l\u00b7l"));
    CHECK_FALSE(allowed("l\u00b7a"));
    CHECK_FALSE(allowed("\u00b7l"));
    CHECK_FALSE(allowed("l\u00b7"));
    CHECK(allowed("\u0375\u03b1"));
    CHECK_FALSE(allowed("\u0375a"));
    CHECK(allowed("\u05d0\u05f3"));
    CHECK_FALSE(allowed("a\u05f3"));
    CHECK(allowed("\u05d0\u05f4\u05d0"));
    CHECK_FALSE(allowed("\u05f4"));
    CHECK(allowed("\u30fb\u30a2"));
    CHECK_FALSE(allowed("a\u30fb"));
    CHECK(allowed("\u0660\u0669"));
    CHECK(allowed("\u06f0\u06f9"));
    CHECK_FALSE(allowed("\u0660\u06f0"));
}

TEST_CASE("draft-uberti-behave-turn-rest-00 2.2: the password is an HMAC of the name") {
    CHECK(rest_password("north", "1735689600:ann") == "sTJkzNcwxQM+fowK1zUItDqAMXw=");
}
