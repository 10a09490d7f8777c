#pragma once
/// What a TURN server must be holding, as told by its own answers: RFC 8656, 5. A second, simpler implementation of
/// allocations, permissions and channels that the world compares with the relay after every step.

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <tuple>

#include "support/wire.hpp"
#include "turn/observer.hpp"
#include "turn/relay.hpp"

namespace turn::test {

/// The relay, or the world around it, broke a promise. Nobody catches it: the test fails with its words.
struct invariant_violation : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Orders transport addresses, for maps.
struct address_order {
    bool operator()(const transport_address& a, const transport_address& b) const noexcept {
        return std::tie(a.family, a.ip, a.port) < std::tie(b.family, b.ip, b.port);
    }
};

class model {
public:
    explicit model(const relay_options& options)
        : permission_lifetime_(options.permission_lifetime), channel_lifetime_(options.channel_lifetime) {}

    /// A datagram is about to be handed to the relay on the listener `server`.
    void request_arrived(const transport_address& server, const transport_address& client, bytes datagram,
                         time_point now);
    /// The relay sent `whole` from the listener `server` to a client: an answer, ChannelData or a Data indication.
    /// Throws invariant_violation when nobody allowed that.
    void left_for_client(const transport_address& server, const transport_address& client, bytes whole, direction,
                         time_point now);
    /// The relay sent something from the relayed transport address `from` to a peer. Throws as above.
    void left_for_peer(const transport_address& from, const transport_address& peer, time_point now) const;
    /// The relay says that an allocation ended. Throws when it could not have.
    void ended(const transport_address& client, const transport_address& server, allocation_end, time_point now);

    /// Whether this ChannelData must be relayed, or this datagram to a relayed transport address.
    [[nodiscard]] bool must_go_up(const transport_address& server, const transport_address& client, bytes datagram,
                                  time_point now) const;
    [[nodiscard]] bool must_go_down(const transport_address& relayed, const transport_address& peer, bytes payload,
                                    time_point now) const;

    /// The policy has changed, and the relay has been told to look at its peers again.
    void judge_peers_again(const peer_policy&);
    /// Forgets what has expired; the relay has been ticked up to `now`.
    void forget_expired(time_point now);
    [[nodiscard]] std::size_t allocations() const noexcept { return allocations_.size(); }
    [[nodiscard]] std::size_t permissions() const;
    [[nodiscard]] std::size_t channels() const;
    /// Relayed transport addresses of all allocations.
    [[nodiscard]] std::set<transport_address, address_order> relayed() const;

private:
    struct relayed_address {
        transport_address address;
        time_point expires;
    };
    struct bound_channel {
        transport_address peer;
        time_point expires;
    };
    struct allocation {
        stun::transaction_id created_by{};
        std::vector<relayed_address> relayed{};
        std::map<transport_address, time_point, address_order> permissions{}; ///< by peer with port 0
        std::map<std::uint16_t, bound_channel> channels{};

        [[nodiscard]] bool permits(const transport_address& peer, time_point now) const;
        [[nodiscard]] bool relays(address_family, time_point now) const;
        void forget_expired(const transport_address& client, time_point now);
        void forget(address_family);
    };
    struct five_tuple {
        transport_address client, server;
        friend bool operator<(const five_tuple& a, const five_tuple& b) {
            return address_order{}(a.client, b.client) || (a.client == b.client && address_order{}(a.server, b.server));
        }
    };
    void icmp_told(const five_tuple&, const stun::message_view& indication, time_point now) const;
    struct asked {
        blob request;
        time_point when;
    };

    void succeeded(const five_tuple&, const stun::message_view& request, const stun::message_view& answer,
                   time_point now);
    void allocated(const five_tuple&, const stun::message_view& answer, time_point now);
    void refreshed(const five_tuple&, const stun::message_view& request, const stun::message_view& answer,
                   time_point now);
    void index(const five_tuple&);
    void remove(std::map<five_tuple, allocation>::iterator);
    [[nodiscard]] const allocation* owner_of(const transport_address& relayed, time_point now) const;

    std::chrono::seconds permission_lifetime_, channel_lifetime_;
    std::map<five_tuple, allocation> allocations_{};
    std::map<transport_address, five_tuple, address_order> by_relayed_{};
    std::map<std::pair<five_tuple, stun::transaction_id>, asked> asked_{};
};

} // namespace turn::test
