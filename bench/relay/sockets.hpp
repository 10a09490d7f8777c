#pragma once
/// The generator's sockets: packet_io, and a wait that is neither long nor busy.

#include <memory>
#include <string_view>

#include "turn/net/packet_io.hpp"

namespace turn::bench {

/// Whatever ends a run early; its text is for people.
struct trouble {
    std::string what;
};

// Clients, peers and servers each have an IP of their own: their ports do not meet.
inline const transport_address client_ip = *transport_address::parse("127.0.0.2:0");
inline const transport_address peer_ip = *transport_address::parse("127.0.0.3:0");

class sockets {
public:
    /// Throws trouble.
    explicit sockets(bool segmentation);

    /// A socket on any port of `ip`, with the listener's large buffers if many send to it. Throws trouble.
    socket_id open(const transport_address& ip, net::socket_role role = net::socket_role::relay);
    /// A socket on a port of `ip` that has not been used for as long as possible: a server may remember the client that
    /// had it last (coturn refuses an Allocate from there for some seconds). Throws trouble.
    socket_id open_next(const transport_address& ip);
    void close(socket_id id) { io_->close(id); }
    [[nodiscard]] transport_address local_address(socket_id id) const { return io_->local_address(id); }

    /// Until something can be received or it is `until`, to a few µs.
    void wait(time_point until) const noexcept;
    std::span<const packet> receive() { return io_->receive(); }
    /// Sends all and clears the outbox.
    void flush(outbox& out) {
        io_->send(out.datagrams());
        out.clear();
    }
    /// Datagrams the kernel dropped on the way to us, and those it did not take from us.
    [[nodiscard]] std::uint64_t dropped() const noexcept;
    [[nodiscard]] net::abilities what_works() const { return io_->what_works(); }

private:
    static constexpr std::uint16_t lowest_port = 1024;

    std::unique_ptr<net::packet_io> io_;
    std::uint16_t next_port_ = lowest_port;
};

} // namespace turn::bench
