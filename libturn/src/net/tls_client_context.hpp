#pragma once
/// How a TLS client knows the server it came for: whom it believes, and the server's name or address. RFC 8489, 6.2.3.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "net/tls_context.hpp"
#include "turn/result.hpp"

struct ssl_ctx_st;

namespace turn::net {

/// What is wrong with a server's certificate.
enum class tls_distrust : std::uint8_t {
    none,
    expired,
    not_yet_valid,
    wrong_name,        ///< it is for another name or address
    self_signed,       ///< it vouches for itself
    unknown_authority, ///< nobody we believe has signed it, or a certificate between is missing
    other,             ///< tls_session::failure() and OpenSSL have words for it
};

/// Any thread.
class tls_client_context {
public:
    enum class proof : std::uint8_t {
        wanted,   ///< the handshake fails unless the certificate is for the server and vouched for
        unneeded, ///< any certificate will do; what is wrong with it is told all the same
    };
    /// What it runs over: TLS over a stream, DTLS 1.2 over datagrams.
    enum class layer : std::uint8_t { stream, datagrams };
    /// Believes the authorities in a PEM file, or those the system believes when there is no path.
    /// Errors: words that name the file.
    static result<std::shared_ptr<tls_client_context>, std::string> load(const std::string& authorities_file, proof,
                                                                         layer = layer::stream);

    /// An SSL in connect state for tls_session or dtls_session, to the server with this name or IP address
    /// (without brackets); null without memory. It may outlive the context. `protocol` is offered by ALPN (RFC 7443),
    /// unless it is empty.
    [[nodiscard]] session_ptr new_session(const std::string& host, std::string_view protocol = {}) const noexcept;

private:
    explicit tls_client_context(std::shared_ptr<ssl_ctx_st> context) noexcept : context_(std::move(context)) {}
    std::shared_ptr<ssl_ctx_st> context_; ///< shared only because its deleter needs no type here
};

/// Of the certificate that was shown so far.
tls_distrust distrust_of(const ssl_st& session) noexcept;

} // namespace turn::net
