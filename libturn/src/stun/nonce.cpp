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
static_assert(raw_nonce{}.size() * 4 == nonce_issuer::text_size * 3, "no base64 padding, so one spelling only");

std::array<std::byte, mac_size> mac_of(const nonce_secret& secret, const transport_address& client,
                                       bytes signed_part) noexcept {
    const std::array family{static_cast<std::byte>(client.family)};
    const std::array<bytes, 3> parts{family, std::as_bytes(std::span(client.ip)), signed_part};
    std::array<std::byte, mac_size> mac;
    std::copy_n(crypto::hmac_sha256(secret, parts).begin(), mac.size(), mac.begin());
    return mac;
}

bool is_past(bytes raw, time_point now) noexcept {
    return now.time_since_epoch() >= std::chrono::seconds(load_u32(raw, 0));
}

} // namespace

nonce_secret make_nonce_secret() {
    nonce_secret secret;
    crypto::random(secret);
    return secret;
}

nonce_issuer::nonce_issuer(const nonce_secret& secret, std::chrono::seconds lifetime) noexcept
    : secret_(secret), lifetime_(lifetime) {}

nonce_issuer::text nonce_issuer::issue(const transport_address& client, time_point now,
                                       std::uint64_t random) const noexcept {
    // Rounded up: a client gets the whole lifetime, and a nonce just issued is never stale.
    const auto expiry = std::chrono::ceil<std::chrono::seconds>(now.time_since_epoch()) + lifetime_;
    raw_nonce raw;
    store_u32(raw, 0, static_cast<std::uint32_t>(expiry.count()));
    store_u32(raw, expiry_size, static_cast<std::uint32_t>(random >> 32));
    store_u32(raw, expiry_size + 4, static_cast<std::uint32_t>(random & 0xffffffffU));
    const auto mac = mac_of(secret_, client, bytes(raw).first(signed_size));
    std::copy(mac.begin(), mac.end(), raw.begin() + signed_size);
    text nonce;
    base64_encode(raw, nonce);
    return nonce;
}

nonce_issuer::verdict nonce_issuer::check(std::string_view nonce, const transport_address& client,
                                          time_point now) const noexcept {
    raw_nonce raw;
    if (!base64_decode(nonce, raw)) return verdict::foreign;
    const bytes all(raw);
    if (!crypto::equal(mac_of(secret_, client, all.first(signed_size)), all.subspan(signed_size)))
        return verdict::foreign;
    return is_past(all, now) ? verdict::expired : verdict::valid;
}

bool nonce_issuer::has_expired(std::string_view nonce, time_point now) noexcept {
    raw_nonce raw;
    return !base64_decode(nonce, raw) || is_past(raw, now);
}

} // namespace turn::stun
