/// Stateless nonces.

#include <doctest/doctest.h>

#include <set>
#include <string>

#include "base/crypto.hpp"
#include "turn/stun/credentials.hpp"

using namespace turn;
using namespace turn::stun;
using namespace std::chrono_literals;
using verdict = nonce_issuer::verdict;

namespace {

nonce_secret secret_of(int fill) {
    nonce_secret s;
    s.fill(static_cast<std::byte>(fill));
    return s;
}

std::string_view view(const nonce_issuer::text& text) {
    return {text.data(), text.size()};
}

const auto ann = *transport_address::parse("192.0.2.1:40000");
const auto bob = *transport_address::parse("192.0.2.2:40000");
const nonce_issuer issuer(secret_of(1), 600s);
const time_point start{1'000'000s};

} // namespace

TEST_CASE("RFC 8489 9.2: a nonce is valid for its lifetime and then expired") {
    const auto nonce = issuer.issue(ann, start, 1);
    CHECK(issuer.check(view(nonce), ann, start) == verdict::valid);
    CHECK(issuer.check(view(nonce), ann, start + 600s - 1ns) == verdict::valid);
    CHECK(issuer.check(view(nonce), ann, start + 600s) == verdict::expired);
    CHECK(issuer.check(view(nonce), ann, start + 24h) == verdict::expired);
}

TEST_CASE("RFC 8489 9.2: whether a nonce of ours has expired is read off it without an HMAC") {
    const auto nonce = issuer.issue(ann, start, 1);
    const auto before = crypto::hmac_count();
    CHECK_FALSE(nonce_issuer::has_expired(view(nonce), start + 600s - 1ns));
    CHECK(nonce_issuer::has_expired(view(nonce), start + 600s));
    CHECK(nonce_issuer::has_expired("no nonce", start));
    CHECK(crypto::hmac_count() == before);
}

TEST_CASE("RFC 8489 9.2: a nonce issued between two seconds lives its whole lifetime") {
    const nonce_issuer brief(secret_of(1), 1s);
    const auto nonce = brief.issue(ann, start + 999ms, 1);
    CHECK(brief.check(view(nonce), ann, start + 1999ms) == verdict::valid);
    CHECK(brief.check(view(nonce), ann, start + 2s) == verdict::expired);
}

TEST_CASE("RFC 8489 9.2: a nonce belongs to one IP address and to any of its ports") {
    const auto nonce = issuer.issue(ann, start, 1);
    CHECK(issuer.check(view(nonce), ann.with_port(1), start) == verdict::valid);
    CHECK(issuer.check(view(nonce), bob, start) == verdict::foreign);

    // The same sixteen bytes of another family are another address.
    transport_address other_family = ann;
    other_family.family = address_family::ipv6;
    CHECK(issuer.check(view(nonce), other_family, start) == verdict::foreign);
}

TEST_CASE("RFC 8489 9.2: any server with the secret knows the nonce and no other does") {
    const auto nonce = issuer.issue(ann, start, 1);
    CHECK(nonce_issuer(secret_of(1), 1s).check(view(nonce), ann, start) == verdict::valid);
    CHECK(nonce_issuer(secret_of(2), 600s).check(view(nonce), ann, start) == verdict::foreign);
    CHECK(make_nonce_secret() != make_nonce_secret());
}

TEST_CASE("RFC 8489 9.2: a nonce changed in any character is foreign") {
    constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const auto nonce = issuer.issue(ann, start, 0x0123456789abcdef);
    for (std::size_t i = 0; i < nonce.size(); ++i) {
        for (int c = 0; c < 256; ++c) {
            auto changed = nonce;
            changed[i] = static_cast<char>(c);
            const bool same = changed == nonce;
            REQUIRE((issuer.check(view(changed), ann, start) == verdict::foreign) == !same);
        }
        CHECK(alphabet.find(nonce[i]) != alphabet.npos); // a quoted-string of RFC 3261 needs no escapes
    }
}

TEST_CASE("RFC 8489 9.2: a nonce of another length is foreign") {
    const auto nonce = issuer.issue(ann, start, 1);
    const std::string text(view(nonce));
    for (std::size_t size = 0; size < text.size(); ++size)
        CHECK(issuer.check(text.substr(0, size), ann, start) == verdict::foreign);
    CHECK(issuer.check(text + "A", ann, start) == verdict::foreign);
    CHECK(issuer.check(text + text, ann, start) == verdict::foreign);
    CHECK(issuer.check(std::string(763, 'A'), ann, start) == verdict::foreign);
}

TEST_CASE("RFC 8489 9.2: an expired nonce of another address is foreign and not expired") {
    const auto nonce = issuer.issue(ann, start, 1);
    CHECK(issuer.check(view(nonce), bob, start + 24h) == verdict::foreign);
}

TEST_CASE("RFC 8489 9.2: a nonce begins with the nonce cookie and says what its server can") {
    const auto cookie_with = [](security_features f) {
        const auto nonce = nonce_issuer(secret_of(1), 600s, f).issue(ann, start, 1);
        CHECK(features_of(view(nonce)) == f);
        return std::string(view(nonce).substr(0, nonce_cookie_size));
    };
    CHECK(cookie_with({}) == "obMatJos2AAAA");
    CHECK(cookie_with({.password_algorithms = true}) == "obMatJos2AAAB");
    CHECK(cookie_with({.username_anonymity = true}) == "obMatJos2AAAC"); // as in the message of appendix B.1
    CHECK(cookie_with({.password_algorithms = true, .username_anonymity = true}) == "obMatJos2AAAD");
}

TEST_CASE("RFC 8489 9.2: a nonce without a whole nonce cookie has none") {
    for (const char* nonce : {"", "obMatJos2", "obMatJos2AAA", "obMatJos2AA=A", "obMatJos3AAAB", " obMatJos2AAAB"})
        CHECK_FALSE(features_of(nonce));
    CHECK(features_of("obMatJos2AAAB") == security_features{.password_algorithms = true});
    // Bits of the future are not ours to understand.
    CHECK(features_of("obMatJos2D//8and more") == security_features{});
}

TEST_CASE("RFC 8489 18.1: features that are counted from the other end are understood") {
    CHECK(features_of("obMatJos2gAAAadl7W7PeDU4hKE72jda") == security_features{.password_algorithms = true});
    CHECK(features_of("obMatJos2QAAA") == security_features{.username_anonymity = true});
}

TEST_CASE("RFC 8489 9.2.1: features taken out of a nonce make it foreign and those of before are still good") {
    const security_features both{.password_algorithms = true, .username_anonymity = true};
    nonce_issuer with_features(secret_of(1), 600s, both);
    const auto nonce = with_features.issue(ann, start, 1);
    for (const char* bits : {"AAAA", "AAAB", "AAAC", "wAAA", "gAAA"}) {
        std::string bid_down(view(nonce));
        bid_down.replace(9, 4, bits);
        CHECK(with_features.check(bid_down, ann, start) == verdict::foreign);
    }
    with_features.set_features({});
    CHECK(with_features.check(view(nonce), ann, start) == verdict::valid);
    const auto later = with_features.issue(ann, start, 1);
    CHECK(features_of(view(later)) == security_features{});
}

TEST_CASE("RFC 8489 9.2: nonces of one client at one moment differ") {
    std::set<std::string> seen;
    for (int i = 0; i < 1000; ++i) {
        const auto nonce = issuer.issue(ann, start, crypto::random64());
        seen.emplace(view(nonce));
    }
    CHECK(seen.size() == 1000);
}
