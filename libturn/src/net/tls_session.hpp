#pragma once
/// One TLS connection's cryptography without its socket: ciphertext in, plaintext out, and back.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "net/tls_client_context.hpp"
#include "net/tls_context.hpp"
#include "net/tls_hello_guard.hpp"
#include "turn/packet.hpp"

namespace turn::net {

/// Used by one thread at a time. Nothing is buffered here but a record that has not arrived whole.
class tls_session {
public:
    enum class state : std::uint8_t {
        handshaking,
        open,
        closed, ///< the other end said close_notify
        failed, ///< the handshake or a record was wrong
    };
    static constexpr std::size_t largest_record = 16'384; ///< bytes of plaintext: RFC 8446, 5.1

    /// A server's. `context` may end before the session. Without memory the session has failed from the start.
    explicit tls_session(const tls_context& context) : tls_session(context.new_session()) {}
    /// A server's or a client's, as `session` is; null means that there was no memory. A client begins by receiving
    /// nothing.
    explicit tls_session(session_ptr session);
    ~tls_session();
    tls_session(const tls_session&) = delete;
    tls_session& operator=(const tls_session&) = delete;

    /// Takes all of `ciphertext`, goes on with the handshake, appends to `answer` what must be written to the socket
    /// (handshake messages, alerts, tickets), and puts plaintext into `plaintext`, which must be at least as large as
    /// `ciphertext` plus largest_record. Returns how many bytes of plaintext came: also some before the session closed
    /// or failed, none after.
    std::size_t receive(bytes ciphertext, std::span<std::byte> plaintext, std::vector<std::byte>& answer);

    /// Appends one record (or more, above largest_record) with head, body and pad zero bytes to `ciphertext`.
    /// Precondition: now() is open, or closed (RFC 8446, 6.1: the other way is still there), and no close() yet. False:
    /// out of memory or a failed session; nothing was appended, and the session has failed.
    bool send(const datagram& message, std::vector<std::byte>& ciphertext);

    /// Appends close_notify, once, unless the handshake is not over or the session has failed. Nothing can be sent
    /// after it; what the other end still says is received until it closes, too.
    void close(std::vector<std::byte>& ciphertext);

    [[nodiscard]] state now() const noexcept { return state_; }
    /// Whether the handshake has succeeded, whatever came after it, maybe in the same receive().
    [[nodiscard]] bool established() const noexcept { return established_; }
    /// Why it failed, in OpenSSL's words, such as "no shared cipher"; null if it did not. Lives as long as the process.
    [[nodiscard]] const char* failure() const noexcept { return failure_; }
    /// A client's: what is wrong with the certificate that the server showed, also when it was let pass.
    [[nodiscard]] tls_distrust distrust() const noexcept;
    /// A client's: when that certificate ends, in seconds since 1970; 0: none was shown.
    [[nodiscard]] std::int64_t certificate_ends() const noexcept;

private:
    struct ends; ///< what OpenSSL reads from and writes to
    std::size_t take(std::span<std::byte> plaintext);
    void stopped(int outcome);
    void fail();

    session_ptr ssl_;
    tls_hello_guard guard_{};
    const char* failure_ = nullptr;
    state state_ = state::handshaking;
    bool established_ = false;
    bytes unread_{};                        ///< while receive() runs
    std::vector<std::byte>* out_ = nullptr; ///< while a call runs
};

} // namespace turn::net
