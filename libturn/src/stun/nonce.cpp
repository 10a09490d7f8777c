#include <algorithm>

#include "base/base64.hpp"
#include "base/byte_order.hpp"
#include "base/crypto.hpp"
#include "turn/stun/credentials.hpp"

namespace turn::stun {

namespace {

// The 24 bytes behind the text: when it ends, what makes it unique, what makes it ours.
constexpr std::size_t expiry_size = 4; // seconds of the steady clock: never stepped, gone with the process
constexpr std::size_t random_size = 8;
constexpr std::size_t mac_size = 12; // 96 bits: nobody guesses one within its lifetime
constexpr std::size_t signed_size = expiry_size + random_size;
using raw_nonce = std::array<std::byte, signed_size + mac_size>;
static_assert(raw_nonce{}.size() * 4 == (nonce_issuer::text_size - nonce_cookie_size) * 3,
              "no base64 padding, so one spelling only");

constexpr std::string_view cookie = "obMatJos2";
using feature_bits = std::array<std::byte, 3>;
constexpr bool is_set(std::byte bits, unsigned mask) noexcept {
    return (std::to_integer<unsigned>(bits) & mask) != 0;
}

/// Bit 0 is the least significant of the 24, as in the message of appendix B.1 and by erratum 6290.
feature_bits bits_of(security_features f) noexcept {
    return {std::byte{0}, std::byte{0},
            static_cast<std::byte>((f.password_algorithms ? 1 : 0) | (f.username_anonymity ? 2 : 0))};
}

std::array<std::byte, mac_size> mac_of(const nonce_secret& secret, security_features features,
                                       const transport_address& client, bytes signed_part) noexcept {
    const std::array about{bits_of(features)[2], static_cast<std::byte>(client.family)};
    const std::array<bytes, 3> parts{about, std::as_bytes(std::span(client.ip)), signed_part};
    std::array<std::byte, mac_size> mac;
    std::copy_n(crypto::hmac_sha256(secret, parts).begin(), mac.size(), mac.begin());
    return mac;
}

bool is_past(bytes raw, time_point now) noexcept {
    return now.time_since_epoch() >= std::chrono::seconds(load_u32(raw, 0));
}

std::optional<feature_bits> bits_in(std::string_view nonce) noexcept {
    feature_bits bits;
    if (!nonce.starts_with(cookie) || !base64_decode(nonce.substr(cookie.size(), 4), bits)) return std::nullopt;
    return bits;
}

/// What the nonce cookie says and what follows it. False: it is no nonce of ours.
bool read(std::string_view nonce, security_features& features, raw_nonce& raw) noexcept {
    const auto bits = bits_in(nonce);
    if (!bits) return false;
    features = *features_of(nonce);
    if (*bits != bits_of(features)) return false;
    return base64_decode(nonce.substr(nonce_cookie_size), raw);
}

} // namespace

std::optional<security_features> features_of(std::string_view nonce) noexcept {
    const auto bits = bits_in(nonce);
    if (!bits) return std::nullopt;
    // There are servers that count from the other end, as the text had it (RFC 8656, appendix A).
    return security_features{.password_algorithms = is_set((*bits)[2], 1) || is_set((*bits)[0], 0x80),
                             .username_anonymity = is_set((*bits)[2], 2) || is_set((*bits)[0], 0x40)};
}

nonce_secret make_nonce_secret() {
    nonce_secret secret;
    crypto::random(secret);
    return secret;
}

nonce_issuer::nonce_issuer(const nonce_secret& secret, std::chrono::seconds lifetime,
                           security_features features) noexcept
    : secret_(secret), lifetime_(lifetime), features_(features) {}

nonce_issuer::text nonce_issuer::issue(const transport_address& client, time_point now,
                                       std::uint64_t random) const noexcept {
    // Rounded up: a client gets the whole lifetime, and a nonce just issued is never stale.
    const auto expiry = std::chrono::ceil<std::chrono::seconds>(now.time_since_epoch()) + lifetime_;
    raw_nonce raw;
    store_u32(raw, 0, static_cast<std::uint32_t>(expiry.count()));
    store_u32(raw, expiry_size, static_cast<std::uint32_t>(random >> 32));
    store_u32(raw, expiry_size + 4, static_cast<std::uint32_t>(random & 0xffffffffU));
    const auto mac = mac_of(secret_, features_, client, bytes(raw).first(signed_size));
    std::copy(mac.begin(), mac.end(), raw.begin() + signed_size);
    text nonce;
    std::copy(cookie.begin(), cookie.end(), nonce.begin());
    base64_encode(bits_of(features_), std::span(nonce).subspan(cookie.size(), nonce_cookie_size - cookie.size()));
    base64_encode(raw, std::span(nonce).subspan(nonce_cookie_size));
    return nonce;
}

nonce_issuer::verdict nonce_issuer::check(std::string_view nonce, const transport_address& client,
                                          time_point now) const noexcept {
    raw_nonce raw;
    security_features features;
    if (!read(nonce, features, raw)) return verdict::foreign;
    const bytes all(raw);
    if (!crypto::equal(mac_of(secret_, features, client, all.first(signed_size)), all.subspan(signed_size)))
        return verdict::foreign;
    return is_past(all, now) ? verdict::expired : verdict::valid;
}

bool nonce_issuer::has_expired(std::string_view nonce, time_point now) noexcept {
    raw_nonce raw;
    security_features features;
    return !read(nonce, features, raw) || is_past(raw, now);
}

} // namespace turn::stun
