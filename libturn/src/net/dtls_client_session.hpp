#pragma once
/// A client's DTLS 1.2 session without its socket: datagrams in, messages out, and back. RFC 7350, RFC 6347.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "net/tls_client_context.hpp"
#include "net/written_later.hpp"
#include "turn/packet.hpp"

namespace turn::net {

/// Used by one thread at a time.
class dtls_client_session {
public:
    enum class state : std::uint8_t { handshaking, open, closed, failed };
    static constexpr std::size_t largest_message = 16'384; ///< one record: RFC 6347, 4.1

    /// Of a context for datagrams; null means that there was no memory. Begins by receiving nothing.
    explicit dtls_client_session(session_ptr session);
    ~dtls_client_session();
    dtls_client_session(const dtls_client_session&) = delete;
    dtls_client_session& operator=(const dtls_client_session&) = delete;

    /// Takes one datagram; what must be sent goes to `out`, what the server said is handed out by next_message().
    void receive(bytes datagram, written_later& out);
    /// What the server said, a record each; empty: no more. Valid until receive().
    [[nodiscard]] std::optional<bytes> next_message() noexcept;
    /// One message as one record. False: too large, not open, or the session has failed.
    bool send(const datagram& message, written_later& out);
    /// close_notify, unless the session is not open.
    void close(written_later& out);

    /// Sends the last flight again when it is time to: RFC 6347, 4.2.4.
    void tick(written_later& out);
    /// How long until then; nothing: no answer is waited for. By the clock of OpenSSL, which starts its timers itself.
    [[nodiscard]] std::optional<std::chrono::microseconds> retransmits_in() const noexcept;

    [[nodiscard]] state now() const noexcept { return state_; }
    [[nodiscard]] tls_distrust distrust() const noexcept;
    /// Why it failed, in OpenSSL's words; null if it did not. Lives as long as the process.
    [[nodiscard]] const char* failure() const noexcept { return failure_; }

private:
    struct ends; ///< what OpenSSL reads from and writes to
    void take();
    void stopped(int outcome);
    void fail();

    session_ptr ssl_;
    const char* failure_ = nullptr;
    state state_ = state::handshaking;
    std::vector<std::byte> plaintext_{}; ///< grows to what a datagram needs
    std::deque<bytes> messages_{};
    bytes unread_{};               ///< while receive() runs
    written_later* out_ = nullptr; ///< while a call runs
};

} // namespace turn::net
