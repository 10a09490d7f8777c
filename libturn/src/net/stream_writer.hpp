#pragma once
/// The way out of one connection: gathered writes as long as the kernel takes them, a bounded queue when it does not.

#include <span>
#include <vector>

#include "net/send_queue.hpp"
#include "net/tls_session.hpp"

namespace turn::net {

class stream_writer {
public:
    /// Where the bytes go.
    struct target {
        int descriptor = -1;
        tls_session* tls = nullptr; ///< null: plain TCP
    };
    enum class outcome : std::uint8_t {
        sent,    ///< nothing waits
        waiting, ///< for the socket to become writable
        broken,  ///< the connection is gone
        stuck,   ///< its client reads no answers
    };

    /// Sends whole messages in order, or queues what the kernel does not take now.
    outcome write(target, std::span<const datagram* const> messages, time_point now, const queue_limits&,
                  stream_counters& books);
    /// Goes on with what waits; call when the socket is writable.
    outcome flush(target, time_point now, const queue_limits&, stream_counters& books);
    /// Takes what TLS itself wants to say, in front of whatever waits in the queue; flush() sends it, and say() tries
    /// without touching the queue.
    std::vector<std::byte>& own_bytes() noexcept { return unsent_; }
    void say(int descriptor, stream_counters& books) { write_unsent(descriptor, books); }
    /// Takes out what waits, as it goes to the socket: the connection goes elsewhere. Nothing when TLS has failed.
    std::vector<std::byte> take_out(tls_session* tls, stream_counters& books);
    /// Drops what waits.
    void abandon(reason why, stream_counters& books);

private:
    enum class progress : std::uint8_t { all, some, broken };
    progress write_unsent(int descriptor, stream_counters& books);
    /// Moves `count` messages, obtained by `at(i)`, to the kernel or to unsent_. Returns how many are gone from the
    /// queue's point of view; `state` says how it went.
    template <class At>
    std::size_t hand_over(target, std::size_t count, const At& at, progress& state, stream_counters& books);

    std::vector<std::byte> unsent_{}; ///< the rest of a message, or TLS records: must leave before anything else
    std::size_t unsent_from_ = 0;
    send_queue queue_{};
};

} // namespace turn::net
