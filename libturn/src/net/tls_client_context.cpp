#include "net/tls_client_context.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "net/tls_certificate.hpp"
#include "turn/transport_address.hpp"

namespace turn::net {
namespace {

/// RFC 6066, 3: addresses are not named to the server, but proven all the same.
bool expect(SSL* session, const std::string& host) noexcept {
    if (transport_address::parse_ip(host))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), host.c_str()) == 1;
    SSL_set_hostflags(session, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(session, host.c_str()) == 1 && SSL_set_tlsext_host_name(session, host.c_str()) == 1;
}

/// RFC 7301, 3.1: a list of one, each behind its length.
bool offer(SSL* session, std::string_view protocol) noexcept {
    std::array<unsigned char, 256> list{};
    if (protocol.size() >= list.size()) return false;
    list[0] = static_cast<unsigned char>(protocol.size());
    std::ranges::copy(protocol, list.begin() + 1);
    return SSL_set_alpn_protos(session, list.data(), static_cast<unsigned>(protocol.size() + 1)) == 0;
}

} // namespace

result<std::shared_ptr<tls_client_context>, std::string> tls_client_context::load(const std::string& authorities_file,
                                                                                  proof wanted, layer below) {
    ERR_clear_error();
    const bool datagrams = below == layer::datagrams;
    std::shared_ptr<SSL_CTX> context(SSL_CTX_new(datagrams ? DTLS_client_method() : TLS_client_method()), SSL_CTX_free);
    if (!context || SSL_CTX_set_min_proto_version(context.get(), datagrams ? DTLS1_2_VERSION : TLS1_2_VERSION) != 1)
        return "TLS cannot be set up: " + openssl_reason();
    const bool loaded = authorities_file.empty()
                            ? SSL_CTX_set_default_verify_paths(context.get()) == 1
                            : SSL_CTX_load_verify_file(context.get(), authorities_file.c_str()) == 1;
    if (!loaded)
        return (authorities_file.empty() ? "the system's authorities" : authorities_file) + ": " + openssl_reason();
    SSL_CTX_set_verify(context.get(), wanted == proof::wanted ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
    return std::shared_ptr<tls_client_context>(new tls_client_context(std::move(context)));
}

session_ptr tls_client_context::new_session(const std::string& host, std::string_view protocol) const noexcept {
    session_ptr session(SSL_new(context_.get()), free_session{});
    if (session && !expect(session.get(), host)) session.reset();
    if (session && !protocol.empty() && !offer(session.get(), protocol)) session.reset();
    if (session) SSL_set_connect_state(session.get());
    ERR_clear_error();
    return session;
}

tls_distrust distrust_of(const ssl_st& session) noexcept {
    switch (SSL_get_verify_result(&session)) {
    case X509_V_OK:
        return tls_distrust::none;
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return tls_distrust::expired;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return tls_distrust::not_yet_valid;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return tls_distrust::wrong_name;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        return tls_distrust::self_signed;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return tls_distrust::unknown_authority;
    default:
        return tls_distrust::other;
    }
}

} // namespace turn::net
