#pragma once
/// A relay with TCP allocations (RFC 6062), its clients' connections and its peers', without any socket. The books are
/// checked after every step.

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "support/fake_addresses.hpp"
#include "support/invariants.hpp"
#include "support/wire.hpp"
#include "support/world.hpp"
#include "turn/relay.hpp"

namespace turn::test {

class tcp_client;

class tcp_world {
public:
    struct options {
        relay_options relay{};
        unsigned shard = 0, shards = 1;
        std::size_t outbox_datagrams = 64;
    };
    tcp_world() : tcp_world(options{}) {}
    explicit tcp_world(options);
    tcp_world(const tcp_world&) = delete;
    tcp_world& operator=(const tcp_world&) = delete;

    // What a test may look at and change at any time.
    fake_addresses addresses{};
    user_directory users{};
    recording_observer events{};
    time_point now{std::chrono::hours(1000)};
    std::vector<join_connections> joined{}; ///< ever
    std::vector<move_connection> moved{};   ///< ever
    std::vector<peer_connection> closed{};  ///< by the relay, ever

    /// A new connection of a client, over TCP to the first listener ("example.org") or the second ("elsewhere").
    tcp_client client(std::string_view user, std::size_t listener = 0);
    /// Bytes on a client's connection, or on the UDP listener (udp_listener).
    void send(socket_id, const transport_address& from, bytes message);
    static constexpr socket_id udp_listener{0};
    void disconnect(tcp_client&);
    /// Messages that came to a client's connection since they were last taken.
    std::vector<blob> take(socket_id);
    [[nodiscard]] bool is_open(socket_id id) const { return streams_.contains(id); }

    /// The last connection that the relay began: it succeeds, or fails.
    void peer_accepts(peer_connection);
    void peer_refuses(peer_connection, bool timed_out = false);
    /// Somebody connects to a relayed transport address. Nothing: nobody listens there.
    std::optional<peer_connection> peer_calls(const transport_address& relayed, const transport_address& peer);
    /// One that was accepted before the relay closed the socket, and is told of after.
    peer_connection late_call(socket_id relay, const transport_address& peer);
    /// A peer's connection ends, having carried so much.
    void peer_leaves(peer_connection, const peer_traffic& = {});
    /// The only connection with this peer. Throws when there is none, or more.
    [[nodiscard]] peer_connection connection_with(const transport_address& peer) const;
    [[nodiscard]] std::size_t connections() const { return addresses.connections.size(); }

    void pass(std::chrono::milliseconds);
    void reconfigure(const relay_options&);
    void end_all();
    [[nodiscard]] const relay_counters& counters() const { return it_.counters(); }
    [[nodiscard]] std::vector<allocation_report> reports() const;
    [[nodiscard]] std::size_t quota_in_use() const { return quota_.in_use(); }
    stun::transaction_id fresh_id();
    /// A connection that was joined: its id is free again.
    void forget(socket_id id) { streams_.erase(id); }
    /// Somebody took it and did not want it.
    void put_back(socket_id id, const blob& message) { streams_[id].push_back(message); }

private:
    void carry_out();
    void check();

    allocation_quota quota_{{.total = 1000, .per_user = 0}};
    relay it_;
    outbox out_;
    tally tally_{};
    std::vector<listener_id> listeners_{};
    std::map<socket_id, std::vector<blob>> streams_{};
    std::vector<blob> datagrams_{};
    std::uint64_t ids_given_ = 0;
    std::uint16_t clients_ = 0;
};

/// A connection of a client who builds every message; a handle.
class tcp_client {
public:
    std::string username{}, password{}, realm{}, nonce{};
    std::optional<stun::password_algorithm_number> algorithm{}; ///< nothing: as RFC 5389 has it, MD5 and SHA-1
    socket_id id{};
    transport_address address{};
    transport_address relayed{}; ///< of the last successful allocate()

    [[nodiscard]] stun::credential_key key() const;
    [[nodiscard]] message request(stun::method) const;
    /// With USERNAME, REALM and NONCE; asks for a challenge when there is no nonce.
    [[nodiscard]] message authenticated(stun::method);
    /// Sends it, signed if it has credentials, and takes the answer that has come at once, if any.
    answer ask(message);
    void send(message);
    /// The answer to an earlier request, if it has come by now.
    answer answer_to(const stun::transaction_id&);

    [[nodiscard]] message allocate_request(); ///< of a TCP allocation
    answer allocate();
    answer refresh(std::chrono::seconds lifetime);
    answer permit(const transport_address& peer);
    answer connect(const transport_address& peer);
    /// The same, and the peer accepts: the id, or nothing.
    std::optional<connection_id> connect_to(const transport_address& peer);
    answer bind(connection_id);
    /// ConnectionAttempt indications that have come, in order; clears what was heard.
    struct attempt {
        transport_address peer;
        connection_id id;
    };
    std::vector<attempt> attempts();

private:
    friend class tcp_world;
    explicit tcp_client(tcp_world& w) : world_(&w) {}
    tcp_world* world_;
};

} // namespace turn::test
