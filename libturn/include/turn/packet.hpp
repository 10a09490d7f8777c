#pragma once
/// What crosses the border between the core and the outside: packets in, datagrams and orders out.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "turn/stun/password_algorithm.hpp"
#include "turn/transport_address.hpp"

namespace turn {

using time_point = std::chrono::steady_clock::time_point; ///< the core never reads a clock
using bytes = std::span<const std::byte>;

/// How a client reaches us. RFC 8656, 2.1.
enum class transport : std::uint8_t { udp, tcp, tls, dtls };
inline constexpr std::size_t transport_count = 4;

/// "udp", "tcp", "tls", "dtls".
constexpr std::string_view name(transport t) noexcept {
    constexpr std::string_view names[transport_count] = {"udp", "tcp", "tls", "dtls"};
    return names[static_cast<std::size_t>(t)];
}

/// TLS and DTLS: with certificates.
constexpr bool is_secure(transport t) noexcept {
    return t == transport::tls || t == transport::dtls;
}
/// UDP and DTLS: each message is a datagram.
constexpr bool is_datagram(transport t) noexcept {
    return t == transport::udp || t == transport::dtls;
}

/// Names a socket or a connection of one shard. The two highest bits say of which kind, the others count each kind by
/// itself: dense (an index), so tables keyed by it are arrays. Ids of what was closed are used again.
enum class socket_id : std::uint32_t {};
inline constexpr socket_id no_socket{0xffffffffU};

enum class socket_kind : std::uint8_t {
    udp,       ///< a listening or a relay socket for datagrams
    tcp_relay, ///< the listening socket of a TCP relayed transport address (RFC 6062)
    stream,    ///< a client's connection over TCP or TLS
    dtls,      ///< a client's DTLS session (RFC 7350)
};
inline constexpr unsigned socket_kind_shift = 30;

constexpr socket_kind kind_of(socket_id id) noexcept {
    return static_cast<socket_kind>(static_cast<std::uint32_t>(id) >> socket_kind_shift);
}
constexpr bool is_stream(socket_id id) noexcept {
    return kind_of(id) == socket_kind::stream;
}
/// One client's own: a stream or a DTLS session. It ends, and bounds and proves its client.
constexpr bool is_connection(socket_id id) noexcept {
    return kind_of(id) >= socket_kind::stream;
}
constexpr socket_id make_socket_id(socket_kind kind, std::uint32_t index) noexcept {
    return socket_id{static_cast<std::uint32_t>(kind) << socket_kind_shift | index};
}
constexpr socket_id stream_id(std::uint32_t index) noexcept {
    return make_socket_id(socket_kind::stream, index);
}
constexpr socket_id dtls_id(std::uint32_t index) noexcept {
    return make_socket_id(socket_kind::dtls, index);
}
/// Its place in an array of its kind.
constexpr std::size_t index_of(socket_id id) noexcept {
    return static_cast<std::uint32_t>(id) & ((1U << socket_kind_shift) - 1);
}

/// Names a TCP connection between a relayed transport address and a peer (RFC 6062). Dense; an id whose connection is
/// over is used again.
enum class peer_connection : std::uint32_t {};

/// Names an allocation to whoever moves its bytes.
struct allocation_place {
    std::uint32_t index = 0;  ///< dense, and used again when the allocation is over
    std::uint64_t number = 0; ///< never used again
};

/// What it has carried so far.
struct peer_traffic {
    std::uint64_t bytes_up = 0;   ///< of application data that the peer got
    std::uint64_t bytes_down = 0; ///< that the client got
    std::uint32_t held_back = 0;  ///< times that one of them was not read until their allocation had bandwidth again
};

/// What CONNECTION-ID says (RFC 6062, 6.2.1): names such a connection to the client. Its highest eight bits are the
/// shard that has the connection, the others are random.
enum class connection_id : std::uint32_t {};
inline constexpr unsigned connection_shard_shift = 24;

constexpr unsigned shard_of(connection_id id) noexcept {
    return static_cast<std::uint32_t>(id) >> connection_shard_shift;
}

/// Bytes that arrived: datagrams, what one DTLS record carried, or one whole message of a stream without the padding
/// behind ChannelData. `stride` > 0
/// means GRO: data is datagrams of `stride` bytes, the last may be shorter. `data` stays valid until the outbox of this
/// batch has been sent.
struct packet {
    socket_id via{};
    transport_address from{};
    bytes data{};
    std::uint16_t stride = 0;
    std::uint8_t traffic_class = 0; ///< DSCP and ECN of its IP header; 0 where nobody looked

    [[nodiscard]] std::size_t segments() const noexcept {
        return stride == 0 || data.size() <= stride ? 1 : (data.size() + stride - 1) / stride;
    }
    [[nodiscard]] bytes segment(std::size_t i) const noexcept {
        if (stride == 0) return data;
        const std::size_t begin = i * stride;
        return data.subspan(begin, data.size() - begin < stride ? data.size() - begin : stride);
    }
};

/// What the network said of a datagram that left through a relay socket: an ICMP error for IPv4, ICMPv6 for IPv6.
struct icmp_error {
    socket_id via{};
    transport_address peer{}; ///< where that datagram was to go; port 0: not known
    std::uint8_t type = 0;
    std::uint8_t code = 0;
    std::uint32_t mtu = 0; ///< of the next hop, when that datagram was too big for it
};

/// Where a datagram belongs in the books.
enum class direction : std::uint8_t {
    up,      ///< relayed, from a client to a peer
    down,    ///< relayed, from a peer to a client
    control, ///< an answer of ours (or a client's request)
};
inline constexpr std::size_t direction_count = 3;

/// Bytes to send: head, body and pad zero bytes as one datagram. Both point into memory that outlives
/// the flush (the received packet, or the outbox's scratch), so relaying copies no payload.
struct datagram {
    socket_id via{};
    transport_address to{};
    bytes head{}; ///< empty, a 4-byte ChannelData header, or a Data indication up to its DATA value
    bytes body{};
    std::uint8_t pad = 0; ///< 0…3 zero bytes behind the body (RFC 8489, 14; RFC 8656, 12.5)
    direction way = direction::control;
    bool dont_fragment = false;     ///< set DF on this one (RFC 8656, 14)
    std::uint8_t traffic_class = 0; ///< DSCP and ECN to leave with; 0: best effort, Not-ECT

    [[nodiscard]] std::size_t size() const noexcept { return head.size() + body.size() + pad; }
};

/// Names a credential look-up in progress; carries a generation, so a late answer meets nobody.
enum class ticket_id : std::uint64_t {};

/// A relay socket is not needed any more, nor are the connections of a TCP relayed transport address.
struct close_socket {
    socket_id id{};
};
/// "Which key has this user?" The views are borrowed: copy what has to live longer.
struct credential_question {
    std::string_view username{}; ///< as the client gives it; empty: it gives the hash instead
    std::string_view realm{};
    /// SHA-256 over username ":" realm, when the client hides its name; only where relay_options::username_anonymity is
    /// set is anybody asked to. The answer then says who that is. RFC 8489, 14.4.
    std::optional<std::array<std::byte, 32>> userhash{};
    /// Of this kind the key has to be: a client that can does not use MD5.
    stun::password_algorithm_number algorithm = stun::password_algorithm_number::md5;
};
/// Answer with relay::credential_found(ticket, …), now or later. The question lives until the outbox is cleared.
struct credential_wanted {
    ticket_id ticket{};
    credential_question question{};
};
/// A connection has an allocation now, or has none any more: those without are bounded and time out.
struct connection_claimed {
    socket_id id{};
    bool by_allocation = false;
};

/// The client's connection and the peer's are one from now on: RFC 6062, 5.4. First the frames of this outbox leave,
/// the answer among them; what came behind the request is the peer's. The core has forgotten the client's.
struct join_connections {
    socket_id client{};
    peer_connection peer{};
    allocation_place of{}; ///< whose bandwidth they share with its others
};
/// A connection has said ConnectionBind with an id of another shard: that one shall have it, the request still to be
/// read. The core has forgotten it.
struct move_connection {
    socket_id id{};
    unsigned shard = 0;
};
/// Nobody wants this connection with a peer; the core has forgotten it.
struct close_peer_connection {
    peer_connection id{};
};

/// Rare orders for the shard; the data path never touches them.
using order = std::variant<close_socket, credential_wanted, connection_claimed, join_connections, move_connection,
                           close_peer_connection>;

/// What the core wants done. Filled by calls of the core, carried out and cleared by the shard.
/// Bounded: nothing here grows after construction; the core stops handling when has_room() is false.
class outbox {
public:
    static constexpr std::size_t largest_answer = 2048; ///< bytes a single control answer may take

    /// `max_datagrams` ≥ 1: how many leave in one flush.
    explicit outbox(std::size_t max_datagrams = 256);

    /// Room for whatever handling one more packet may produce.
    [[nodiscard]] bool has_room() const noexcept {
        return datagrams_.size() < datagrams_.capacity() && frames_.size() < frames_.capacity() &&
               scratch_.size() - used_ >= largest_answer && orders_.size() + orders_of_one_step <= orders_.capacity();
    }
    /// Precondition: has_room() at the start of this step.
    void send(const datagram& d) noexcept { (is_connection(d.via) ? frames_ : datagrams_).push_back(d); }
    void ask(const order& o) noexcept { orders_.push_back(o); }

    /// `n` bytes that live until clear(). Precondition: has_room() and n ≤ largest_answer.
    std::span<std::byte> scratch(std::size_t n) noexcept {
        used_ += n;
        return std::span(scratch_).subspan(used_ - n, n);
    }
    /// Gives back the last `n` bytes of scratch.
    void return_scratch(std::size_t n) noexcept { used_ -= n; }

    [[nodiscard]] std::span<const datagram> datagrams() const noexcept { return datagrams_; }
    /// Messages for connections: each to be written whole to its stream, or as one record of its DTLS session.
    [[nodiscard]] std::span<const datagram> frames() const noexcept { return frames_; }
    [[nodiscard]] std::span<const order> orders() const noexcept { return orders_; }
    [[nodiscard]] bool empty() const noexcept { return datagrams_.empty() && frames_.empty() && orders_.empty(); }
    void clear() noexcept {
        datagrams_.clear();
        frames_.clear();
        orders_.clear();
        used_ = 0;
    }

private:
    static constexpr std::size_t orders_of_one_step = 8;
    std::vector<datagram> datagrams_;
    std::vector<datagram> frames_;
    std::vector<order> orders_;
    std::vector<std::byte> scratch_;
    std::size_t used_ = 0;
};

} // namespace turn
