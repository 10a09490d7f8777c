#pragma once
/// The inside of turn::relay, shared by the files of this folder: one file per method, one function per step.

#include <array>
#include <optional>
#include <span>
#include <vector>

#include "base/bandwidth_limit.hpp"
#include "base/deadline_queue.hpp"
#include "base/index_table.hpp"
#include "base/slot_map.hpp"
#include "relay/byte_budget.hpp"
#include "relay/lookups.hpp"
#include "relay/peer_links.hpp"
#include "relay/tables.hpp"
#include "turn/relay.hpp"
#include "turn/stun/attributes.hpp"

namespace turn {

inline constexpr std::size_t largest_datagram = 65507; ///< what fits into a UDP datagram over IPv4
inline constexpr std::size_t largest_record = 16'384;  ///< what fits into a DTLS record: RFC 6347, 4.1

/// The largest message a client can be sent that way.
constexpr std::size_t largest_to(socket_id client) noexcept {
    if (!is_connection(client)) return largest_datagram;
    return is_stream(client) ? stun::header_size + 65535 : largest_record;
}

/// A request's fate: success (code 0), or the ERROR-CODE it is answered with and why.
struct outcome {
    std::uint16_t code = 0;
    reason why = reason::none;
    // What the observer is told beside it.
    transport_address peer{};
    std::string_view rule{};
    std::chrono::seconds expired_for{0};
};
inline constexpr outcome success{};
outcome bad_request(reason why) noexcept;           ///< 400
outcome insufficient_capacity(reason why) noexcept; ///< 508
/// 400 for the attribute that get<>() did not yield.
outcome bad_request(errc error) noexcept;
/// What a user's key may be made with, best first: the PASSWORD-ALGORITHMS of all challenges.
stun::password_algorithms::value_type offered_algorithms() noexcept;

/// What an answer carries beside what every answer carries.
struct reply {
    std::optional<transport_address> mapped{};
    std::array<transport_address, 2> relayed{};
    std::size_t relayed_count = 0;
    std::optional<std::chrono::seconds> lifetime{};
    std::optional<relay_addresses::token> reservation{};
    std::optional<stun::address_error_code::value_type> address_error{};
    stun::unknown_attributes::value_type unknown{};
    std::optional<connection_id> connection{};
    bool later = false; ///< not now: a Connect is answered when the peer has answered
    std::optional<alternate_server> alternate{};
};

/// One request on its way through authentication to its handler. Borrows the message.
struct request {
    const stun::message_view& message;
    five_tuple tuple;
    std::uint32_t listener = 0;
    time_point now{};
    slot_map<allocation>::index slot = no_slot; ///< of the 5-tuple's allocation
    /// The source has shown that it hears us: it owns the allocation, or its nonce is one we sent there.
    bool proven = false;
    std::string_view username{}; ///< empty: as long as a userhash has not been looked up
    std::optional<stun::userhash::value_type> userhash{};
    stun::password_algorithm_number algorithm = stun::password_algorithm_number::md5;
    bool names_algorithm = false;     ///< then the answer is signed with SHA-256, whatever made the key
    stun::credential_key key{};       ///< size 0: the answer is not signed
    const credential* user = nullptr; ///< null: anonymous, or known by the allocation's key

    static constexpr slot_map<allocation>::index no_slot = 0xffffffffU;
};

struct relay::state {
    state(relay_options, relay_services, const stun::nonce_secret&);
    ~state();

    using slot = slot_map<allocation>::index;

    /// What a socket id stands for.
    struct socket_entry {
        /// `clients`: a listener's socket, or a connection of one of its clients.
        enum class kind : std::uint8_t { unknown, clients, relay } what = kind::unknown;
        address_family family{}; ///< of a relay socket
        std::uint32_t index = 0; ///< of the listener or the allocation
    };
    /// `unknown` when nobody told us of it.
    [[nodiscard]] socket_entry entry_of(socket_id id) const noexcept {
        const auto& table = sockets_[static_cast<std::size_t>(kind_of(id))];
        const std::size_t i = index_of(id);
        return i < table.size() ? table[i] : socket_entry{};
    }
    /// Makes room for it, so that set_entry() cannot fail. May throw std::bad_alloc.
    void reserve_entry(socket_id id);
    void set_entry(socket_id id, const socket_entry& entry) noexcept {
        sockets_[static_cast<std::size_t>(kind_of(id))][index_of(id)] = entry;
    }

    // relay.cpp: demultiplex and forward
    void handle_segment(const packet&, bytes segment, const socket_entry&, slot& found, time_point now, outbox&);
    void from_client(const packet&, bytes segment, std::uint32_t listener, slot& found, time_point now, outbox&);
    void channel_data_up(const packet&, bytes segment, slot, time_point now, outbox&);
    void stun_message(const packet&, bytes segment, std::uint32_t listener, slot& found, time_point now, outbox&);
    void indication(const packet&, const stun::message_view&, slot, time_point now, outbox&);
    void from_peer(const packet&, bytes segment, const socket_entry&, time_point now, outbox&);
    void drop(direction, reason) noexcept;
    /// Likewise, in the allocation's books, too. `slot` may be no_slot.
    void drop(allocation&, direction, reason) noexcept;
    void drop(slot, direction, reason) noexcept;
    /// Books one datagram with `size` bytes of application data: as relayed, for the allocation and for the relay, or
    /// as dropped because it is over the allocation's bandwidth. Returns whether it is to be relayed.
    [[nodiscard]] bool admit(allocation& a, direction way, std::size_t size, time_point now) noexcept {
        if (!bandwidth_.spend(a.bandwidth[static_cast<std::size_t>(way)], size, now)) {
            drop(a, way, reason::bandwidth);
            return false;
        }
        const bool up = way == direction::up;
        ++(up ? a.used.packets_up : a.used.packets_down);
        (up ? a.used.bytes_up : a.used.bytes_down) += size;
        auto& relayed = books_.relayed[static_cast<std::size_t>(way)];
        ++relayed.packets;
        relayed.bytes.add(size);
        return true;
    }
    /// Where books by transport count the clients of a listener.
    [[nodiscard]] std::size_t transport_of(std::uint32_t listener) const noexcept {
        return static_cast<std::size_t>(listeners_[listener].protocol);
    }
    [[nodiscard]] slot find(const five_tuple&) const noexcept;
    void look_ahead(std::span<const packet> next) const noexcept;
    static constexpr std::size_t group_ahead = 16; ///< packets; not more than the processor fetches lines for at a time
    static constexpr std::size_t many_allocations = 2048; ///< fewer live in the cache, and looking ahead only costs

    // indication.cpp
    void send_indication(const packet&, const stun::message_view&, slot, time_point now, outbox&);
    /// Precondition: out.has_room().
    void data_indication(allocation&, const packet& from_peer, bytes data, time_point now, outbox&);

    /// Precondition: out.has_room().
    void icmp_arrived(const icmp_error&, time_point now, outbox&);
    [[nodiscard]] reason why_not_told(const icmp_error&, time_point now) noexcept;

    // authenticate.cpp
    void authenticate(request&, outbox&);
    /// Whether the allocation's key is the one that the request has to be signed with.
    [[nodiscard]] static bool has_key_for(const request&, const allocation&) noexcept;
    void looked_up(request&, const credential_answer&, outbox&);
    void verify(request&, const credential_answer&, outbox&);
    void authenticated(request&, outbox&);
    void park(request&, outbox&);
    [[nodiscard]] outcome integrity_failure(reason why) const noexcept;
    /// Verifies with the first key that fits and puts it into r.key.
    [[nodiscard]] bool verify_with(request&, const credential&) const noexcept;

    // One file per method
    outcome binding(const request&, reply&);
    /// 420 when the request has comprehension-required attributes that we do not know. RFC 8489, 6.3.1.
    [[nodiscard]] outcome require_known(const request&, reply&) const noexcept;
    outcome allocate(request&, reply&, outbox&);
    /// 300 when the policy knows of another server for it, else success.
    [[nodiscard]] outcome redirect(const request&, reply&) const;
    outcome refresh(request&, reply&, outbox&);
    outcome create_permission(request&);
    outcome channel_bind(request&);

    // tcp.cpp: RFC 6062
    outcome connect(request&, reply&, outbox&);
    outcome connection_bind(request&, outbox&);
    /// Whether another shard has the connection that a ConnectionBind names: then that one shall have the client's.
    [[nodiscard]] bool moves_on(const request&, outbox&) noexcept;
    /// The allocation whose key may sign the request: that of its 5-tuple, or of the connection it wants to bind.
    [[nodiscard]] const allocation* signed_for(const request&) const noexcept;
    void peer_connected(peer_connection, time_point now, outbox&);
    void peer_unreachable(peer_connection, reason why, time_point now, outbox&);
    void peer_arrived(peer_connection, socket_id relay, const transport_address& peer, time_point now, outbox&);
    void peer_gone(peer_connection, const peer_traffic&) noexcept;
    void answer_connect(const peer_link&, std::span<const std::byte> bytes_of_request, const outcome&, time_point now,
                        outbox&);
    void attempt_indication(const peer_link&, outbox&);
    /// Keeps a new connection, or throws std::bad_alloc, then nothing has changed.
    peer_link& keep_link(peer_connection, slot owner, const transport_address& peer, time_point now);
    void wait_for_bind(peer_connection, time_point now) noexcept;
    void refuse_connect(peer_connection, const outcome&, time_point now, outbox&);
    void expire(peer_connection, time_point now, outbox&);
    [[nodiscard]] bool judge_links_again(allocation&, time_point now, outbox&) noexcept;
    /// Forgets it, whatever its state; its traffic so far becomes the allocation's.
    void forget_link(peer_connection) noexcept;
    void forget_links(allocation&, address_family) noexcept;
    [[nodiscard]] peer_traffic traffic_of_links(const allocation&) const noexcept;

    // answer.cpp
    void answer(const request&, const outcome&, const reply&, outbox&);

    // lifetimes.cpp: what is alive and when it ends
    void serve_clients(socket_id, listener_id);
    /// Forgets a connection and its look-ups, for ever or for another shard.
    void forget_client(socket_id) noexcept;
    void disconnected(socket_id, const transport_address& client, time_point now, outbox&) noexcept;
    void schedule(slot) noexcept;
    void expire(slot, time_point now, outbox&) noexcept;
    void end_family(slot, address_family, outbox&) noexcept;
    void end_allocation(slot, allocation_end, time_point now, outbox&) noexcept;
    void lookup_timed_out(lookup_table::index, time_point now, outbox&) noexcept;
    void tick(time_point now, outbox&) noexcept;
    [[nodiscard]] allocation_info describe(const allocation&) const noexcept;
    [[nodiscard]] usage usage_of(const allocation&, time_point now) const noexcept;

    // report.cpp: what the outside may know of allocations
    [[nodiscard]] bool fits(const allocation&, const allocation_filter&) const noexcept;
    [[nodiscard]] allocation_report report_of(const allocation&, time_point now) const;
    [[nodiscard]] std::chrono::seconds granted_lifetime(std::optional<std::chrono::seconds> wanted) const noexcept;

    // permission.cpp, also used by channel_bind
    /// 443 or 403 when data may not be exchanged with `peer`, else success. Keeps the rule's text in rule_.
    outcome may_reach(const allocation&, const transport_address& peer, bool any_port);
    void purge_expired(allocation&, time_point now) noexcept;
    void install_permission(allocation&, const transport_address& peer, time_point now);
    /// False: `out` has no room for all of it; call again.
    [[nodiscard]] bool judge_peers_again(slot, time_point now, outbox&) noexcept;

    // Ids in the deadline queue: look-ups first, then allocations and connections with peers by turns.
    [[nodiscard]] deadline_queue::id deadline_of_lookup(lookup_table::index i) const noexcept { return i; }
    [[nodiscard]] deadline_queue::id deadline_of(slot s) const noexcept {
        return static_cast<deadline_queue::id>(lookups_.max()) + 2 * s;
    }
    [[nodiscard]] deadline_queue::id deadline_of(peer_connection c) const noexcept {
        return static_cast<deadline_queue::id>(lookups_.max()) + 2 * static_cast<std::uint32_t>(c) + 1;
    }

    relay_options options_;
    relay_services services_;
    stun::nonce_issuer nonces_;
    relay_counters books_;
    std::vector<listener_options> listeners_;
    std::array<std::vector<socket_entry>, 4> sockets_; ///< by socket_kind and index_of(socket_id)
    slot_map<allocation> allocations_;
    five_tuple_hash hash_;
    index_table by_tuple_;
    lookup_table lookups_;
    peer_links links_{};
    deadline_queue deadlines_;
    byte_budget budget_;
    bandwidth_limit bandwidth_;
    stun::credential_key dummy_key_{}; ///< for unknown users, so that they cost what known ones cost
    std::uint64_t next_allocation_;
    std::uint64_t next_indication_ = 0; ///< transaction ids of Data indications: unique, nothing more is needed
    std::string rule_{};                ///< peer_verdict::rule of the last refusal
    bool draining_ = false;
};

} // namespace turn
