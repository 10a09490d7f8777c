#pragma once
/// The clients' end of TLS without sockets: plaintext in, ciphertext out, and back.

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "turn/packet.hpp"

struct ssl_st;
struct ssl_ctx_st;

namespace turn::bench {

/// What all clients of a run have in common.
class tls_settings {
public:
    /// With a file of certificates the server must show one for its IP address that they vouch for; without, any will
    /// do. Throws trouble.
    tls_settings(const std::string& ca_file, const transport_address& server);
    [[nodiscard]] ssl_ctx_st* context() const noexcept { return context_.get(); }

private:
    std::unique_ptr<ssl_ctx_st, void (*)(ssl_ctx_st*)> context_;
};

class tls_client {
public:
    /// Throws trouble.
    explicit tls_client(const tls_settings&);

    /// Begins the handshake or goes on with it. Returns whether it is over. Throws trouble.
    bool shake_hands();
    /// Ciphertext from the server.
    void take(bytes ciphertext);
    /// Plaintext of what was taken, all of it when there is room for it. Throws trouble.
    std::size_t read(std::span<std::byte> room);
    /// One message, in one record if it is not larger than 16 KiB. Precondition: the handshake is over. Throws trouble.
    void write(bytes message);
    /// Appends what must go to the server to `out`.
    void give(std::vector<std::byte>& out);
    /// Protocol and cipher: "TLSv1.3 TLS_AES_256_GCM_SHA384".
    [[nodiscard]] std::string cipher() const;

private:
    std::unique_ptr<ssl_st, void (*)(ssl_st*)> ssl_;
};

} // namespace turn::bench
