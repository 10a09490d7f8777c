#pragma once
/// The border to the kernel: batches in, batches out. One object per shard, used by one thread.

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>

#include "turn/counters.hpp"
#include "turn/packet.hpp"
#include "turn/result.hpp"

namespace turn::net {

/// What a socket is for; decides its buffers.
enum class socket_role : std::uint8_t { listener, relay };

struct socket_options {
    socket_role role = socket_role::relay;
    bool reuse_port = false; ///< SO_REUSEPORT: one of a group, one per shard
    /// Kernel buffers in bytes; 0: the role's default (4 MiB for a listener, 512 KiB for a relay socket). What the
    /// kernel grants may be less.
    int receive_buffer = 0;
    int send_buffer = 0;
};

/// What this kernel can do, found out by trying when the back end is made.
struct abilities {
    bool gro = false;          ///< UDP_GRO
    bool gso = false;          ///< UDP_SEGMENT
    unsigned max_segments = 1; ///< datagrams in one GSO send
};

/// What epoll says of a descriptor that somebody else has put into packet_io's set.
struct readiness {
    std::uint32_t token = 0;  ///< data.u32 as it was put there
    std::uint32_t events = 0; ///< EPOLLIN and so on
};

class packet_io {
public:
    virtual ~packet_io() = default;

    /// Binds a UDP socket (IPV6_V6ONLY for IPv6) and watches it. Port 0: the system chooses, also with reuse_port one
    /// that is nobody else's. An id that was closed is given out again after the next receive() at the earliest.
    /// Errors: io, with the cause in errno.
    virtual result<socket_id> open(const transport_address& local, const socket_options&) = 0;
    /// Takes over a bound UDP socket. Owns `descriptor` from then on, even on error. Errors: io.
    virtual result<socket_id> adopt(int descriptor, const socket_options&) = 0;
    /// Stops watching a socket and hands its descriptor to the caller; -1 when the back end has none.
    virtual int release(socket_id) = 0;
    virtual void close(socket_id) = 0;
    /// Where the socket is bound, with the port the system chose.
    [[nodiscard]] virtual transport_address local_address(socket_id) const = 0;
    /// The descriptor behind a socket, for options the back end does not know of; -1: none.
    [[nodiscard]] virtual int descriptor(socket_id) const = 0;

    /// What is ready now, from any socket, up to the back end's batch size; empty when nothing is. Never waits.
    /// The bytes stay valid until the next receive(). A socket whose queue ran dry is not asked twice.
    virtual std::span<const packet> receive() = 0;
    /// What the last receive() heard of datagrams that relay sockets have sent: ICMP errors, and datagrams with DF set
    /// that are too big for our own link, as if a router had said so. Valid until the next receive().
    [[nodiscard]] virtual std::span<const icmp_error> icmp_errors() const { return {}; }
    /// Why wait() returned; nothing of it when the time was over.
    struct awake {
        bool packets = false; ///< receive() would return something, or icmp_errors() after it
        bool others = false;  ///< a descriptor given to also_watch() is readable, or take_shared() has something
    };
    /// For a thread that has nothing else to do: sleeps until there is one of these, at most `patience` (`forever` is
    /// negative). With packets at hand from the last time it returns at once and does not look for others.
    virtual awake wait(std::chrono::milliseconds patience) = 0;
    static constexpr std::chrono::milliseconds forever{-1};
    /// From now on wait() ends when this is readable, too, until it is closed. Not owned.
    /// Errors: io, with the cause in errno.
    virtual result<void> also_watch(int descriptor) = 0;
    /// An epoll set that others may put descriptors into, level-triggered, with tokens from first_shared_token on but
    /// the highest. Saves them a set, and the thread a system call, of their own. -1: there is none.
    [[nodiscard]] virtual int shared_set() const { return -1; }
    static constexpr std::uint32_t first_shared_token = 0xc0000000U;
    /// What wait() and receive() have heard of them since the last call, one maybe twice, not always all that is ready.
    /// Valid until the next call.
    virtual std::span<const readiness> take_shared() { return {}; }
    /// Sends what it can; what it cannot is dropped and counted under its reason, as UDP may.
    /// An error caused by one datagram never touches another.
    virtual void send(std::span<const datagram>) = 0;
    /// Readable when receive() would return something: put it into any event loop (an epoll descriptor).
    [[nodiscard]] virtual int native_handle() const = 0;

    [[nodiscard]] virtual abilities what_works() const = 0;
    [[nodiscard]] virtual const net_counters& counters() const = 0;
};

enum class backend : std::uint8_t { automatic, sockets };

struct packet_io_options {
    backend kind = backend::automatic;
    std::size_t batch = 64;   ///< receive buffers of 64 KiB each
    bool segmentation = true; ///< false: neither GRO nor GSO, for comparison
    /// Look at DSCP and ECN of what arrives (packet::traffic_class). False: they are 0.
    bool traffic_class = false;
};

/// Errors: io when this build or this kernel lacks the back end.
result<std::unique_ptr<packet_io>> make_packet_io(const packet_io_options& = {});

} // namespace turn::net
