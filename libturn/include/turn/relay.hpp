#pragma once
/// The TURN server of one shard as a value: packets and time in, an outbox out. RFC 8656.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "turn/allocation_report.hpp"
#include "turn/counters.hpp"
#include "turn/observer.hpp"
#include "turn/packet.hpp"
#include "turn/peer_policy.hpp"
#include "turn/quota.hpp"
#include "turn/result.hpp"
#include "turn/stun/credentials.hpp"

namespace turn {

/// Who asks for an allocation. Views live until the call returns.
struct redirect_question {
    transport_address client{};
    transport_address server{}; ///< the listener the client speaks to
    transport protocol = transport::udp;
    std::string_view username{}; ///< has proven to be this user
    std::string_view realm{};
};
/// Another server, which is to be asked instead. RFC 8489, 10.
struct alternate_server {
    transport_address address{}; ///< of the family that the client speaks
    /// The same server under the other family.
    std::optional<transport_address> other_family{};
    /// A name in its certificate, when that is not ours: clients over TLS and DTLS are told, if they know RFC 8489.
    std::string domain{};
};
/// Whom an Allocate is sent to (300 Try Alternate); nothing: it is served here. Called on shard threads, several at
/// once: do not block. An exception that leaves it, and an address of another family, count as nothing.
using redirect_policy = std::function<std::optional<alternate_server>(const redirect_question&)>;

struct relay_options {
    std::string software = "libturn";              ///< SOFTWARE; empty: none. No version in it (RFC 8489, 14.14)
    std::chrono::seconds default_lifetime{600};    ///< RFC 8656, 3.2
    std::chrono::seconds max_lifetime{3600};       ///< RFC 8656, 7.2
    std::chrono::seconds permission_lifetime{300}; ///< fixed by RFC 8656, 9
    std::chrono::seconds channel_lifetime{600};    ///< fixed by RFC 8656, 12
    std::chrono::seconds nonce_lifetime{3600};     ///< RFC 8656, 5: at least once every hour
    std::chrono::seconds credential_timeout{10};   ///< how long a look-up may take
    std::uint16_t integrity_failure_code = 401;    ///< or 431, also for unknown users
    /// Clients may have SHA-256 instead of MD5: the credential source must have both keys. RFC 8489, 9.2.4.
    bool password_algorithms = true;
    /// Clients are asked to send USERHASH: the credential source must find users by it. RFC 8489, 9.2.4.
    bool username_anonymity = false;
    bool relaying = true;                  ///< false: Binding only
    bool anonymous = false;                ///< true: no credentials asked for (RFC 8656, 7.2 item 1)
    std::size_t max_allocations = 100'000; ///< in this relay
    std::size_t permissions_per_allocation = 64;
    std::size_t channels_per_allocation = 64;
    bool tcp_relay = false;                      ///< true: TCP allocations (RFC 6062), too
    std::size_t connections_per_allocation = 64; ///< with peers, of a TCP allocation
    /// Bits of payload per second in each direction, a datagram counting for at least 64 bytes; 0: no limit. A quarter
    /// of a second's worth may come at once, and at least 64 KiB. More is dropped: reason bandwidth. What TCP
    /// allocations carry does not come here; turn::server reads it later.
    std::uint64_t bandwidth_per_allocation = 0;
    std::size_t max_lookups = 4096;                           ///< pending credential look-ups in this relay
    std::size_t unauthenticated_bytes_per_second = 1'048'576; ///< answers to one unproven /24 or /56; 0: no limit
    std::vector<address_prefix> unauthenticated_exempt{};
    peer_policy peers{};
    redirect_policy redirect{}; ///< empty: nobody is sent away
};

/// One listener of this relay.
struct listener_options {
    transport_address local{}; ///< the server's address in the 5-tuple
    std::string realm{};       ///< REALM, RFC 8489, 14.9; required unless anonymous or not relaying
    transport protocol = transport::udp;
};
/// Names a listener of one relay.
enum class listener_id : std::uint32_t {};

/// What a relayed transport address should be like. RFC 8656, 18.7.
enum class port_wish : std::uint8_t { any, even, even_and_reserve_next };

/// What the core must ask for and have at once: a relayed transport address, and connections from there.
class relay_addresses {
public:
    using token = std::array<std::byte, 8>;
    struct bound {
        socket_id id{};
        transport_address address{};        ///< as the client is told (advertised)
        std::optional<token> reservation{}; ///< even_and_reserve_next: redeems the next higher port for 30 s
    };
    virtual ~relay_addresses() = default;
    /// Whether relays of this family exist at all (else 440).
    [[nodiscard]] virtual bool supports(address_family) const noexcept = 0;
    /// `relayed`: udp, or tcp: then the address listens (RFC 6062, 5.1), and the id's kind is tcp_relay.
    /// Errors: no_capacity (no such port), io (no descriptor).
    virtual result<bound> bind(address_family, transport relayed, port_wish, time_point now) noexcept = 0;
    /// The reserved address behind a token, once. Errors: not_found, io.
    virtual result<bound> redeem(const token&, time_point now) noexcept = 0;
    /// Takes back what bind() or redeem() gave when the allocation is not made after all, its reservation included.
    virtual void cancel(const bound&) noexcept = 0;

    /// Begins a TCP connection from a relayed transport address to a peer. What becomes of it is told by
    /// relay::peer_connected() or peer_unreachable(), never from within this call; after 30 s at the earliest it is
    /// given up. Errors: no_capacity (no descriptor), io (the network is unreachable at once). Asked only with
    /// relay_options::tcp_relay, as is traffic_of().
    virtual result<peer_connection> connect(socket_id /*relay*/, const transport_address& /*peer*/,
                                            time_point /*now*/) noexcept {
        return errc::io;
    }
    [[nodiscard]] virtual peer_traffic traffic_of(peer_connection) const noexcept { return {}; }
};

/// What the server knows of a user. RFC 8489, 9.2.
struct credential {
    stun::credential_key key{};
    /// Whom the allocation counts for, when not the username itself (the user in a time-limited credential).
    std::string account{};
    std::size_t allocation_limit = 0; ///< 0: the server's limit per user
    /// Other keys this user may sign with (a shared secret being rolled over). Tried in order after `key`; the first
    /// that verifies becomes the allocation's.
    std::vector<stun::credential_key> alternatives{};
    /// Whose it is; only to a question by userhash.
    std::string username{};
};

/// The answer to a look-up: a credential, or why there is none.
/// reason: unknown_user, expired (→ 401), or credential_source_failed (→ 500).
struct credential_answer {
    credential_answer(credential c) : found(std::move(c)) {}
    credential_answer(std::optional<credential> c) : found(std::move(c)) {}
    credential_answer(std::nullopt_t) {}
    credential_answer(reason why_not, std::chrono::seconds since = {}, std::size_t keys = 1)
        : why(why_not), expired_for(since), keys_to_try(keys) {}

    std::optional<credential> found{};
    reason why = reason::unknown_user;
    std::chrono::seconds expired_for{0};
    /// Without a credential: how many keys a user of this source has, so that refusing an unknown user costs as many
    /// HMACs as refusing a wrong password.
    std::size_t keys_to_try = 1;
};

/// What a relay shares with others; all of it outlives the relay.
struct relay_services {
    relay_addresses& addresses;
    allocation_quota& quota;
    observer* events = nullptr;
    /// The relay's allocation ids are first, first + step, …: relays side by side number without a common counter.
    std::uint64_t first_allocation_id = 1;
    std::uint64_t allocation_id_step = 1;
    /// Which of how many relays side by side this one is: CONNECTION-IDs tell whose connection they name.
    unsigned shard = 0;
    unsigned shards = 1;
};

/// How far a batch has been handled: `packet` whole packets, and `segment` segments of the next one.
struct batch_cursor {
    std::size_t packet = 0;
    std::size_t segment = 0;
};

class relay {
public:
    relay(relay_options, relay_services, const stun::nonce_secret&);
    ~relay();
    relay(relay&&) noexcept;

    /// Packets that arrive on `id` are a client's. Before the first handle().
    listener_id add_listener(socket_id id, listener_options);
    /// A listener whose clients come by connections of their own (TCP, TLS, DTLS). Before the first handle().
    listener_id add_stream_listener(listener_options);

    /// Packets that arrive on `id`, a stream or a DTLS session, are those of one client of that listener. False: no
    /// memory for it; close the connection.
    [[nodiscard]] bool connected(socket_id id, listener_id) noexcept;
    /// The connection is gone, and its allocation with it (RFC 8656, 3.1). Needs out.has_room().
    void disconnected(socket_id id, const transport_address& client, time_point now, outbox& out) noexcept;

    // RFC 6062: what became of connections with peers. Each needs out.has_room().
    /// What relay_addresses::connect() began is there,
    void peer_connected(peer_connection, time_point now, outbox& out) noexcept;
    /// or it is not, and its id is free.
    void peer_unreachable(peer_connection, bool timed_out, time_point now, outbox& out) noexcept;
    /// A peer has connected to the relayed transport address `via`. Unless close_peer_connection is ordered, the id
    /// is the core's from now on.
    void peer_arrived(peer_connection, socket_id via, const transport_address& peer, time_point now,
                      outbox& out) noexcept;
    /// A connection that was there, bound or not, has ended; its id is free. Unknown ones do nothing.
    void peer_gone(peer_connection, const peer_traffic& carried) noexcept;

    /// Handles datagrams of `batch` from `at` on, until the end or until `out` is full; moves `at`.
    /// Appends to `out`; never blocks, throws or reads a clock. Call again after a flush until at.packet ==
    /// batch.size().
    void handle(std::span<const packet> batch, batch_cursor& at, time_point now, outbox& out) noexcept;

    /// An ICMP error about a datagram that an allocation has sent: its client is told if it may send there. RFC 8656,
    /// 11.5. Needs out.has_room().
    void icmp_arrived(const icmp_error&, time_point now, outbox& out) noexcept;

    /// Answer to credential_wanted. An unknown or outdated ticket does nothing. Needs out.has_room().
    void credential_found(ticket_id, const credential_answer&, time_point now, outbox&) noexcept;
    /// Ends what expired by `now`, as far as `out` has room. Call no later than next_deadline().
    void tick(time_point now, outbox& out) noexcept;
    /// time_point::max() when nothing waits.
    [[nodiscard]] time_point next_deadline() const noexcept;

    /// Takes over what may change while a relay runs: nonce_lifetime, integrity_failure_code, password_algorithms,
    /// username_anonymity, max_allocations, the two limits per allocation, connections_per_allocation,
    /// bandwidth_per_allocation, unauthenticated_bytes_per_second and _exempt, peers. Whatever is above a lower limit
    /// stays until it ends. May throw std::bad_alloc, then nothing has changed.
    void reconfigure(const relay_options&);
    /// After that: of the next `places` places from `at` on, removes permissions and channels of peers that the policy
    /// refuses now, so that their data is dropped as if the client had never named them, and closes connections with
    /// them; moves `at` as far as `out` has room.
    void judge_peers_again(allocation_cursor& at, std::size_t places, time_point now, outbox& out) noexcept;

    /// No new allocations from now on (508, reason draining); existing ones live on.
    void stop_accepting() noexcept;
    /// Ends allocations of one user (the username, or the account behind it), or of everybody, as far as `out` has
    /// room; returns whether any are left to end.
    bool end_allocations_of(std::string_view realm, std::string_view username, time_point now, outbox&) noexcept;
    bool end_all_allocations(time_point now, outbox&) noexcept;
    /// Looks for one allocation in the next `places` places from `at` on, moves `at`, and ends it. Returns whether it
    /// did. Needs out.has_room().
    bool end_allocation(allocation_id, allocation_cursor& at, std::size_t places, time_point now, outbox&) noexcept;
    /// Appends reports of allocations that fit to `found` until it has `most`; looks at the next `places` places from
    /// `at` on, and moves `at`. May throw std::bad_alloc.
    void report(const allocation_filter&, allocation_cursor& at, std::size_t places, std::size_t most, time_point now,
                std::vector<allocation_report>& found) const;

    [[nodiscard]] const relay_counters& counters() const noexcept;

private:
    struct state;
    std::unique_ptr<state> state_;
};

} // namespace turn
