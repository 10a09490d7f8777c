#pragma once
/// A TURN server to embed. Thread-per-core inside; this interface may be used from any thread.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "turn/allocation_report.hpp"
#include "turn/certificate.hpp"
#include "turn/counters.hpp"
#include "turn/net/packet_io.hpp"
#include "turn/observer.hpp"
#include "turn/relay.hpp"

namespace turn {

/// Two listeners on one address, one for TCP and one for TLS, or one for UDP and one for DTLS, share a port: the first
/// byte tells them apart.
struct listener {
    transport protocol = transport::udp;
    /// 0.0.0.0 and :: stand for one socket per address of this machine's interfaces at start. Port 0: any.
    transport_address local{};
    std::string realm{}; ///< empty: server_options::realm
    /// TLS and DTLS: at least one. The first serves clients that name no server, or one that no certificate is for. The
    /// files are looked at every server_options::certificate_check; changed ones are used for new connections.
    std::vector<certificate_files> certificates{};
};

/// What connections (TCP, TLS, DTLS) may cost. Sums over all shards.
struct connection_limits {
    std::size_t without_allocation = 4096; ///< connections without an allocation at a time, unfinished handshakes too
    std::size_t per_source = 256;          ///< of those, from one IPv4 address or IPv6 /64
    std::chrono::seconds idle{30};         ///< without an allocation, how long without a message
    std::chrono::seconds handshake{10};    ///< how long a TLS or DTLS handshake and the first message may take
    std::size_t queue_bytes = 524'288;     ///< what may wait for one slow reader; then its oldest media is dropped
    std::chrono::milliseconds queue_age{2000}; ///< media that waited longer is dropped
};

/// Where relays are bound, and what clients are told (static NAT). Ports are ignored.
struct relay_address {
    transport_address bind{};
    std::optional<transport_address> advertised{};
};

/// One shot: call it once, from any thread, at once or later. Calls after the server's end do nothing.
using credential_reply = std::function<void(credential_answer)>;
/// Called on shard threads, several at once: do not block. An exception that leaves it counts as the answer
/// credential_source_failed. An empty function means: no user exists.
using credential_source = std::function<void(const credential_question&, credential_reply)>;

struct server_options {
    std::string realm{}; ///< for listeners without their own; required when relaying with credentials
    relay_options relay{};
    std::vector<listener> listeners{};
    /// Empty: the source address of each family's default route; no default route: that family's loopback is not
    /// tried, and without any family start() fails.
    std::vector<relay_address> relay_addresses{};
    std::uint16_t relay_port_min = 49152;
    std::uint16_t relay_port_max = 65535;
    std::size_t allocations_total = 0;    ///< 0: as many as ports and descriptors allow, at most 100 000
    std::size_t allocations_per_user = 0; ///< 0: no limit
    unsigned threads = 0;                 ///< 0: one per core
    net::packet_io_options io{};
    connection_limits connections{};
    std::chrono::seconds certificate_check{10}; ///< how often certificate files are looked at; 0: never
    credential_source credentials{};
    observer* events = nullptr; ///< must outlive the server
};

/// Why a server did not start, in words an operator can act on.
struct start_error {
    std::string what{};   ///< e.g. "listener 192.0.2.1:3478: address already in use"
    int system_error = 0; ///< errno; 0: none
};

/// What a running server is made of, for start-up summaries and status.
struct server_description {
    struct family_relay {
        transport_address bind{}, advertised{};
        bool from_default_route = false;
    };
    struct listening {
        transport_address local{};
        transport protocol = transport::udp;
        std::string realm{};
    };
    std::vector<listening> listeners{}; ///< wildcards expanded, ports known
    std::vector<family_relay> relays{};
    std::uint16_t relay_port_min = 0, relay_port_max = 0;
    std::size_t capacity = 0;        ///< allocations: min(limit, ports × relay addresses, descriptors)
    std::string capacity_bound_by{}; ///< "allocations-total", "relay ports", "file descriptors"
    std::size_t descriptor_limit = 0;
    unsigned shards = 0;
    net::abilities kernel{};
    std::vector<std::string> warnings{}; ///< e.g. no IPv6 on this machine, private relay address without `allow`
};

/// Sums over all shards, taken without stopping them.
struct server_totals {
    relay_totals relay{};
    net_totals net{};
    stream_totals streams{}; ///< DTLS sessions, too
    dtls_totals dtls{};
    peer_connection_totals peers{}; ///< connections of TCP allocations
    shard_totals shards{};
    std::vector<relay_totals> relay_by_shard{};
    std::vector<net_totals> net_by_shard{};
    std::vector<stream_totals> streams_by_shard{};
    std::vector<peer_connection_totals> peers_by_shard{};
    std::vector<dtls_totals> dtls_by_shard{};
    std::size_t ports_in_use = 0; ///< of relay addresses, reserved ones included
    std::size_t ports_peak = 0;   ///< the most there were at once
    std::size_t quota_in_use = 0;
    std::size_t capacity = 0;     ///< server_description::capacity, or what reconfigure() made of it
    std::size_t reservations = 0; ///< ports held for RESERVATION-TOKENs
};

class server {
public:
    static result<server, start_error> start(server_options);
    ~server(); ///< ends every allocation and joins the threads
    server(server&&) noexcept;
    server& operator=(server&&) noexcept;

    /// Takes over what may change while a server runs, and nothing else of these options: of `relay` what
    /// relay::reconfigure() names, allocations_total, allocations_per_user and connections. New limits hold for what
    /// comes: no allocation and no connection is ended for them. But a peer that the policy refuses now is cut off at
    /// once: its permissions and channels are removed. Waits for the shards, a second at most (see allocations()).
    /// An error, in words as for start(): nothing has changed.
    result<void, start_error> reconfigure(const server_options&);
    void stop_accepting(); ///< drain: no new allocations; existing ones live on
    /// `username`: as the client gives it, or the account behind it (the user in a time-limited credential).
    void end_allocations_of(std::string_view realm, std::string_view username);
    /// Ends one allocation (allocation_end::kicked). False: there is none of that id, or the server has stopped.
    bool end_allocation(allocation_id);
    /// At most `most` of the allocations that fit, in no order. Asks the shards, which look a little at a time between
    /// packets, and waits for them for a second at most: then it returns what has come. Not from callbacks of the
    /// server (credential_source, observer): the shard that calls them would wait for itself.
    [[nodiscard]] std::vector<allocation_report> allocations(const allocation_filter& = {},
                                                             std::size_t most = 1000) const;
    [[nodiscard]] std::optional<allocation_report> allocation(allocation_id) const;
    /// Looks at the certificate files now. Returns an error in words for each listener whose new files cannot be used;
    /// it goes on with what it has.
    std::vector<std::string> reload_certificates();
    struct certificate_expiry {
        transport_address listener{}; ///< of those that share certificates (a wildcard's), the first
        std::chrono::system_clock::time_point expires{};
    };
    /// When the first of the certificates in use at each TLS or DTLS listener ends; a chain's others are not looked at.
    [[nodiscard]] std::vector<certificate_expiry> certificate_expiries() const;
    /// Ends every allocation, reservation and thread, and waits for that. Nothing is answered any more; totals() stay
    /// to be read, and show whether everything was given back.
    void stop();
    /// Whether every thread has done what the last call asked of it, and asks again: a watchdog's question. The first
    /// call has nothing to go by and says yes. One thread at a time.
    [[nodiscard]] bool alive();
    [[nodiscard]] std::size_t allocation_count() const;
    [[nodiscard]] server_totals totals() const;
    [[nodiscard]] const server_description& description() const;

private:
    struct impl;
    explicit server(std::unique_ptr<impl>) noexcept;
    std::unique_ptr<impl> impl_;
};

} // namespace turn
