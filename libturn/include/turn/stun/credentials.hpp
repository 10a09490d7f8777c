#pragma once
/// Long-term credentials and stateless nonces: RFC 8489, 9.2.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "turn/packet.hpp"
#include "turn/result.hpp"
#include "turn/stun/password_algorithm.hpp"
#include "turn/transport_address.hpp"

namespace turn::stun {

/// The HMAC key of a user: MD5 (16 bytes) or SHA-256 (32 bytes), RFC 8489, 9.2.2. Passwords are never kept.
struct credential_key {
    std::array<std::byte, 32> value{};
    std::uint8_t size = 0;

    [[nodiscard]] bytes view() const noexcept { return bytes(value).first(size); }
};

/// PRECIS OpaqueString (RFC 8265, 4.2): non-ASCII spaces become U+0020, then NFC; control characters, unassigned
/// code points and bad UTF-8 are refused, so is the empty string. Errors: invalid_text.
result<std::string> opaque_string(std::string_view text);

/// MD5(username ":" OpaqueString(realm) ":" OpaqueString(password)), RFC 8489, 9.2.2. Errors: invalid_text.
result<credential_key> long_term_key(std::string_view username, std::string_view realm, std::string_view password);
/// The same text under SHA-256, for PASSWORD-ALGORITHM 2: RFC 8489, 18.5.1.2. Errors: invalid_text.
result<credential_key> long_term_key_sha256(std::string_view username, std::string_view realm,
                                            std::string_view password);
/// One or the other. Errors: invalid_text, for an algorithm that is neither of the two as well.
result<credential_key> long_term_key(password_algorithm_number, std::string_view username, std::string_view realm,
                                     std::string_view password);

/// SHA-256(OpaqueString(username) ":" OpaqueString(realm)), what USERHASH holds: RFC 8489, 14.4. Errors: invalid_text.
result<std::array<std::byte, 32>> hash_username(std::string_view username, std::string_view realm);

/// The password that belongs to a time-limited `username` ("1735689600:ann"): base64(HMAC-SHA1(secret, username)),
/// as in draft-uberti-behave-turn-rest-00, 2.2.
std::string rest_password(std::string_view secret, std::string_view username);

/// The 32 bytes every shard of a server shares: any shard verifies any shard's nonce.
using nonce_secret = std::array<std::byte, 32>;
nonce_secret make_nonce_secret();

/// What a server tells a client in its nonces, where nobody can take it out unnoticed: RFC 8489, 9.2.1 and 18.1.
struct security_features {
    bool password_algorithms = false; ///< PASSWORD-ALGORITHMS comes with the nonce
    bool username_anonymity = false;  ///< USERHASH is to be sent in place of USERNAME

    friend bool operator==(const security_features&, const security_features&) = default;
};
/// "obMatJos2" and four characters with the features: RFC 8489, 9.2.
inline constexpr std::size_t nonce_cookie_size = 13;
/// What the nonce cookie says; nothing: the nonce does not begin with one, so its server knows RFC 5389 only.
std::optional<security_features> features_of(std::string_view nonce) noexcept;

/// Nonces that need no memory: the nonce cookie, then expiry, 64 random bits and HMAC(secret, features, client IP,
/// both), in base64. Unique per challenge, verified by IP only (RFC 6062 data connections come from another port).
class nonce_issuer {
public:
    static constexpr std::size_t text_size = nonce_cookie_size + 32;
    using text = std::array<char, text_size>;
    enum class verdict : std::uint8_t { valid, expired, foreign };

    nonce_issuer(const nonce_secret&, std::chrono::seconds lifetime, security_features = {}) noexcept;
    /// For nonces issued from now on; each carries its own expiry.
    void set_lifetime(std::chrono::seconds lifetime) noexcept { lifetime_ = lifetime; }
    /// Likewise: a nonce with features that were announced once is as good as before.
    void set_features(security_features features) noexcept { features_ = features; }

    /// `random`: 64 bits from a CSPRNG, fresh for every challenge.
    [[nodiscard]] text issue(const transport_address& client, time_point now, std::uint64_t random) const noexcept;
    /// `foreign`: not issued by this server to this IP address.
    [[nodiscard]] verdict check(std::string_view nonce, const transport_address& client, time_point now) const noexcept;
    /// Whether one that check() did not call foreign has expired by `now`; computes no HMAC.
    [[nodiscard]] static bool has_expired(std::string_view nonce, time_point now) noexcept;

private:
    nonce_secret secret_;
    std::chrono::seconds lifetime_;
    security_features features_;
};

} // namespace turn::stun
