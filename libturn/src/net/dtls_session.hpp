#pragma once
/// One DTLS association's cryptography without its socket: records in, plaintext out, and back. RFC 6347.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "net/tls_client_context.hpp"
#include "net/tls_context.hpp"
#include "turn/packet.hpp"

namespace turn::net {

/// Datagrams one behind the other, each to be sent by itself.
struct datagram_row {
    std::vector<std::byte> octets{};
    std::vector<std::size_t> ends{};

    [[nodiscard]] std::size_t size() const noexcept { return ends.size(); }
    [[nodiscard]] bytes operator[](std::size_t i) const noexcept {
        const std::size_t begin = i == 0 ? 0 : ends[i - 1];
        return bytes(octets).subspan(begin, ends[i] - begin);
    }
    /// std::bad_alloc leaves the row as it was.
    void append(bytes datagram) {
        ends.push_back(octets.size() + datagram.size());
        try {
            octets.insert(octets.end(), datagram.begin(), datagram.end());
        } catch (...) {
            ends.pop_back();
            throw;
        }
    }
    /// Keeps the first `count`.
    void cut(std::size_t count) noexcept {
        if (count >= ends.size()) return;
        octets.resize(count == 0 ? 0 : ends[count - 1]);
        ends.resize(count);
    }
};

/// Takes the first record off the front of a datagram, for dtls_session::receive(); empty when there is none.
bytes take_record(bytes& datagram) noexcept;

/// Used by one thread at a time.
class dtls_session {
public:
    enum class state : std::uint8_t {
        handshaking,
        open,
        closed, ///< the other end said close_notify
        failed, ///< the handshake went wrong; wrong records of an open session are discarded in silence
    };
    static constexpr std::size_t largest_record = 16'384; ///< bytes of plaintext: RFC 6347, 4.1
    /// Of handshake datagrams, without IP and UDP: passes wherever IPv6 does, tunnels included.
    static constexpr std::size_t handshake_mtu = 1200;
    static constexpr std::chrono::milliseconds first_retransmission{1000}; ///< RFC 6347, 4.2.4.1

    /// A server's or a client's, as `session` is; null means that there was no memory. `patience`: before the first
    /// retransmission of a flight; at least 50 ms. A client begins by receiving nothing; a server's first record is a
    /// ClientHello whose cookie was found good.
    explicit dtls_session(session_ptr session, std::chrono::milliseconds patience = first_retransmission);
    ~dtls_session();
    dtls_session(const dtls_session&) = delete;
    dtls_session& operator=(const dtls_session&) = delete;

    /// Takes one record, goes on with the handshake, appends what must be sent to `answer` (flights, alerts), and puts
    /// plaintext into `plaintext`, which must have room for largest_record. Returns its size; 0: none.
    std::size_t receive(bytes record, std::span<std::byte> plaintext, datagram_row& answer);

    /// Appends one datagram: a record with head, body and pad zero bytes. Precondition: now() == open. False: longer
    /// than largest_record, or no memory; nothing was appended, and the session goes on.
    bool send(const datagram& message, datagram_row& out);

    /// Appends close_notify unless the handshake is not over or the session has failed.
    void close(datagram_row& out);

    /// How long until retransmit() is due, by OpenSSL's own clock; nothing when no answer is waited for.
    [[nodiscard]] std::optional<std::chrono::milliseconds> time_left() const noexcept;
    /// Appends the last flight again if it is due.
    void retransmit(datagram_row& answer);

    [[nodiscard]] state now() const noexcept { return state_; }
    [[nodiscard]] bool established() const noexcept { return established_; }
    /// See tls_session.
    [[nodiscard]] const char* failure() const noexcept { return failure_; }
    [[nodiscard]] tls_distrust distrust() const noexcept;
    [[nodiscard]] std::int64_t certificate_ends() const noexcept;

private:
    struct ends; ///< what OpenSSL reads from and writes to
    [[nodiscard]] bool admits(bytes record) noexcept;
    [[nodiscard]] bool begin();
    void stopped(int outcome);
    void fail();
    void rest() noexcept;

    session_ptr ssl_;
    std::chrono::milliseconds patience_;
    const char* failure_ = nullptr;
    state state_ = state::handshaking;
    bool established_ = false;
    bool begun_ = false;          ///< a server's: the first ClientHello has been looked at
    bool peeking_ = false;        ///< OpenSSL looks at a record that it will read again
    std::uint8_t early_ = 0;      ///< encrypted records that came during the handshake
    bytes unread_{};              ///< while receive() runs
    datagram_row* out_ = nullptr; ///< while a call runs
};

} // namespace turn::net
