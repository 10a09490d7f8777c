#pragma once
/// A shard's clients over TCP and TLS: its listening sockets and their connections, in batches like datagrams.

#include <sys/epoll.h>

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/deadline_queue.hpp"
#include "net/connection_budget.hpp"
#include "net/file_descriptor.hpp"
#include "net/splice.hpp"
#include "net/stream_writer.hpp"
#include "net/tls_context.hpp"
#include "net/tls_session.hpp"
#include "turn/counters.hpp"
#include "turn/net/packet_io.hpp"
#include "turn/packet.hpp"
#include "turn/result.hpp"

namespace turn::net {

struct stream_options {
    std::chrono::milliseconds idle{30'000};      ///< without an allocation and without a message
    std::chrono::milliseconds handshake{10'000}; ///< from accept to the first message
    queue_limits queue{};
    /// What comes behind a ConnectionBind request may be a peer's (RFC 6062, 5.4): it is not looked at until the
    /// request has been answered.
    bool data_connections = false;
};

/// What a listening socket takes. With both, the first byte tells (RFC 7983).
struct stream_kinds {
    bool tcp = false;
    std::shared_ptr<tls_context> tls{};
};

/// Used by one thread. `budget` is shared with other shards and outlives this.
class stream_sockets {
public:
    /// A client's first message has come.
    struct opened {
        socket_id id{};
        std::uint32_t listener = 0; ///< as listen() numbered it
        transport protocol{};
        transport_address client{};
    };
    /// A connection that had been opened is gone.
    struct closed {
        socket_id id{};
        transport_address client{};
    };
    /// To be handled in this order; valid until the next receive(). Ids of `gone` are given out again only then.
    struct arrivals {
        std::span<const opened> come{};
        std::span<const packet> packets{};
        std::span<const closed> gone{};
        [[nodiscard]] bool empty() const noexcept { return come.empty() && packets.empty() && gone.empty(); }
    };

    /// `shared_set`: packet_io's, which outlives this; -1: this has a set of its own.
    /// Errors: io, with the cause in errno; out of memory throws std::bad_alloc.
    static result<std::unique_ptr<stream_sockets>> make(const stream_options&, connection_budget& budget,
                                                        int shared_set = -1);
    ~stream_sockets();
    /// From now on; timers that run go on as they were set.
    void reconfigure(const stream_options& options) noexcept { options_ = options; }

    /// Listens and numbers the listeners from 0. Port 0: the system chooses. Errors: io, with the cause in errno.
    result<std::uint32_t> listen(const transport_address& local, stream_kinds, bool reuse_port);
    [[nodiscard]] transport_address local_address(std::uint32_t listener) const;
    [[nodiscard]] int descriptor(std::uint32_t listener) const;

    /// What is ready now; of a shared set `shared` says it, maybe twice, and what there is no time for epoll says
    /// again. Never waits. Call again while the handle is readable or there is more().
    arrivals receive(time_point now, std::span<const readiness> shared = {});
    [[nodiscard]] bool more() const noexcept {
        return next_turn_ < turns_.size() || !backlog_.empty() || !gone_.empty();
    }
    /// Each datagram is one message for the connection `via`; others than streams' are passed over. Connections that
    /// break are reported by receive().
    void send(std::span<const datagram> messages, time_point now);
    /// Whether the connection's client has an allocation now: if so it may stay as long as it likes.
    void claim(socket_id, bool by_allocation, time_point now);
    void close(socket_id, reason why);

    /// A connection whose ConnectionBind has been handled: nothing of it is left here, and nothing is reported.
    /// `unread` is what came behind the request. Nothing when it is gone already.
    std::optional<client_connection> take_out(socket_id);
    /// A connection on its way to the sockets of another shard, which has the same listeners.
    struct traveller {
        client_connection connection{}; ///< its ConnectionBind is still unread
        std::uint32_t listener = 0;
        transport protocol{};
        connection_place place;
    };
    /// The same for a connection whose ConnectionBind shall be handled elsewhere.
    std::optional<traveller> send_away(socket_id);
    /// The next receive() tells of it as of any other.
    void take_in(traveller&&, time_point now);

    /// The end: no connection is left, and nothing is reported.
    void close_all();
    /// Closes what is due; call no later than next_deadline(), and receive() afterwards if more().
    void tick(time_point now);
    /// time_point::max() when nothing waits.
    [[nodiscard]] time_point next_deadline() const noexcept;

    /// Readable when receive() has something to do; with a shared set, that one.
    [[nodiscard]] int native_handle() const noexcept { return set_; }
    [[nodiscard]] const stream_counters& counters() const noexcept { return books_; }

private:
    struct listening {
        file_descriptor handle{};
        transport_address local{};
        stream_kinds kinds{};
    };
    struct connection {
        file_descriptor handle{};
        transport_address client{};
        std::uint32_t listener = 0;
        transport protocol = transport::tcp;
        bool sniffed = false; ///< TCP or TLS is known
        bool shaken = false;  ///< the handshake, if there is one, is over
        bool known = false;   ///< reported as opened
        bool claimed = false; ///< has an allocation, so it is in no budget
        bool backlog = false; ///< whole messages wait in `partial`
        bool writable_wanted = false;
        std::size_t held = 0; ///< bytes of the ConnectionBind at the front of `partial` that is being handled; 0: none
        time_point since{};   ///< accepted, or last heard of while it has no allocation
        std::unique_ptr<tls_session> tls{};
        std::vector<std::byte> partial{}; ///< what came behind the last whole message
        stream_writer out{};
        std::uint32_t first_message = no_message; ///< of those being sent, while send() runs
        std::uint32_t last_message = no_message;
    };
    /// A connection or a listener that is to be served.
    struct turn {
        std::uint32_t data = 0;   ///< as in epoll's, without token_bits
        std::uint32_t events = 0; ///< likewise; 0: a connection's backlog
    };
    static constexpr std::uint32_t no_message = 0xffffffffU;
    static constexpr std::uint32_t token_bits = packet_io::first_shared_token; ///< in epoll's data, always
    static constexpr std::uint32_t listener_bit = 1U << 29; ///< in epoll's data: a listener, not a connection

    stream_sockets(const stream_options&, connection_budget& budget, file_descriptor epoll, int shared_set);

    // stream_accept.cpp: connections come and go
    void accept_some(std::uint32_t listener, time_point now);
    void begin(file_descriptor handle, std::uint32_t listener, const transport_address& client, time_point now);
    void watch_listeners(bool on) noexcept;
    void reserve_turns(std::size_t connections);
    /// An index that is not in use, with room for all that its end will need. May throw std::bad_alloc.
    [[nodiscard]] std::uint32_t next_index();
    [[nodiscard]] bool watch_new(int descriptor, std::uint32_t index) noexcept;
    [[nodiscard]] client_connection extract(std::uint32_t index);
    void forget_turns(std::uint32_t index) noexcept;
    void end(std::uint32_t index, reason why);
    void reschedule(std::uint32_t index);
    [[nodiscard]] connection* find(socket_id) noexcept;

    // stream_sockets.cpp: bytes in, messages out
    [[nodiscard]] std::span<const readiness> ask_epoll() noexcept;
    [[nodiscard]] bool find_turns(std::span<const readiness> ready) noexcept;
    [[nodiscard]] bool take_turn(turn, time_point now);
    [[nodiscard]] std::size_t share() const noexcept;
    void read_backlog(std::uint32_t index, time_point now);
    [[nodiscard]] bool sniff(std::uint32_t index);
    void read_plain(std::uint32_t index, time_point now);
    void read_tls(std::uint32_t index, time_point now);
    void parse(std::uint32_t index, std::span<std::byte> received, time_point now);
    [[nodiscard]] std::span<std::byte> room_for(const connection&) noexcept;

    // and messages in, bytes out
    void after_write(std::uint32_t index, stream_writer::outcome);
    /// Listens for what the connection is to be listened for.
    void watch(std::uint32_t index) noexcept;
    [[nodiscard]] stream_writer::target target_of(connection& c) const noexcept {
        return {c.handle.number(), c.shaken ? c.tls.get() : nullptr};
    }

    stream_options options_;
    connection_budget& budget_;
    file_descriptor epoll_; ///< none, with a shared set
    int set_;
    stream_counters books_;

    std::vector<listening> listeners_;
    std::vector<connection> connections_; ///< by index_of(socket_id)
    std::vector<std::uint32_t> free_;
    std::vector<std::uint32_t> resting_; ///< reported as gone: free after the next receive()
    deadline_queue deadlines_;           ///< by connection
    time_point listening_again_ = time_point::max();

    // One round of receive()
    std::vector<std::byte> arena_;      ///< where messages lie until the next round
    std::vector<std::byte> ciphertext_; ///< of one TLS connection's turn
    std::size_t arena_used_ = 0;
    std::vector<epoll_event> events_;
    std::vector<readiness> ready_;
    std::vector<turn> turns_; ///< [next_turn_, end) are still to be served, in the next round when this one is full
    std::size_t next_turn_ = 0;
    std::vector<opened> come_;
    std::vector<packet> packets_;
    std::vector<closed> gone_;           ///< since the last round
    std::vector<closed> reported_;       ///< of this round
    std::vector<std::uint32_t> backlog_; ///< whose next turn is for messages that have come already

    // One call of send()
    std::vector<std::uint32_t> next_message_; ///< of the same connection, by message
    std::vector<std::uint32_t> touched_;
    std::vector<const datagram*> for_one_;
};

} // namespace turn::net
