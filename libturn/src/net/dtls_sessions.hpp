#pragma once
/// A shard's clients over DTLS: what comes to a UDP socket and begins like DTLS, in batches of what was said in it.
/// RFC 7350 and RFC 6347.

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/deadline_queue.hpp"
#include "base/index_table.hpp"
#include "base/mix.hpp"
#include "net/connection_budget.hpp"
#include "net/dtls_hello.hpp"
#include "net/dtls_session.hpp"
#include "net/tls_context.hpp"
#include "turn/counters.hpp"
#include "turn/net/packet_io.hpp"
#include "turn/packet.hpp"

namespace turn::net {

struct dtls_options {
    std::chrono::milliseconds idle{30'000};      ///< without an allocation and without a message
    std::chrono::milliseconds handshake{10'000}; ///< from the ClientHello with the cookie to the first message
    std::chrono::milliseconds first_retransmission = dtls_session::first_retransmission;
};

/// Used by one thread. `budget` is shared with other shards; it and `io`, by which everything leaves, outlive this.
class dtls_sessions {
public:
    /// A client's first message has come.
    struct opened {
        socket_id id{};
        std::uint32_t listener = 0; ///< as listen() numbered it
        transport_address client{};
    };
    /// A session that had been opened is gone.
    struct closed {
        socket_id id{};
        transport_address client{};
    };
    /// To be handled in this order; valid until the next receive(). Ids of `gone` are given out again only then.
    struct arrivals {
        std::size_t taken = 0; ///< packets of the batch that are done; the others want another receive()
        std::span<const opened> come{};
        std::span<const packet> packets{}; ///< what sessions said, and what of the batch is not for them
        std::span<const closed> gone{};
    };

    dtls_sessions(const dtls_options&, connection_budget& budget, packet_io& io);
    ~dtls_sessions();
    dtls_sessions(const dtls_sessions&) = delete;
    dtls_sessions& operator=(const dtls_sessions&) = delete;
    /// From now on; timers that run go on as they were set.
    void reconfigure(const dtls_options& options) noexcept { options_ = options; }

    /// Takes what begins like DTLS on a socket of `io`; with `plain`, leaves other datagrams to others, and else drops
    /// them. Numbers the listeners from 0.
    std::uint32_t listen(socket_id, std::shared_ptr<tls_context>, bool plain);

    /// Whether any of them is to go through receive().
    [[nodiscard]] bool concerns(std::span<const packet> batch) const noexcept;
    /// Takes packets of `batch` in their order, some at least.
    arrivals receive(std::span<const packet> batch, time_point now);
    /// Sessions have ended that no receive() has reported.
    [[nodiscard]] bool more() const noexcept { return !gone_.empty(); }
    /// Each datagram is one message for the session `via`; others than sessions' are passed over.
    void send(std::span<const datagram> messages);
    /// Whether the session's client has an allocation now: if so it may stay as long as it likes.
    void claim(socket_id, bool by_allocation, time_point now);
    void close(socket_id, reason why);
    /// The end: no session is left, and nothing is reported.
    void close_all();
    /// Retransmits and closes what is due; call no later than next_deadline(), and receive() afterwards if more().
    void tick(time_point now);
    /// time_point::max() when nothing waits.
    [[nodiscard]] time_point next_deadline() const noexcept { return deadlines_.next(); }

    [[nodiscard]] const stream_counters& counters() const noexcept { return books_; }
    [[nodiscard]] const dtls_counters& datagram_counters() const noexcept { return datagrams_; }

private:
    struct listening {
        socket_id socket{};
        std::shared_ptr<tls_context> context{};
        bool plain = false;
    };
    struct session {
        std::unique_ptr<dtls_session> crypto{}; ///< null: nobody is here
        transport_address client{};
        std::uint32_t listener = 0;
        std::array<std::byte, 32> random{}; ///< of the ClientHello that began it
        bool known = false;                 ///< reported as opened
        bool claimed = false;               ///< has an allocation, so it is in no budget
        time_point since{};                 ///< begun, or last heard of while it has no allocation
        time_point flight_due = time_point::max();
    };

    [[nodiscard]] const listening* listening_at(socket_id) const noexcept;
    [[nodiscard]] bool is_ours(const packet&) const noexcept;

    void take_segment(const packet&, bytes segment, time_point now);
    void take_hello(const packet&, const dtls_record&, time_point now);
    [[nodiscard]] bool begin(const packet&, const client_hello&, time_point now);
    [[nodiscard]] std::uint32_t new_index();
    void take_records(std::uint32_t index, bytes datagram, std::uint8_t traffic_class, time_point now);
    void heard(std::uint32_t index, const packet& message, time_point now);
    void drop(reason why) noexcept { ++datagrams_.dropped[static_cast<std::size_t>(why)]; }

    void end(std::uint32_t index, reason why) noexcept;
    void say_goodbye(session&) noexcept;
    void send_again(session&) noexcept;
    void forget(std::uint32_t index, reason why) noexcept;
    void reschedule(std::uint32_t index, time_point now);
    [[nodiscard]] std::uint32_t find(std::uint32_t listener, const transport_address& client) const noexcept;
    [[nodiscard]] session* find(socket_id) noexcept;
    [[nodiscard]] index_table::hash hash_of(std::uint32_t listener, const transport_address& client) const noexcept {
        return static_cast<index_table::hash>(mix_(client, listener));
    }
    [[nodiscard]] std::optional<reason> put(const datagram&) noexcept;
    void address(std::uint32_t listener, const transport_address& client, direction way, std::uint8_t traffic_class);
    void answer(std::uint32_t listener, const transport_address& client);
    void flush();

    dtls_options options_;
    connection_budget& budget_;
    packet_io& io_;
    stream_counters books_;
    dtls_counters datagrams_;
    dtls_cookies cookies_;

    std::vector<listening> listeners_;
    std::vector<std::uint32_t> listener_of_; ///< by socket
    std::vector<session> sessions_;          ///< by index_of(socket_id)
    std::vector<std::uint32_t> free_;
    std::vector<std::uint32_t> resting_; ///< ended before they were known: free after the next receive()
    deadline_queue deadlines_;           ///< by session
    index_table by_client_;
    seeded_mix mix_;

    // One round of receive()
    std::vector<std::byte> arena_; ///< where messages lie until the next round
    std::size_t arena_used_ = 0;
    std::vector<opened> come_;
    std::vector<packet> packets_;
    std::vector<closed> gone_;     ///< since the last round
    std::vector<closed> reported_; ///< of this round

    // What is about to leave
    datagram_row row_;
    std::vector<datagram> leaving_; ///< without their bytes, which move while the row grows
};

} // namespace turn::net
