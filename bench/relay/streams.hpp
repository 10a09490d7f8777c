#pragma once
/// The generator's clients over TCP and TLS: whole messages to and from their connections, in batches like datagrams.

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <sys/epoll.h>

#include "net/file_descriptor.hpp"
#include "tls_client.hpp"
#include "turn/packet.hpp"

namespace turn::bench {

/// Nothing is lost between a connection's ends; what the server does not read waits here, up to a limit, and then is
/// dropped and counted before it leaves.
class streams {
public:
    /// `tls`: every connection begins with a handshake. Throws trouble.
    streams(const transport_address& server, std::optional<tls_settings> tls);

    /// A connection from a port of `from` that the system chooses. It need not be open to be sent to. Throws trouble.
    socket_id connect(const transport_address& from);
    void close(socket_id) noexcept;

    /// What is ready: one read for each connection. The bytes stay valid until the next receive(). Throws trouble when
    /// a message or a TLS record is wrong.
    std::span<const packet> receive();
    /// Connections that the server has closed, or that broke, found by the last receive(), behind all they brought.
    [[nodiscard]] std::span<const socket_id> gone() const noexcept { return gone_; }
    /// Each one message for the connection `via`; those for the same leave in one write.
    void send(std::span<const datagram> messages);

    /// Readable when receive() would do something.
    [[nodiscard]] int native_handle() const noexcept { return epoll_.number(); }
    /// Messages that were not sent.
    [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_; }
    /// Of the connection that was last opened; empty: not TLS.
    [[nodiscard]] const std::string& cipher() const noexcept { return cipher_; }

private:
    struct connection {
        net::file_descriptor handle{};
        std::unique_ptr<tls_client> tls{};
        bool open = false;                ///< no handshake is going on
        bool writable_wanted = false;     ///< epoll tells when it can be written to
        bool touched = false;             ///< while send() runs
        std::vector<std::byte> early{};   ///< messages that wait for the handshake, one behind another
        std::vector<std::byte> unsent{};  ///< for the socket
        std::vector<std::byte> partial{}; ///< came behind the last whole message
    };
    enum class state : std::uint8_t { fine, gone };

    void take_turn(std::uint32_t index, std::uint32_t events);
    state read(std::uint32_t index);
    std::size_t decrypt(connection&, bytes ciphertext, std::span<std::byte> room);
    void cut(std::uint32_t index, std::span<std::byte> received);
    state write(std::uint32_t index);
    void queue(connection&, const datagram& message);
    void watch(std::uint32_t index, int operation);
    void end(std::uint32_t index);

    transport_address server_;
    std::optional<tls_settings> tls_;
    net::file_descriptor epoll_;
    std::vector<connection> connections_{}; ///< by index_of(socket_id)
    std::vector<epoll_event> ready_;
    std::vector<std::byte> arena_;      ///< what the last receive() returned
    std::vector<std::byte> ciphertext_; ///< of one turn
    std::vector<std::byte> message_{};  ///< for TLS, in one piece
    std::size_t used_ = 0;              ///< of arena_
    std::vector<packet> packets_{};
    std::vector<socket_id> gone_{};
    std::vector<std::uint32_t> touched_{};
    std::uint64_t dropped_ = 0;
    std::string cipher_{};
};

} // namespace turn::bench
