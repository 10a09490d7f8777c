#include "support/tls_client.hpp"

#include <array>
#include <stdexcept>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

namespace turn::test {

namespace {

void require(bool ok) {
    if (!ok) throw std::runtime_error("OpenSSL made no client");
}

int number_of(tls_version v, bool datagrams) {
    constexpr std::array numbers{0, TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION};
    constexpr std::array of_datagrams{0, DTLS1_VERSION, DTLS1_2_VERSION, DTLS1_2_VERSION};
    return (datagrams ? of_datagrams : numbers)[static_cast<std::size_t>(v)];
}

} // namespace

void leave_openssl_error() {
    ERR_raise(ERR_LIB_USER, ERR_R_INTERNAL_ERROR);
}

tls_client::tls_client(const tls_wishes& wishes)
    : context_(SSL_CTX_new(wishes.datagrams ? DTLS_client_method() : TLS_client_method()), SSL_CTX_free),
      ssl_(nullptr) {
    SSL_CTX* const c = context_.get();
    require(c != nullptr);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_CLIENT);
    if (wishes.version == tls_version::v1_1) require(SSL_CTX_set_cipher_list(c, "ALL:@SECLEVEL=0") == 1);
    if (!wishes.ciphers.empty()) require(SSL_CTX_set_cipher_list(c, wishes.ciphers.c_str()) == 1);
    const int version = number_of(wishes.version, wishes.datagrams);
    require(SSL_CTX_set_min_proto_version(c, version) == 1 && SSL_CTX_set_max_proto_version(c, version) == 1);
    if (!wishes.trusted.empty()) {
        const std::shared_ptr<BIO> source(
            BIO_new_mem_buf(wishes.trusted.data(), static_cast<int>(wishes.trusted.size())), BIO_free);
        const std::shared_ptr<X509> root(PEM_read_bio_X509(source.get(), nullptr, nullptr, nullptr), X509_free);
        require(root && X509_STORE_add_cert(SSL_CTX_get_cert_store(c), root.get()) == 1);
        SSL_CTX_set_verify(c, SSL_VERIFY_PEER, nullptr);
    }

    ssl_ = {SSL_new(c), SSL_free};
    SSL* const s = ssl_.get();
    require(s != nullptr);
    SSL_set_bio(s, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    if (wishes.datagrams) { // its memory cannot say what fits into a datagram
        SSL_set_options(s, SSL_OP_NO_QUERY_MTU);
        SSL_set_mtu(s, 1400);
    }
    if (!wishes.server_name.empty()) {
        require(SSL_set_tlsext_host_name(s, wishes.server_name.c_str()) == 1);
        require(SSL_set1_host(s, wishes.server_name.c_str()) == 1);
    }
    std::vector<unsigned char> protocols;
    for (const std::string& p : wishes.protocols) {
        protocols.push_back(static_cast<unsigned char>(p.size()));
        protocols.insert(protocols.end(), p.begin(), p.end());
    }
    require(SSL_set_alpn_protos(s, protocols.data(), static_cast<unsigned>(protocols.size())) == 0);
    if (wishes.session) require(SSL_set_session(s, wishes.session.get()) == 1);
    SSL_set_connect_state(s);
    go_on();
}

void tls_client::receive(std::span<const std::byte> ciphertext) {
    if (!ciphertext.empty())
        BIO_write(SSL_get_rbio(ssl_.get()), ciphertext.data(), static_cast<int>(ciphertext.size()));
    go_on();
}

/// Handshake, then everything that can be read.
void tls_client::go_on() {
    if (!failure_.empty()) return;
    ERR_clear_error();
    if (!open()) {
        const int outcome = SSL_do_handshake(ssl_.get());
        if (outcome != 1) return judge(outcome);
    }
    std::array<std::byte, 4096> part{};
    for (std::size_t n = 0;;) {
        const int outcome = SSL_read_ex(ssl_.get(), part.data(), part.size(), &n);
        if (outcome != 1) return judge(outcome);
        received_.insert(received_.end(), part.begin(), part.begin() + static_cast<std::ptrdiff_t>(n));
    }
}

void tls_client::judge(int outcome) {
    const int error = SSL_get_error(ssl_.get(), outcome);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_ZERO_RETURN) return;
    const char* const words = ERR_reason_error_string(ERR_peek_last_error());
    failure_ = words ? words : "failed";
    ERR_clear_error();
}

std::vector<std::byte> tls_client::to_send() {
    BIO* const from = SSL_get_wbio(ssl_.get());
    std::vector<std::byte> out(BIO_ctrl_pending(from));
    if (!out.empty()) BIO_read(from, out.data(), static_cast<int>(out.size()));
    return out;
}

void tls_client::send(std::span<const std::byte> plaintext) {
    ERR_clear_error();
    std::size_t taken = 0;
    const int outcome = SSL_write_ex(ssl_.get(), plaintext.data(), plaintext.size(), &taken);
    if (outcome != 1) judge(outcome);
}

void tls_client::renegotiate() {
    ERR_clear_error();
    SSL_renegotiate(ssl_.get());
    const int outcome = SSL_do_handshake(ssl_.get());
    if (outcome != 1) judge(outcome);
}

void tls_client::update_key() {
    require(SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_REQUESTED) == 1);
    require(SSL_do_handshake(ssl_.get()) == 1);
}

void tls_client::close() {
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
}

bool tls_client::open() const {
    return failure_.empty() && SSL_is_init_finished(ssl_.get()) == 1;
}

bool tls_client::closed() const {
    return (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
}

std::string tls_client::version() const {
    return SSL_get_version(ssl_.get());
}

bool tls_client::compressed() const {
    return SSL_get_current_compression(ssl_.get()) != nullptr;
}

std::string tls_client::cipher() const {
    return SSL_get_cipher_name(ssl_.get());
}

std::string tls_client::protocol() const {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_.get(), &name, &size);
    return {reinterpret_cast<const char*>(name), size};
}

std::string tls_client::certificate() const {
    const X509* const shown = SSL_get0_peer_certificate(ssl_.get());
    std::array<char, 128> name{};
    if (shown) X509_NAME_get_text_by_NID(X509_get_subject_name(shown), NID_commonName, name.data(), name.size());
    return name.data();
}

bool tls_client::resumed() const {
    return SSL_session_reused(ssl_.get()) == 1;
}

std::shared_ptr<ssl_session_st> tls_client::session() const {
    // A copy: OpenSSL forbids to resume the session of a connection that ends without close_notify.
    return {SSL_SESSION_dup(SSL_get_session(ssl_.get())), SSL_SESSION_free};
}

} // namespace turn::test
