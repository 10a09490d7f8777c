#include "support/dtls_server.hpp"

#include <stdexcept>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

namespace turn::test {

dtls_server::dtls_server(const certificate_files& files)
    : context_(SSL_CTX_new(DTLS_server_method()), SSL_CTX_free), ssl_() {
    if (!context_ || SSL_CTX_use_certificate_chain_file(context_.get(), files.chain.c_str()) != 1 ||
        SSL_CTX_use_PrivateKey_file(context_.get(), files.key.c_str(), SSL_FILETYPE_PEM) != 1)
        throw std::runtime_error("no DTLS context");
    ssl_.reset(SSL_new(context_.get()), SSL_free);
    if (!ssl_) throw std::runtime_error("no DTLS session");
    SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    BIO_set_mem_eof_return(SSL_get_rbio(ssl_.get()), -1);
    SSL_set_options(ssl_.get(), SSL_OP_NO_QUERY_MTU);
    SSL_set_mtu(ssl_.get(), 1232);
    SSL_set_accept_state(ssl_.get());
}

void dtls_server::receive(std::span<const std::byte> datagram) {
    BIO_write(SSL_get_rbio(ssl_.get()), datagram.data(), static_cast<int>(datagram.size()));
    for (std::vector<std::byte> room(20'000);;) {
        std::size_t n = 0;
        if (SSL_read_ex(ssl_.get(), room.data(), room.size(), &n) != 1) break;
        received_.emplace_back(room.begin(), room.begin() + static_cast<std::ptrdiff_t>(n));
    }
    ERR_clear_error();
}

std::vector<std::byte> dtls_server::to_send() {
    std::vector<std::byte> out(BIO_ctrl_pending(SSL_get_wbio(ssl_.get())));
    if (!out.empty()) BIO_read(SSL_get_wbio(ssl_.get()), out.data(), static_cast<int>(out.size()));
    return out;
}

void dtls_server::send(std::span<const std::byte> plaintext) {
    std::size_t n = 0;
    if (SSL_write_ex(ssl_.get(), plaintext.data(), plaintext.size(), &n) != 1) throw std::logic_error("not open");
}

void dtls_server::close() {
    SSL_shutdown(ssl_.get());
}

bool dtls_server::open() const {
    return SSL_is_init_finished(ssl_.get()) == 1;
}

bool dtls_server::closed() const {
    return (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
}

std::string dtls_server::name_wanted() const {
    const char* const name = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name);
    return name ? name : "";
}

} // namespace turn::test
