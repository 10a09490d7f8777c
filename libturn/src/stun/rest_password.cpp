/// Passwords of time-limited credentials: draft-uberti-behave-turn-rest-00, 2.2.

#include <span>

#include "base/base64.hpp"
#include "base/crypto.hpp"
#include "turn/stun/credentials.hpp"

namespace turn::stun {

std::string rest_password(std::string_view secret, std::string_view username) {
    const bytes name = std::as_bytes(std::span(username));
    const auto mac = crypto::hmac_sha1(std::as_bytes(std::span(secret)), std::span(&name, 1));
    std::string password(base64_size(mac.size()), '\0');
    base64_encode(mac, password); // with padding: what every issuer of such credentials sends
    return password;
}

} // namespace turn::stun
