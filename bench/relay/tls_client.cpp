#include "tls_client.hpp"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "sockets.hpp"

namespace turn::bench {
namespace {

[[noreturn]] void give_up(const char* what) {
    const char* const why = ERR_reason_error_string(ERR_get_error());
    throw trouble{fmt::format("TLS: {}: {}", what, why != nullptr ? why : "closed by the server")};
}

/// Nothing to do until more arrives, or trouble.
void expect_want_read(ssl_st* ssl, int outcome, const char* what) {
    if (SSL_get_error(ssl, outcome) != SSL_ERROR_WANT_READ) give_up(what);
}

} // namespace

tls_settings::tls_settings(const std::string& ca_file, const transport_address& server)
    : context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free) {
    if (!context_) give_up("no context");
    if (ca_file.empty()) return;
    if (SSL_CTX_load_verify_file(context_.get(), ca_file.c_str()) != 1) give_up(ca_file.c_str());
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_CTX_get0_param(context_.get()), server.ip_to_string().c_str()) != 1)
        give_up("no address to verify");
}

tls_client::tls_client(const tls_settings& common) : ssl_(SSL_new(common.context()), SSL_free) {
    BIO* const in = BIO_new(BIO_s_mem());
    BIO* const out = BIO_new(BIO_s_mem());
    if (!ssl_ || in == nullptr || out == nullptr) give_up("no memory");
    SSL_set_bio(ssl_.get(), in, out);
    SSL_set_connect_state(ssl_.get());
}

bool tls_client::shake_hands() {
    ERR_clear_error();
    const int outcome = SSL_do_handshake(ssl_.get());
    if (outcome != 1) expect_want_read(ssl_.get(), outcome, "handshake");
    return outcome == 1;
}

void tls_client::take(bytes ciphertext) {
    BIO_write(SSL_get_rbio(ssl_.get()), ciphertext.data(), static_cast<int>(ciphertext.size()));
}

std::size_t tls_client::read(std::span<std::byte> room) {
    ERR_clear_error();
    std::size_t all = 0;
    while (all < room.size()) {
        std::size_t n = 0;
        const int outcome = SSL_read_ex(ssl_.get(), room.data() + all, room.size() - all, &n);
        if (outcome != 1) {
            expect_want_read(ssl_.get(), outcome, "record");
            break;
        }
        all += n;
    }
    return all;
}

void tls_client::write(bytes message) {
    ERR_clear_error();
    std::size_t n = 0;
    if (SSL_write_ex(ssl_.get(), message.data(), message.size(), &n) != 1) give_up("record");
}

void tls_client::give(std::vector<std::byte>& out) {
    BIO* const waiting = SSL_get_wbio(ssl_.get());
    char* data = nullptr;
    const long size = BIO_get_mem_data(waiting, &data);
    if (size <= 0) return;
    const auto* const begin = reinterpret_cast<const std::byte*>(data);
    out.insert(out.end(), begin, begin + size);
    BIO_reset(waiting);
}

std::string tls_client::cipher() const {
    return fmt::format("{} {}", SSL_get_version(ssl_.get()), SSL_get_cipher_name(ssl_.get()));
}

} // namespace turn::bench
