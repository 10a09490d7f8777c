#pragma once
/// A world for stories about TURN: one relay, any number of clients and peers, a clock and a network. No sockets, no
/// threads, no sleeping: time passes only when a test says so. The invariants are checked after every step.
///
///     world w;
///     auto ann = w.client("ann");      // speaks through turn::client
///     auto eve = w.raw("eve");         // builds every byte herself
///     auto& bob = w.peer();

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "support/actors.hpp"
#include "support/fake_addresses.hpp"
#include "support/invariants.hpp"
#include "support/model.hpp"
#include "support/network.hpp"
#include "turn/relay.hpp"

namespace turn::test {

/// Who may use the relay, and how fast the database answers.
struct user_directory {
    struct user {
        std::string password{};
        std::string account{};            ///< counts for the quota instead of the name
        std::size_t allocation_limit = 0; ///< 0: the server's
        reason refused = reason::none;    ///< anything else: the answer to every look-up
        std::chrono::seconds expired_for{0};
    };
    std::map<std::pair<std::string, std::string>, user> known{}; ///< by (realm, name)
    std::optional<std::chrono::milliseconds> delay{};            ///< nothing: answers at once
    bool silent = false;                                         ///< never answers
    std::size_t lookups = 0;                                     ///< asked so far
    std::size_t asked_by_hash = 0;                               ///< of those, by userhash
    stun::password_algorithm_number last_algorithm{};            ///< of the key that was asked for last

    /// "ann" and "ann's password" unless told otherwise.
    user& add(std::string_view name, std::string_view password = {}, std::string_view realm = "example.org");
    void remove(std::string_view name, std::string_view realm = "example.org");
    [[nodiscard]] credential_answer look_up(const credential_question&) const;
};
std::string password_of(std::string_view name);

/// Remembers everything a relay tells its observer, as copies.
class recording_observer final : public observer {
public:
    struct created {
        allocation_id id;
        transport_address client, server, relayed, relayed_additional;
        std::string username, realm;
    };
    struct ended {
        created what;
        usage use;
        allocation_end how;
        std::vector<transport_address> peers;
    };
    struct refused {
        transport_address client;
        stun::method method;
        std::uint16_t code;
        reason why;
        std::string username, realm, rule;
        transport_address peer;
        std::chrono::seconds expired_for;
        allocation_id allocation;
        bool authenticated;
    };
    bool remember = true; ///< false: only the last of each is kept, for very long stories
    std::vector<created> allocations_created{};
    std::vector<ended> allocations_ended{};
    std::vector<refused> requests_refused{};
    std::function<bool(const transport_address& peer)> peers_allowed{}; ///< empty: all

private:
    friend class world;
    std::vector<ended> unseen_{}; ///< ends the world has not told its model of

    void allocation_created(const allocation_info&) noexcept override;
    void allocation_ended(const allocation_info&, const usage&, allocation_end) noexcept override;
    void request_refused(const refusal&) noexcept override;
    bool may_reach(const allocation_info&, const transport_address& peer) noexcept override;
};

struct world_options {
    relay_options relay{};
    /// Empty: 198.51.100.1:3478 and [2001:db8:5::1]:3478 in the realm "example.org".
    std::vector<listener_options> listeners{};
    allocation_quota::limits quota{};
    std::size_t outbox_datagrams = 64; ///< small ones make the relay stop in the middle of a batch
    std::size_t batch = 16;            ///< data packets handed over in one call at most
    bool merge = false;                ///< equal neighbours arrive as one GRO train
};

class world {
public:
    explicit world(relay_options = {});
    explicit world(world_options);
    ~world();
    world(const world&) = delete;
    world& operator=(const world&) = delete;

    // What a test may change at any time.
    network_conditions& conditions;
    user_directory users{};
    fake_addresses addresses{};
    recording_observer events{};
    /// Holdings are compared with the model every so many steps (1: always); the books always are.
    std::size_t compare_every = 1;

    /// A client on an address of its own. Its user is made known unless settings say otherwise.
    client_actor client(std::string_view user, const client_settings& = {});
    /// The same, but every message is built by the test.
    raw_actor raw(std::string_view user, const client_settings& = {});
    /// A peer on a public IPv4 address (or IPv6, or an address of the test's choice; port 0: one is chosen).
    peer_actor& peer(address_family = address_family::ipv4);
    peer_actor& peer(const transport_address&);

    /// Moves the clock, stopping at every deadline and arrival on the way.
    void pass(std::chrono::milliseconds);
    /// The network says, in ICMP or ICMPv6, that a datagram from a relayed transport address to `peer` did not arrive.
    void icmp(const transport_address& relayed, const transport_address& peer, std::uint8_t type, std::uint8_t code,
              std::uint32_t mtu = 0);
    /// Whatever is due now happens now.
    void settle();
    /// settle(), then time passes until `done` or for `limit`. Returns done().
    bool run_until(const std::function<bool()>& done, std::chrono::milliseconds limit);
    /// Ends everything, lets look-ups and reservations time out, and checks that nothing is left.
    void drain();
    /// No new allocations from now on.
    void stop_accepting();
    void end_allocations_of(std::string_view realm, std::string_view user);
    /// As a server does it: peers that are refused now are cut off.
    void reconfigure(const relay_options&);
    /// Whether there was one.
    bool end_allocation(allocation_id);
    /// What the relay says of its allocations, in any order.
    [[nodiscard]] std::vector<allocation_report> reports(const allocation_filter& = {}) const;

    [[nodiscard]] time_point now() const noexcept { return now_; }
    [[nodiscard]] const relay_counters& counters() const noexcept { return relay_.counters(); }
    [[nodiscard]] std::uint64_t dropped(direction, reason) const;
    [[nodiscard]] std::uint64_t refused(reason) const;
    [[nodiscard]] std::uint64_t requests(request_method, request_result) const;
    [[nodiscard]] std::size_t quota_in_use() const noexcept { return quota_.in_use(); }
    [[nodiscard]] const listener_options& listener(std::size_t index = 0) const { return listeners_.at(index); }
    [[nodiscard]] const model& expectations() const noexcept { return model_; }

    /// One call of relay::handle with just these packets, past network and model; for tests of the batch itself.
    /// The datagrams that leave are delivered. No holdings are compared from then on.
    void handle_batch(std::span<const packet> batch);
    /// The socket of a listener, or of a relayed transport address.
    [[nodiscard]] std::optional<socket_id> socket_of(const transport_address&) const;
    /// The relay itself, for tests and measurements that go around everything.
    [[nodiscard]] turn::relay& relay() noexcept { return relay_; }

    // For actors.
    void send(flight f) { network_.send(std::move(f), now_); }
    void join(endpoint&);
    void leave(endpoint&);
    /// A number below `bound` from the seeded generator.
    std::uint64_t random(std::uint64_t bound) { return network_.random(bound); }
    stun::transaction_id fresh_id();

private:
    struct incoming {
        flight datagram;
        socket_id via;
        bool from_client;
    };
    struct waiting_lookup {
        time_point due;
        ticket_id ticket;
        std::string name, realm;
        credential_question question; ///< but for these two
    };

    transport_address address_for(const client_settings&);
    [[nodiscard]] const listener_options* listener_at(const transport_address&) const;
    [[nodiscard]] time_point next_event() const;
    bool deliver();
    void hand_over(std::vector<incoming>&);
    std::vector<packet> packets_of(std::vector<incoming>&, std::deque<blob>& trains);
    void handle(std::span<const packet>);
    bool answer_lookups();
    void tick_relay();
    bool tick_clients();
    void carry_out();
    void leave_relay(const datagram&);
    void check();

    network network_{};
    time_point now_;
    std::vector<listener_options> listeners_;
    std::size_t batch_;
    bool merge_;
    allocation_quota quota_;
    model model_;
    tally tally_{};
    turn::relay relay_;
    outbox out_;
    std::map<transport_address, endpoint*, address_order> endpoints_{};
    std::vector<endpoint*> clocked_{};
    std::deque<std::unique_ptr<endpoint>> owned_{};
    std::vector<waiting_lookup> lookups_{};
    std::array<std::size_t, 2> left_in_this_call_{};
    std::size_t steps_ = 0;
    std::size_t addresses_given_ = 0;
    std::uint64_t ids_given_ = 0;
    bool modelled_ = true;
};

} // namespace turn::test
