#pragma once
/// A client's connection and a peer's, joined: what one says, the other hears (RFC 6062, 5.4). The kernel moves the
/// bytes from socket to socket through a pipe; they come here only for TLS, or when there is no pipe to be had.

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "net/file_descriptor.hpp"
#include "net/tls_session.hpp"
#include "turn/counters.hpp"
#include "turn/packet.hpp"

namespace turn::net {

/// Both ends of a pipe; false when there is none.
struct pipe_ends {
    file_descriptor out{}; ///< to be read
    file_descriptor in{};  ///< to be written
    explicit operator bool() const noexcept { return static_cast<bool>(in); }
};

/// What the connections of one thread share: empty pipes, and memory for what passes through user space.
class splice_room {
public:
    static constexpr std::size_t pipe_size = 1'048'576; ///< bytes wanted; as much as an unprivileged user may have
    static constexpr std::size_t at_once = 65'536;      ///< bytes that are copied, or pass TLS, in one step

    /// No more than `most_pipes` exist at a time; may throw std::bad_alloc.
    splice_room(std::size_t most_pipes, peer_connection_counters& books);
    /// False: none is to be had now.
    pipe_ends take_pipe() noexcept;
    /// Precondition: it is empty.
    void give_back(pipe_ends) noexcept;
    /// Closes it with what is in it.
    void discard(pipe_ends) noexcept;

    std::span<std::byte> arriving() noexcept { return arriving_; }   ///< `at_once` bytes
    std::span<std::byte> plaintext() noexcept { return plaintext_; } ///< what `at_once` bytes of ciphertext can become

private:
    static constexpr std::size_t most_idle = 8; ///< kept open while nobody needs them

    peer_connection_counters& books_;
    std::size_t most_;
    std::size_t pipes_ = 0;
    std::vector<pipe_ends> idle_{};
    std::vector<std::byte> arriving_;
    std::vector<std::byte> plaintext_;
};

/// A client's connection with whatever was read from it, or is still to be written to it.
struct client_connection {
    file_descriptor handle{};
    std::unique_ptr<tls_session> tls{}; ///< null: plain TCP
    std::vector<std::byte> unread{}; ///< what came behind the ConnectionBind request, after TLS: goes to the peer first
    std::vector<std::byte> unsent{}; ///< as it goes to the socket, before anything of the peer's: its answer
};

class splice {
public:
    enum class side : std::uint8_t { client, peer };
    enum class state : std::uint8_t {
        waiting, ///< for its sockets
        busy,    ///< more could be done at once, but others want their turn
        over,    ///< all that could be delivered was, and nobody is left who could hear more
    };

    splice(client_connection client, file_descriptor peer);
    ~splice();
    splice(const splice&) = delete;
    splice& operator=(const splice&) = delete;

    /// What epoll says of a socket, edge-triggered.
    void ready(side, std::uint32_t events) noexcept;
    /// By direction::up and direction::down.
    using amount = std::array<std::size_t, 2>;
    /// Moves bytes in both directions, each for about `effort` bytes of splicing, and no more than `most` bytes of
    /// application data, except that a TLS record is not divided. May throw std::bad_alloc; then it must not go on.
    state go_on(splice_room&, std::size_t effort, const amount& most, peer_connection_counters& books);
    /// Of application data, since go_on() was called; what came behind ConnectionBind counts the first time.
    [[nodiscard]] const amount& taken() const noexcept { return taken_; }
    /// By `most` alone: there may be more to take, and room for it.
    [[nodiscard]] bool held_back(direction d) const noexcept { return ways_[static_cast<std::size_t>(d)].held_back; }
    /// The end, whatever is still under way.
    void abandon(splice_room&, peer_connection_counters& books) noexcept;

    [[nodiscard]] int descriptor(side s) const noexcept { return at(s).handle.number(); }
    /// One way has ended, the other has not.
    [[nodiscard]] bool half_closed() const noexcept { return ways_[0].over || ways_[1].over; }
    /// Somebody does not take what is sent to them any more; what they sent themselves is still delivered.
    [[nodiscard]] bool broken() const noexcept { return ways_[0].into_nothing || ways_[1].into_nothing; }
    /// Bytes of application data delivered, by direction::up and direction::down.
    [[nodiscard]] const std::array<std::uint64_t, 2>& delivered() const noexcept { return delivered_; }
    /// The first error of a socket; 0: none.
    [[nodiscard]] int error() const noexcept { return error_; }
    /// Its client's TLS was wrong.
    [[nodiscard]] bool malformed() const noexcept { return tls_ && tls_->now() == tls_session::state::failed; }

private:
    struct end {
        file_descriptor handle{};
        bool readable = true;
        bool writable = true;
    };
    struct way {
        std::vector<std::byte> held{}; ///< [held_from, end) must leave before anything else
        std::size_t held_from = 0;
        pipe_ends through{};
        std::size_t in_pipe = 0;
        bool source_over = false;  ///< nothing will come any more
        bool into_nothing = false; ///< whoever should hear is gone: what comes is thrown away
        bool over = false;
        bool held_back = false;
    };
    static constexpr direction up = direction::up, down = direction::down;

    [[nodiscard]] way& at(direction d) noexcept { return ways_[static_cast<std::size_t>(d)]; }
    [[nodiscard]] const end& at(side s) const noexcept { return ends_[static_cast<std::size_t>(s)]; }
    [[nodiscard]] end& source(direction d) noexcept { return ends_[d == up ? 0 : 1]; }
    [[nodiscard]] end& sink(direction d) noexcept { return ends_[d == up ? 1 : 0]; }

    [[nodiscard]] bool move(direction, splice_room&, std::size_t effort, peer_connection_counters&);
    [[nodiscard]] bool deliver_held(direction, peer_connection_counters&);
    [[nodiscard]] bool deliver_piped(direction, splice_room&, peer_connection_counters&);
    [[nodiscard]] std::size_t take(direction, splice_room&, peer_connection_counters&);
    [[nodiscard]] std::size_t take_by_pipe(direction, pipe_ends&);
    [[nodiscard]] std::size_t take_by_copy(direction, splice_room&, peer_connection_counters&);
    [[nodiscard]] std::size_t take_from_tls(splice_room&, peer_connection_counters&);
    [[nodiscard]] std::size_t take_for_tls(splice_room&, peer_connection_counters&);
    [[nodiscard]] std::size_t throw_away(direction, splice_room&, peer_connection_counters&);
    [[nodiscard]] std::size_t read(direction, std::span<std::byte> room, int flags) noexcept;
    [[nodiscard]] bool speaks_to_nobody(direction) noexcept;
    void nothing_taken(direction, ssize_t outcome) noexcept;
    std::size_t write(direction, bytes) noexcept;
    void finish(direction);
    void source_failed(direction, int error) noexcept;
    void sink_failed(direction, int error) noexcept;
    void lose(direction, splice_room&, peer_connection_counters&) noexcept;
    void count(direction, std::size_t, peer_connection_counters&) noexcept;
    void take_away(direction, std::size_t) noexcept;

    std::array<end, 2> ends_; ///< by side
    std::array<way, 2> ways_; ///< by direction::up, direction::down
    std::array<std::uint64_t, 2> delivered_{};
    amount may_take_{};                ///< in this turn
    amount taken_{};                   ///< in this turn
    std::size_t pipelined_;            ///< what came behind ConnectionBind, until the first turn
    std::unique_ptr<tls_session> tls_; ///< the client's
    bool said_goodbye_ = false;        ///< TLS has been closed
    int error_ = 0;
};

} // namespace turn::net
