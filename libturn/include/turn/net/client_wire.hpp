#pragma once
/// What lies between a client's messages and its socket: framing on a stream, TLS, DTLS. It has no socket itself, so
/// any event loop can drive it. RFC 8489, 6.2; RFC 8656, 12.5; RFC 7350.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <system_error>

#include "turn/packet.hpp"
#include "turn/result.hpp"

namespace turn::net {

/// Whom a client believes over TLS and DTLS. A value: copies are the same, and may be used by any thread.
class client_trust {
public:
    enum class proof : std::uint8_t {
        wanted,   ///< the handshake fails unless the certificate is for the server and vouched for
        unneeded, ///< any certificate will do
    };
    /// The authorities in a PEM file, or those the system believes when there is no path. Errors: words that name the
    /// file.
    static result<client_trust, std::string> load(const std::string& authorities_file = {}, proof = proof::wanted);

private:
    friend class client_wire;
    struct contexts;
    explicit client_trust(std::shared_ptr<const contexts> c) noexcept : contexts_(std::move(c)) {}
    std::shared_ptr<const contexts> contexts_;
};

/// Used by one thread at a time. The caller reads its socket and hands over what came, takes the messages, and writes
/// what there is to write. Once it has failed, only a last alert that there may be to write is of use.
class client_wire {
public:
    enum class protocol : std::uint8_t { udp, tcp, tls, dtls };
    enum class state : std::uint8_t {
        opening, ///< the handshake goes on; UDP and TCP begin open
        open,
        ended,  ///< the server has closed; what came before can still be taken
        failed, ///< see error()
    };
    struct secret {
        client_trust trust;
        std::string host{};        ///< name or IP address, without brackets, that the certificate must be for
        std::string application{}; ///< offered by ALPN: "stun.turn" or "stun.nat-discovery" (RFC 7443); empty: nothing
    };

    /// Precondition: TLS and DTLS come with a secret. A client begins: there is something to write.
    explicit client_wire(protocol, const std::optional<secret>& with = {});
    ~client_wire();
    client_wire(client_wire&&) noexcept;
    client_wire& operator=(client_wire&&) noexcept;

    /// What one read of the socket took: a datagram, or bytes of a stream. An end of the stream is said by end().
    /// Every message must be taken before the next call.
    void receive(bytes came);
    void end();
    /// The next whole message, without padding; empty: no more. Valid until receive().
    std::optional<bytes> next_message();

    /// One message to be written. Errors: no_capacity (larger than a DTLS record), io (not open, or failed just now).
    result<void> send(const datagram& message);
    /// close_notify, where there is such a thing.
    void close();

    /// ChannelData may come: until this is said, who begins like it, as "HTTP/1.1" does, speaks something else.
    void expect_channel_data() noexcept;
    /// RFC 6062, 5: from now on a stream has no messages any more, only the bytes that read() gives.
    void stop_framing() noexcept;
    /// Takes bytes of a stream without messages; 0: none are there.
    std::size_t read(std::span<std::byte> into);

    /// What the next write should take: one datagram, or what there is of a stream. Empty: nothing. Valid until send().
    [[nodiscard]] bytes to_write() const noexcept;
    /// So many of these bytes are written.
    void written(std::size_t count);
    /// All bytes that were ever put in, and written: what was sent is written when flushed() has reached what queued()
    /// was then.
    [[nodiscard]] std::uint64_t queued() const noexcept;
    [[nodiscard]] std::uint64_t flushed() const noexcept;

    /// DTLS: sends again what was not answered. next_deadline() is max() when nothing waits.
    void tick(time_point now);
    [[nodiscard]] time_point next_deadline(time_point now) const noexcept;

    [[nodiscard]] state now() const noexcept;
    [[nodiscard]] bool is_stream() const noexcept;
    /// Why it failed: client_error.
    [[nodiscard]] std::error_code error() const noexcept;
    /// The same in OpenSSL's words, where it has some. Lives as long as the process.
    [[nodiscard]] const char* failure() const noexcept;

private:
    struct parts;
    std::unique_ptr<parts> parts_;
};

} // namespace turn::net
