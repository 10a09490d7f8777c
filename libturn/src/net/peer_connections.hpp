#pragma once
/// A shard's connections with peers (RFC 6062): from and to relayed transport addresses over TCP, and joined with
/// clients'.

#include <sys/epoll.h>

#include <array>
#include <chrono>
#include <memory>
#include <span>
#include <vector>

#include "base/deadline_queue.hpp"
#include "net/file_descriptor.hpp"
#include "net/shared_bandwidth.hpp"
#include "net/splice.hpp"
#include "turn/counters.hpp"
#include "turn/packet.hpp"
#include "turn/result.hpp"

namespace turn::net {

/// An id is given out again only after the receive() that follows the connection's end.
using turn::peer_connection;

struct peer_connection_options {
    std::chrono::milliseconds connect{30'000};      ///< until a peer has answered; RFC 6062, 5.2: at least 30 s
    std::chrono::milliseconds half_closed{300'000}; ///< one end has said all it had to, and the other says nothing
    std::chrono::milliseconds broken{30'000};       ///< one end is gone, and the other takes nothing of what is left
    std::size_t most = 65'536;                      ///< connections at a time
    std::size_t most_pipes = 32;                    ///< each holds up to 1 MiB that somebody does not read
    std::uint64_t bandwidth_per_allocation = 0;     ///< bits per second of data, each direction; 0: no limit
};

/// Used by one thread, in which it blocks SIGPIPE: splice() raises it when a peer is gone, and cannot be told not to.
class peer_connections {
public:
    /// The answer to connect(): established.
    struct connected {
        peer_connection id{};
    };
    /// The answer to connect(): refused, unreachable, timed out. The id is free.
    struct failed {
        peer_connection id{};
        int error = 0; ///< as errno has it
    };
    /// Accepted on a relayed transport address.
    struct arrived {
        peer_connection id{};
        socket_id relay{};
        transport_address peer{};
    };
    /// Both ends have closed and everything was delivered that could be; or, before it was joined, the peer is gone and
    /// nothing of it is unread. The id is free.
    struct ended {
        peer_connection id{};
        peer_traffic carried{};
        int error = 0; ///< why, as errno has it; 0: it was closed properly
    };
    /// Valid until the next receive(). No id is in there twice.
    struct arrivals {
        std::span<const connected> opened{};
        std::span<const failed> refused{};
        std::span<const arrived> come{};
        std::span<const ended> gone{};
        [[nodiscard]] bool empty() const noexcept {
            return opened.empty() && refused.empty() && come.empty() && gone.empty();
        }
    };

    /// Errors: io, with the cause in errno; out of memory throws std::bad_alloc.
    static result<std::unique_ptr<peer_connections>> make(const peer_connection_options& = {});
    ~peer_connections();

    /// A socket for a relayed transport address. Nothing else may use the address, not even with SO_REUSEPORT. Port 0:
    /// the system chooses. Errors: io, with the cause in errno.
    static result<file_descriptor> bind(const transport_address& local) noexcept;
    /// Listens on it; `bound` is from bind(). The id is of kind tcp_relay. Errors: io, with the cause in errno.
    result<socket_id> listen(file_descriptor bound);
    [[nodiscard]] transport_address local_address(socket_id relay) const noexcept;
    /// Stops listening. Connections with it live until close(peer_connection).
    void close(socket_id relay) noexcept;

    /// Connects to a peer from the relayed transport address itself; `connected` or `failed` tells how it went. Errors:
    /// not_found: there is no such relay; io: no descriptor (cause in errno); no_capacity: no room for one more.
    result<peer_connection> connect(socket_id relay, const transport_address& peer, time_point now);
    /// From now on the client and the peer hear each other. What the peer has said so far waits in its socket, whose
    /// receive buffer is the bound. They share the bandwidth of the allocation: who has used it up is not read for a
    /// while. False: it is not established, or gone; the client's connection is closed.
    bool join(peer_connection, client_connection client, const allocation_place& of = {});
    /// Closes both sides at once, and nothing is reported of it any more.
    void close(peer_connection) noexcept;
    [[nodiscard]] peer_traffic traffic_of(peer_connection) const noexcept;
    /// From now on; see peer_connection_options.
    void limit_bandwidth(std::uint64_t bits_per_second, time_point now) noexcept;

    /// Serves what is ready now, each connection for a bounded number of bytes. Never waits. Call again while the
    /// handle is readable or there is more().
    arrivals receive(time_point now);
    [[nodiscard]] bool more() const noexcept { return next_turn_ < turns_.size(); }
    /// Gives up what is due; call no later than next_deadline(), and receive() afterwards if more().
    void tick(time_point now) noexcept;
    /// time_point::max() when nothing waits.
    [[nodiscard]] time_point next_deadline() const noexcept;

    /// Readable when receive() has something to do.
    [[nodiscard]] int native_handle() const noexcept { return epoll_.number(); }
    [[nodiscard]] const peer_connection_counters& counters() const noexcept { return books_; }

private:
    enum class stage : std::uint8_t {
        none,
        connecting,
        failing,     ///< it could not be connected: to be reported
        established, ///< until it is joined
        joined,
        ending, ///< to be reported as ended
    };
    struct connection {
        stage now = stage::none;
        bool waits_for_turn = false; ///< its index is in turns_
        bool broken = false;         ///< and has a deadline for that
        std::uint32_t heard = 0;     ///< of epoll's events, before it is joined
        int error = 0;
        std::uint32_t held_back = 0; ///< times, since it was joined
        file_descriptor handle{};    ///< the peer's, until it is joined
        std::unique_ptr<splice> spliced{};
    };
    struct listening {
        file_descriptor handle{};
        transport_address local{};
    };

    peer_connections(const peer_connection_options&, file_descriptor epoll);

    void hear(const epoll_event&, time_point now);
    void accept_some(std::uint32_t listener, time_point now);
    void watch_listeners(bool on) noexcept;
    [[nodiscard]] result<std::uint32_t, reason> add(file_descriptor handle, stage);
    void queue(std::uint32_t index) noexcept;
    void serve(std::uint32_t index, time_point now);
    void serve_connecting(std::uint32_t index);
    void serve_established(std::uint32_t index);
    void serve_joined(std::uint32_t index, time_point now);
    void pay(std::uint32_t index, time_point now);
    void set_deadline(std::uint32_t index, bool delivered, time_point now) noexcept;
    void report_failed(std::uint32_t index, int error);
    void report_ended(std::uint32_t index, int error);
    void release(std::uint32_t index) noexcept;
    [[nodiscard]] connection* find(peer_connection) noexcept;
    [[nodiscard]] const listening* find(socket_id) const noexcept;
    [[nodiscard]] bool watch(int descriptor, std::uint32_t data, std::uint32_t events) noexcept;

    peer_connection_options options_;
    file_descriptor epoll_;
    peer_connection_counters books_;
    splice_room room_;
    shared_bandwidth bandwidth_;
    std::vector<listening> listeners_; ///< by index_of(socket_id)
    std::vector<std::uint32_t> free_listeners_;
    std::vector<connection> connections_;
    std::vector<std::uint32_t> free_;
    std::vector<std::uint32_t> resting_; ///< free after the next receive()
    deadline_queue deadlines_;           ///< by connection
    time_point listening_again_ = time_point::max();

    std::vector<epoll_event> ready_;
    std::vector<std::uint32_t> turns_; ///< [next_turn_, end) want to be served, in this order
    std::size_t next_turn_ = 0;
    std::size_t effort_left_ = 0; ///< of this round, in bytes
    std::vector<connected> opened_;
    std::vector<failed> refused_;
    std::vector<arrived> come_;
    std::vector<ended> gone_;
};

} // namespace turn::net
