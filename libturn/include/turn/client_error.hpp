#pragma once
/// What a client on sockets may hear instead of a result, as std::error_code.

#include <cstdint>
#include <system_error>

namespace turn {

enum class client_error : std::uint8_t {
    no_answer = 1,         ///< no answer came that could be used
    not_connected,         ///< no connection to a server yet, or none any more
    closed,                ///< the server ended the connection
    garbage,               ///< the server sent what is no message
    no_allocation,         ///< there is no allocation, or it has ended
    too_large,             ///< does not fit into one message
    busy,                  ///< as much is in flight, permitted or bound as a client can keep
    unsupported_uri,       ///< a transport that we do not speak
    tls_failed,            ///< the handshake or a record was wrong
    untrusted_certificate, ///< nobody we believe vouches for the server, or not any more
    wrong_name,            ///< the certificate is for another server
};

/// Of client_error.
const std::error_category& client_category() noexcept;
/// Of ERROR-CODEs, as the server sent them: 401, 437, … RFC 8489, 14.8.
const std::error_category& stun_category() noexcept;

inline std::error_code make_error_code(client_error e) noexcept {
    return {static_cast<int>(e), client_category()};
}
/// A request that the server refused.
inline std::error_code refused_with(std::uint16_t error_code) noexcept {
    return {error_code, stun_category()};
}

} // namespace turn

template <>
struct std::is_error_code_enum<turn::client_error> : std::true_type {};
