#include "turn/stun/credentials.hpp"

#include <algorithm>

#include "base/crypto.hpp"

namespace turn::stun {

namespace {

/// username ":" OpaqueString(realm) ":" OpaqueString(password). The name is taken as it came: RFC 8489, 9.2.2.
result<std::string> hashed_text(std::string_view username, std::string_view realm, std::string_view password) {
    const auto prepared_realm = opaque_string(realm);
    const auto prepared_password = opaque_string(password);
    if (!prepared_realm || !prepared_password) return errc::invalid_text;
    std::string text(username);
    text += ':';
    text += *prepared_realm;
    text += ':';
    text += *prepared_password;
    return text;
}

credential_key key_of(bytes digest) noexcept {
    credential_key key;
    std::copy(digest.begin(), digest.end(), key.value.begin());
    key.size = static_cast<std::uint8_t>(digest.size());
    return key;
}

} // namespace

result<credential_key> long_term_key(std::string_view username, std::string_view realm, std::string_view password) {
    const auto text = hashed_text(username, realm, password);
    if (!text) return text.error();
    return key_of(crypto::md5(std::as_bytes(std::span(*text))));
}

result<credential_key> long_term_key_sha256(std::string_view username, std::string_view realm,
                                            std::string_view password) {
    const auto text = hashed_text(username, realm, password);
    if (!text) return text.error();
    return key_of(crypto::sha256(std::as_bytes(std::span(*text))));
}

result<credential_key> long_term_key(password_algorithm_number algorithm, std::string_view username,
                                     std::string_view realm, std::string_view password) {
    switch (algorithm) {
    case password_algorithm_number::md5:
        return long_term_key(username, realm, password);
    case password_algorithm_number::sha256:
        return long_term_key_sha256(username, realm, password);
    }
    return errc::invalid_text;
}

result<std::array<std::byte, 32>> hash_username(std::string_view username, std::string_view realm) {
    const auto name = opaque_string(username);
    const auto prepared_realm = opaque_string(realm);
    if (!name || !prepared_realm) return errc::invalid_text;
    const std::string text = *name + ':' + *prepared_realm;
    return crypto::sha256(std::as_bytes(std::span(text)));
}

} // namespace turn::stun
