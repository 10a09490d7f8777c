#pragma once
/// A TLS or DTLS client without a socket: the other end for tests of the server's.

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

struct ssl_ctx_st;
struct ssl_st;
struct ssl_session_st;

namespace turn::test {

enum class tls_version { any, v1_1, v1_2, v1_3 };

/// What a client comes with.
struct tls_wishes {
    tls_version version = tls_version::any;
    bool datagrams = false;                    ///< DTLS 1.0 or 1.2 instead of TLS 1.1 or 1.2
    std::string server_name{};                 ///< SNI; empty: none
    std::vector<std::string> protocols{};      ///< ALPN; empty: none
    std::string trusted{};                     ///< PEM root the server must prove itself by; empty: anybody is believed
    std::string ciphers{};                     ///< for TLS 1.2, in OpenSSL's language; empty: its own
    std::shared_ptr<ssl_session_st> session{}; ///< to resume
};

/// As careless code of the same thread may: an error in OpenSSL's queue that nobody took out.
void leave_openssl_error();

class tls_client {
public:
    /// Begins: to_send() has the ClientHello.
    explicit tls_client(const tls_wishes& = {});

    void receive(std::span<const std::byte> ciphertext);
    /// Takes what is to be written to the server.
    std::vector<std::byte> to_send();
    void send(std::span<const std::byte> plaintext);
    void renegotiate(); ///< asks for it, TLS 1.2
    void update_key();  ///< and asks the server for the same, TLS 1.3
    void close();

    [[nodiscard]] bool open() const;
    [[nodiscard]] bool closed() const; ///< the server said close_notify
    /// In OpenSSL's words, such as "tlsv1 alert protocol version"; empty: all is well.
    [[nodiscard]] const std::string& failure() const { return failure_; }
    [[nodiscard]] const std::vector<std::byte>& received() const { return received_; }

    [[nodiscard]] std::string version() const;     ///< "TLSv1.3"
    [[nodiscard]] std::string cipher() const;      ///< "ECDHE-ECDSA-AES256-GCM-SHA384"
    [[nodiscard]] std::string protocol() const;    ///< the one agreed on by ALPN, or empty
    [[nodiscard]] std::string certificate() const; ///< the common name the server showed
    [[nodiscard]] bool resumed() const;
    [[nodiscard]] bool compressed() const;
    /// With the newest ticket, for tls_wishes::session.
    [[nodiscard]] std::shared_ptr<ssl_session_st> session() const;

private:
    void go_on();
    void judge(int outcome);

    std::shared_ptr<ssl_ctx_st> context_; ///< shared only because their deleters need no type here
    std::shared_ptr<ssl_st> ssl_;
    std::string failure_{};
    std::vector<std::byte> received_{};
};

} // namespace turn::test
