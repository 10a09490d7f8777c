#pragma once
/// The generator's sockets: packet_io, streams if there are any, and a wait that is neither long nor busy.

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <poll.h>

#include "options.hpp"
#include "streams.hpp"
#include "turn/net/packet_io.hpp"

namespace turn::bench {

// Clients, peers and servers each have an IP of their own: their ports do not meet.
inline const transport_address client_ip = *transport_address::parse("127.0.0.2:0");
inline const transport_address peer_ip = *transport_address::parse("127.0.0.3:0");

/// Until one of them is ready or it is `until`, to a few µs.
void wait_until(std::span<pollfd> ready, time_point until) noexcept;

class sockets {
public:
    /// Throws trouble.
    explicit sockets(const load_options&);

    /// A socket on any port of `ip`, with the listener's large buffers if many send to it. Throws trouble.
    socket_id open(const transport_address& ip, net::socket_role role = net::socket_role::relay);
    /// A socket on a port of `ip` that has not been used for as long as possible: a server may remember the client that
    /// had it last (coturn refuses an Allocate from there for some seconds). Throws trouble.
    socket_id open_next(const transport_address& ip);
    /// A client's connection to the server. Throws trouble. Precondition: the options want TCP or TLS.
    socket_id connect() { return streams_->connect(client_ip); }
    void close(socket_id id) {
        if (is_stream(id))
            streams_->close(id);
        else
            io_->close(id);
    }
    [[nodiscard]] transport_address local_address(socket_id id) const { return io_->local_address(id); }

    /// Until something can be received or it is `until`.
    void wait(time_point until) const;
    /// Adds what is readable when something can be received.
    void watch(std::vector<pollfd>& ready) const;
    std::span<const packet> receive() { return io_->receive(); }
    /// Whole messages from connections, and connections that are gone.
    struct streamed {
        std::span<const packet> messages{};
        std::span<const socket_id> gone{};
    };
    streamed receive_streams() {
        if (!streams_) return {};
        const auto messages = streams_->receive();
        return {messages, streams_->gone()};
    }
    /// Sends all and clears the outbox.
    void flush(outbox& out) {
        io_->send(out.datagrams());
        if (streams_) streams_->send(out.frames());
        out.clear();
    }
    /// Datagrams the kernel dropped on the way to us, and those it or a connection did not take from us.
    [[nodiscard]] std::uint64_t dropped() const noexcept;
    [[nodiscard]] net::abilities what_works() const { return io_->what_works(); }
    /// Protocol and cipher of TLS; else empty.
    [[nodiscard]] std::string cipher() const { return streams_ ? streams_->cipher() : std::string{}; }

private:
    static constexpr std::uint16_t lowest_port = 1024;

    std::unique_ptr<net::packet_io> io_;
    std::optional<streams> streams_{};
    std::uint16_t next_port_ = lowest_port;
};

} // namespace turn::bench
