#pragma once
/// What happened, in numbers. One writer (the shard's thread), read by anyone, relaxed.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "turn/packet.hpp"
#include "turn/reason.hpp"

namespace turn {

/// A counter that one thread writes and others read. Not an atomic increment: a plain add in the writer.
class counter {
public:
    void add(std::uint64_t n) noexcept {
        value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    }
    void subtract(std::uint64_t n) noexcept {
        value_.store(value_.load(std::memory_order_relaxed) - n, std::memory_order_relaxed);
    }
    counter& operator++() noexcept {
        add(1);
        return *this;
    }
    [[nodiscard]] std::uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> value_{0};
};

/// How a request ended, for turnd_requests_total{method,result}.
enum class request_result : std::uint8_t { success, challenged, refused, count_ };

/// The requests we answer, densely numbered.
enum class request_method : std::uint8_t {
    binding,
    allocate,
    refresh,
    create_permission,
    channel_bind,
    connect,
    connection_bind,
    count_
};

/// A relay's books. Conservation, exactly, after every call of the relay:
///   from_clients.packets = relayed[up].packets + Σ dropped[up] + Σ requests + absorbed + pending
///   from_peers.packets   = relayed[down].packets + Σ dropped[down]
///   icmp.received        = icmp.relayed + Σ icmp.dropped
/// `requests` counts answers by method and result; a packet that waits for a credential look-up or for a peer to answer
/// its connection is `pending`; a Binding indication is `absorbed`, and so is a request that another shard will answer.
template <class Number>
struct relay_books {
    struct traffic {
        Number packets{};
        Number bytes{}; ///< of UDP payload as received; of application data when relayed
    };
    traffic from_clients{};
    traffic from_peers{};
    std::array<traffic, 2> relayed{}; ///< by direction::up, direction::down
    std::array<std::array<Number, reason_count>, 2> dropped{};
    std::array<Number, reason_count> refused{}; ///< answers that carried an error, by reason
    std::array<std::array<Number, static_cast<std::size_t>(request_result::count_)>,
               static_cast<std::size_t>(request_method::count_)>
        requests{};
    /// Answered Allocate requests by transport of the client and result; their sum is that of `requests`.
    std::array<std::array<Number, static_cast<std::size_t>(request_result::count_)>, transport_count> allocates{};
    Number absorbed{};
    Number pending{};
    /// ICMP errors about what clients sent to peers, and those of them that clients were told of. RFC 8656, 11.5.
    struct icmp_errors {
        Number received{};
        Number relayed{};
        std::array<Number, reason_count> dropped{};
    };
    icmp_errors icmp{};
    // What is alive now.
    Number allocations{};
    std::array<Number, transport_count> allocations_over{}; ///< by transport of the client; their sum is `allocations`
    Number tcp_allocations{};                               ///< of `allocations`, those that relay TCP (RFC 6062)
    /// By transport of the client and family (IPv4, IPv6); a dual allocation has one of each.
    std::array<std::array<Number, 2>, transport_count> relayed_addresses{};
    Number permissions{};
    Number channels{};
    Number peer_connections{};       ///< with peers of TCP allocations: under way, waiting for ConnectionBind, or bound
    Number peer_connections_bound{}; ///< of those
    // What was, ever.
    Number allocations_created{};
    Number allocations_ended{};
    std::array<Number, 2> peer_connections_made{}; ///< by direction: up, Connect has succeeded; down, a peer came
    /// Peers that came and were sent away, and connections of either kind that nobody bound in time.
    std::array<Number, reason_count> peer_connections_closed{};
};
using relay_counters = relay_books<counter>;
using relay_totals = relay_books<std::uint64_t>;

/// A packet_io's books. Sent counts what the kernel took.
template <class Number>
struct net_books {
    Number received_packets{};
    Number received_bytes{};
    Number receive_calls{};
    Number send_calls{};
    std::array<Number, direction_count> sent_packets{};
    std::array<Number, direction_count> sent_bytes{};
    std::array<std::array<Number, reason_count>, direction_count> dropped{}; ///< by direction and reason
    Number receive_truncated{}; ///< datagrams larger than a receive buffer: dropped before the relay saw them
    Number kernel_drops{};      ///< SO_RXQ_OVFL: what the kernel dropped because we were too slow
    std::array<Number, 2> kernel_drops_of{}; ///< of those, by net::socket_role: listeners, relay sockets
};
using net_counters = net_books<counter>;

/// The books of a shard's connections (TCP, TLS, DTLS). For each direction, exactly: frames taken for sending = sent +
/// Σ dropped + queued. What leaves over DTLS is a datagram, and in the books of its packet_io instead.
template <class Number>
struct stream_books {
    Number received_frames{};
    Number received_bytes{}; ///< of frames, after TLS and DTLS and without padding
    Number receive_calls{};
    Number send_calls{};
    std::array<Number, direction_count> sent_frames{};
    std::array<Number, direction_count> sent_bytes{};
    std::array<std::array<Number, reason_count>, direction_count> dropped{};
    std::array<Number, direction_count> queued{}; ///< wait for their client now
    // Connections
    std::array<Number, transport_count> accepted{};    ///< ever, by transport: all but udp
    std::array<Number, transport_count> connections{}; ///< now
    Number without_allocation{};                       ///< of those
    std::array<Number, reason_count> closed{};         ///< by us, and why; malformed: what it sent is no STUN
    Number handshakes{};                               ///< TLS and DTLS handshakes that succeeded
};
using stream_counters = stream_books<counter>;
using stream_totals = stream_books<std::uint64_t>;

/// The books of a shard's datagrams for DTLS. Exactly: received = for_sessions + challenged + Σ dropped.
template <class Number>
struct dtls_books {
    Number received{};     ///< that a packet_io delivered and the relay did not see as they were
    Number for_sessions{}; ///< begin a session, or belong to one
    Number challenged{};   ///< ClientHellos answered with a HelloVerifyRequest, without any state
    Number own{};          ///< sent, and no message of the relay: HelloVerifyRequests, flights, alerts
    std::array<Number, reason_count> dropped{};
};
using dtls_counters = dtls_books<counter>;
using dtls_totals = dtls_books<std::uint64_t>;

using net_totals = net_books<std::uint64_t>;

/// The books of a shard's connections with peers (RFC 6062). `accepted` and `connected` = `connections` that are
/// established + `ended`.
template <class Number>
struct peer_connection_books {
    std::array<Number, 2> relayed_bytes{}; ///< of application data, by direction::up, direction::down
    std::array<Number, 2> lost_bytes{};    ///< taken, and then there was nobody to take them
    Number copied_bytes{};                 ///< of those relayed, not spliced: for TLS, or for want of a pipe
    std::array<Number, 2> held_back{};     ///< times that one was not read until there was bandwidth again
    // Connections
    Number accepted{};
    Number connected{};
    Number failed{};                           ///< to be connected
    Number ended{};                            ///< of those accepted and connected, by whomever
    Number connections{};                      ///< now, those being connected included
    Number joined{};                           ///< of those: with a client's
    Number pipes{};                            ///< that exist now
    std::array<Number, reason_count> closed{}; ///< by us, and why
};
using peer_connection_counters = peer_connection_books<counter>;
using peer_connection_totals = peer_connection_books<std::uint64_t>;

/// How many values lay where, for histograms: by upper bound, bounds included, and one more for those above all.
template <class Number, std::size_t Bounds>
struct histogram {
    std::array<Number, Bounds + 1> counts{};
    Number sum{}; ///< of all values
};

/// The books of a shard's thread.
template <class Number>
struct shard_books {
    /// Packets in a batch, as the relay counts them: a merged train is as many as it has segments.
    static constexpr std::array<std::uint64_t, 10> batch_bounds{1, 2, 4, 8, 16, 32, 64, 128, 256, 512};
    histogram<Number, batch_bounds.size()> batches{};
    /// Nanoseconds from when a batch had been received until all that came of it had been sent. Of one batch in
    /// `batches_per_sample`; how long packets had waited in the kernel is not in it.
    static constexpr std::array<std::uint64_t, 11> latency_bounds{
        10'000, 25'000, 50'000, 100'000, 250'000, 500'000, 1'000'000, 2'500'000, 5'000'000, 10'000'000, 50'000'000};
    static constexpr std::uint32_t batches_per_sample = 128;
    histogram<Number, latency_bounds.size()> latencies{};
};
using shard_counters = shard_books<counter>;
using shard_totals = shard_books<std::uint64_t>;

/// Counts one value.
template <std::size_t Bounds>
void record(histogram<counter, Bounds>& h, const std::array<std::uint64_t, Bounds>& bounds,
            std::uint64_t value) noexcept {
    std::size_t place = 0;
    while (place < Bounds && bounds[place] < value) ++place;
    ++h.counts[place];
    h.sum.add(value);
}

} // namespace turn
