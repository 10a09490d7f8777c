#pragma once
/// The people in a world: clients that speak through turn::client, clients that build every byte, and peers.

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "support/network.hpp"
#include "support/wire.hpp"
#include "turn/client.hpp"
#include "turn/packet.hpp"

namespace turn::test {

class world;

/// Who has an address in a world.
class endpoint {
public:
    explicit endpoint(transport_address where) : address(where) {}
    virtual ~endpoint() = default;
    endpoint(const endpoint&) = delete;
    endpoint& operator=(const endpoint&) = delete;

    virtual void arrived(const flight&) = 0;
    [[nodiscard]] virtual time_point next_deadline() const { return time_point::max(); }
    virtual void tick() {}
    /// Whether next_deadline() is ever interesting.
    [[nodiscard]] virtual bool has_clock() const { return false; }

    const transport_address address;
};

/// Somebody out there who knows nothing of TURN.
class peer_actor final : public endpoint {
public:
    peer_actor(world& w, const transport_address& where) : endpoint(where), world_(&w) {}

    /// One datagram to anybody, usually a relayed transport address.
    void send(const transport_address& to, std::string_view text);
    void send(const transport_address& to, bytes data);
    /// Answers every datagram with the same bytes from now on.
    void echo() { echoes_ = true; }

    std::vector<std::string> received{};       ///< what arrived, in order
    std::vector<transport_address> senders{};  ///< where each of them came from
    std::vector<bool> arrived_dont_fragment{}; ///< whether DF was set on each of them
    bool remember = true;                      ///< false: what arrives is counted only
    std::size_t count = 0;                     ///< how many arrived

private:
    void arrived(const flight&) override;

    world* world_;
    bool echoes_ = false;
};

struct client_settings {
    std::size_t listener = 0;                       ///< which one it speaks to; its family is the client's
    bool known = true;                              ///< false: the user is not in the directory
    std::optional<std::string> password{};          ///< what the client believes it to be; nothing: the right one
    std::string realm{};                            ///< raw clients: what they claim; empty: the listener's
    bool keep_alive = false;                        ///< turn::client refreshes on its own
    std::optional<std::chrono::seconds> lifetime{}; ///< LIFETIME in each Allocate
    bool fingerprint = false;
    std::string software{};
    std::optional<transport_address> address{}; ///< nothing: a fresh one
};

/// A client built on turn::client. A handle: copies speak for the same client. Functions that ask something wait for
/// the outcome (time passes as it must) and return 0, the STUN error code, or -1 when no answer came.
class client_actor {
public:
    transport_address relayed{};            ///< of the last successful allocate()
    transport_address relayed_additional{}; ///< port 0: none
    transport_address mapped{};             ///< of the last successful bind() or allocate()

    [[nodiscard]] const transport_address& address() const;
    int bind(); ///< Binding
    int allocate(const allocate_wishes& = {});
    int refresh(std::chrono::seconds lifetime, std::optional<address_family> = {});
    int permit(std::initializer_list<transport_address> peers);
    int permit(const peer_actor&);
    int bind_channel(std::uint16_t number, const peer_actor&);
    int bind_channel(std::uint16_t number, const transport_address&);

    /// As turn::client thinks best: ChannelData when a channel is bound, else a Send indication.
    void send(const peer_actor&, std::string_view text);
    void send_indication(const peer_actor&, std::string_view text, bool dont_fragment = false);
    void send_channel_data(std::uint16_t number, std::string_view text); ///< whether it is bound or not

    /// Payloads of ChannelData that arrived on this channel; of Data indications from this peer.
    [[nodiscard]] std::vector<std::string> channel_data(std::uint16_t number) const;
    [[nodiscard]] std::vector<std::string> data_from(const peer_actor&) const;
    /// The last `allocated` event in full: lifetime, token, ADDRESS-ERROR-CODE.
    [[nodiscard]] const client::allocated& last_allocated() const;
    /// Transactions that failed without being waited for (keep-alives), by code.
    [[nodiscard]] const std::vector<int>& failures() const;

    /// turn::client itself, and a call that delivers what it put into its outbox.
    [[nodiscard]] turn::client& core() const;
    [[nodiscard]] outbox& out() const;
    void flush() const;

private:
    friend class world;
    class state;
    explicit client_actor(state& s) : state_(&s) {}
    state* state_;
};

/// A client whose messages the test builds: for everything a well-behaved client would not do. A handle.
class raw_actor {
public:
    // What it signs with; changed at will.
    std::string username{}, password{}, realm{}, nonce{};
    std::optional<stun::password_algorithm_number> algorithm{}; ///< nothing: as RFC 5389 has it, MD5 and SHA-1
    bool hides_name = false;                                    ///< USERHASH in place of USERNAME
    transport_address relayed{};                                ///< of the last successful allocate()

    [[nodiscard]] const transport_address& address() const;
    [[nodiscard]] stun::credential_key key() const;

    /// A message of this method, without attributes, with a fresh transaction id.
    [[nodiscard]] message request(stun::method) const;
    [[nodiscard]] message indication(stun::method) const;
    /// USERNAME or USERHASH, REALM, NONCE and, with an algorithm, what belongs to it.
    void introduce(message&) const;
    /// A request with these; signed by ask() unless integrity() was called on it. Asks for a
    /// challenge first when there is no nonce.
    [[nodiscard]] message authenticated(stun::method);
    /// The same, ready to be taken for an allocation over UDP.
    [[nodiscard]] message allocate_request();

    /// Sends it and waits for the answer to its transaction id: up to `patience`, without retransmissions.
    answer ask(message, std::chrono::milliseconds patience = std::chrono::seconds(15));
    /// An unsigned Allocate; takes NONCE from the answer, and REALM unless `realm` is set already (it is, to the
    /// listener's, by world::raw).
    answer challenge();
    answer allocate();
    answer refresh(std::chrono::seconds lifetime);
    answer permit(std::initializer_list<transport_address> peers);
    answer permit(const peer_actor&);
    answer bind_channel(std::uint16_t number, const transport_address& peer);
    answer bind_channel(std::uint16_t number, const peer_actor&);

    /// Sends without waiting.
    void send(const message&);
    void send(bytes datagram);
    void send_indication(const transport_address& peer, std::string_view text);
    void send_channel_data(std::uint16_t number, std::string_view text, std::size_t padding = 0);

    /// Everything that arrived and was not the answer to ask(), in order; cleared by take().
    [[nodiscard]] const std::vector<blob>& received() const;
    std::vector<blob> take();
    [[nodiscard]] std::vector<std::string> channel_data(std::uint16_t number) const;
    [[nodiscard]] std::vector<std::string> data_from(const transport_address& peer) const;

private:
    friend class world;
    class state;
    explicit raw_actor(state& s) : state_(&s) {}
    state* state_;
};

} // namespace turn::test
