#pragma once
/// A TURN client for one 5-tuple, sans-IO like `relay`: bytes and time in, an outbox out. RFC 8656, 7 to 12.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "turn/packet.hpp"
#include "turn/result.hpp"
#include "turn/stun/message.hpp"

namespace turn {

struct client_options {
    transport_address server{};
    /// Put into every datagram, so many clients can share an outbox. A stream's (TCP, TLS): what the client wants sent
    /// is in outbox::frames(), and what is handed to it are whole messages.
    socket_id via{};
    std::string username{};
    std::string password{};
    std::string software{};                         ///< SOFTWARE; empty: none
    bool fingerprint = false;                       ///< FINGERPRINT on every request
    std::chrono::milliseconds rto{500};             ///< RFC 8489, 6.2.1: first retransmission time-out
    unsigned rc = 7;                                ///< RFC 8489, 6.2.1: requests sent at most
    unsigned rm = 16;                               ///< RFC 8489, 6.2.1: last wait, in RTO
    std::optional<std::chrono::seconds> lifetime{}; ///< LIFETIME to ask for
    bool keep_alive = true;                         ///< refresh allocation, permissions and channels before they end
};

/// What an Allocate asks for beside UDP. RFC 8656, 7.1.
struct allocate_wishes {
    std::optional<address_family> family{};          ///< REQUESTED-ADDRESS-FAMILY
    bool additional_ipv6 = false;                    ///< ADDITIONAL-ADDRESS-FAMILY
    std::optional<bool> even_port{};                 ///< EVEN-PORT; true: reserve the next one
    std::optional<std::array<std::byte, 8>> token{}; ///< RESERVATION-TOKEN
    bool dont_fragment = false;
    bool tcp = false; ///< REQUESTED-TRANSPORT is TCP: RFC 6062, 4.1. Over a stream, without the three above
};

class client {
public:
    // What ends a transaction names it in `id`, as the call that began it did.
    struct mapped {
        transport_address address;
        stun::transaction_id id{};
    }; ///< answer to bind()
    struct allocated {
        transport_address relayed, mapped;
        transport_address relayed_additional{}; ///< port 0: none
        std::uint16_t additional_error = 0;     ///< ADDRESS-ERROR-CODE, 0: none
        std::chrono::seconds lifetime{};
        std::optional<std::array<std::byte, 8>> token{};
        stun::transaction_id id{};
    };
    struct refreshed {
        std::chrono::seconds lifetime;
        stun::transaction_id id{}; ///< all zero: nobody asked, it has expired
    };                             ///< 0: the allocation is gone
    struct permitted {
        stun::transaction_id id{};
    };
    struct channel_bound {
        std::uint16_t number;
        transport_address peer;
        stun::transaction_id id{};
    };
    struct connected {
        transport_address peer;
        connection_id connection; ///< for bind_connection(), within 30 s
        stun::transaction_id id{};
    }; ///< answer to connect()
    struct connection_attempted {
        transport_address peer;
        connection_id connection; ///< for bind_connection(), within 30 s
    };                            ///< a peer has connected: RFC 6062, 4.4
    struct connection_bound {
        stun::transaction_id id{};
    }; ///< answer to bind_connection(): what follows on this stream is the peer's
    struct peer_data {
        transport_address from;
        bytes data;
    }; ///< borrows the packet given to handle()
    /// The network could not deliver what we sent to a peer: RFC 8656, 11.6. ICMP's numbers, or ICMPv6's where the peer
    /// is of IPv6. Anybody on the way may forge it: a hint.
    struct peer_unreachable {
        transport_address peer; ///< port 0: the server does not know it
        std::uint8_t type;
        std::uint8_t code;
        std::uint32_t mtu; ///< of the next hop, when the datagram was too big for it; else 0
    };
    struct failed { ///< a transaction that ended badly
        stun::method method;
        std::uint16_t code;      ///< ERROR-CODE; 0: no answer came
        std::string_view phrase; ///< borrows the packet
        stun::transaction_id id{};
    };
    /// Not an end: the server has named another one for this Allocate (RFC 8489, 10), and it is asked instead, as is
    /// all else that is under way. What the first one still says is of no use.
    struct redirected {
        transport_address server;
        std::string_view domain; ///< what to look for in its certificate; empty: as before. Borrows the packet
        stun::transaction_id id{};
    };
    using event = std::variant<mapped, allocated, refreshed, permitted, channel_bound, connected, connection_attempted,
                               connection_bound, peer_data, peer_unreachable, failed, redirected>;

    static constexpr std::size_t max_transactions = 16;      ///< in flight
    static constexpr std::size_t max_peers_per_request = 40; ///< in one permit()

    explicit client(client_options);
    ~client();
    client(client&&) noexcept;
    client& operator=(client&&) noexcept;

    /// Each starts one transaction and writes its request into the outbox; the event with its outcome comes from
    /// handle() or tick(). 401 and 438 are answered within the transaction as RFC 8489, 9.2.5 says, with SHA-256 and
    /// without the user's name where the server can; a 401 to a signed request and a 431 end it. A request that finds
    /// the outbox full leaves with the next tick(). Returns the transaction id of the first request sent, which
    /// the event names again; all zero when nothing was started because as much as the client can keep is in flight,
    /// permitted or bound already.
    stun::transaction_id bind(time_point now, outbox&); ///< Binding
    stun::transaction_id allocate(const allocate_wishes&, time_point now, outbox&);
    stun::transaction_id refresh(std::chrono::seconds lifetime, std::optional<address_family>, time_point now, outbox&);
    stun::transaction_id permit(std::span<const transport_address> peers, time_point now, outbox&);
    stun::transaction_id bind_channel(std::uint16_t number, const transport_address& peer, time_point now, outbox&);

    /// RFC 6062, 4.3: has the server connect to a peer, which may take it 30 s.
    stun::transaction_id connect(const transport_address& peer, time_point now, outbox&);
    /// RFC 6062, 4.3: on a client that for_data_connection() has made, as the only thing that is ever asked of it.
    stun::transaction_id bind_connection(connection_id, time_point now, outbox&);
    /// A client for another connection to the same server, with our credentials and what the server has told us of
    /// realm and nonce.
    [[nodiscard]] client for_data_connection(socket_id via) const;

    /// Application data to a peer: ChannelData when a channel is bound, else a Send indication. The bytes are
    /// referred to, not copied: keep them until the outbox is flushed. Needs out.has_room().
    /// Errors: not_found (nothing allocated), no_capacity (too large for a datagram).
    result<void> send(const transport_address& peer, bytes data, outbox&);
    /// Always a Send indication.
    result<void> send_indication(const transport_address& peer, bytes data, bool dont_fragment, outbox&);

    /// Bytes from the server, one datagram. What is not ours, or not signed as it must be, is dropped.
    std::optional<event> handle(bytes datagram, time_point now, outbox&);
    /// Retransmits (RFC 8489, 6.2.1) and refreshes (their success is no event); an allocation that expired is
    /// refreshed{0}. Call again while it returns an event.
    std::optional<event> tick(time_point now, outbox&);
    /// time_point::max() when nothing waits.
    [[nodiscard]] time_point next_deadline() const noexcept;

    /// After `redirected` over TCP, TLS or DTLS: a connection to server() is there, and `via` names it. What waits for
    /// it, or was begun since, is sent. Without this call nothing is, and nothing times out either.
    void reconnected(socket_id via, time_point now, outbox&);
    /// Where requests go: client_options::server, or the server that it named instead.
    [[nodiscard]] const transport_address& server() const noexcept;

    /// Whether an allocation is alive as far as we know.
    [[nodiscard]] bool has_allocation() const noexcept;
    /// REALM of the last challenge, for diagnosis.
    [[nodiscard]] std::string_view realm() const noexcept;

private:
    struct state;
    std::unique_ptr<state> state_;
};

} // namespace turn
