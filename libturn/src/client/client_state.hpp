#pragma once
/// What stands behind turn::client: transactions in flight, and what the server holds for us.

#include <array>
#include <optional>
#include <vector>

#include "client/peer_table.hpp"
#include "client/request.hpp"
#include "client/retransmission.hpp"
#include "turn/client.hpp"

namespace turn {

/// How long and how often a request is sent.
retransmission::timing timing_of(const client_options&) noexcept;

struct client::state {
    /// One question and its answer, with the retries that a challenge asks for: to the application they are one.
    struct transaction {
        request what;
        stun::transaction_id id{};       ///< of the request in flight
        stun::transaction_id first_id{}; ///< as told to the application
        std::vector<std::byte> wire{};   ///< the request as sent, for retransmissions
        std::optional<session> with{};   ///< what it is signed with
        retransmission timetable;
        unsigned retries = 0;   ///< after challenges
        bool automatic = false; ///< a keep-alive: its success is no event
        bool tampered = false;  ///< an answer came that was not signed as it must be
    };

    explicit state(client_options o) : options(std::move(o)) {}

    // client_transactions.cpp
    stun::transaction_id begin(request, bool automatic, time_point now, outbox&);
    bool prepare(transaction&, time_point now);
    void transmit(transaction&, time_point now, outbox&) const;
    std::optional<event> answered(const stun::message_view&, time_point now, outbox&);
    std::optional<event> challenged(std::size_t index, std::uint16_t code, const stun::message_view&, time_point now,
                                    outbox&);
    std::optional<std::string_view> learn(const stun::message_view& challenge, bool new_realm);
    std::optional<event> retransmit_or_give_up(time_point now, outbox&);
    transaction take(std::size_t index);

    // client_redirects.cpp
    std::optional<event> redirected(std::size_t index, const stun::message_view&, time_point now, outbox&);
    [[nodiscard]] bool was_asked_lately(const transport_address&, time_point now) const noexcept;

    // client_outcomes.cpp
    std::optional<event> succeeded(const transaction&, const stun::message_view&, time_point now);
    event failed_with(const transaction&, std::uint16_t code, std::string_view phrase, time_point now);

    // client_data.cpp
    std::optional<event> channel_data_arrived(bytes datagram) const;
    std::optional<event> indication_arrived(const stun::message_view&) const;

    // client.cpp
    [[nodiscard]] bool allocated() const noexcept;
    void forget(address_family);
    void forget_allocation() noexcept;
    bool forget_expired(time_point now);
    void keep_alive(time_point now, outbox&);

    client_options options;
    std::optional<session> known{}; ///< learnt from the last challenge
    /// Servers that sent us on, and when.
    struct visit {
        transport_address server;
        time_point left;
    };
    std::vector<visit> visits{};
    bool away = false; ///< between connections, from a redirection until reconnected(); never over UDP
    std::vector<transaction> transactions{};
    peer_table peers{};
    /// When the relayed transport address of each family ends, IPv4 first; min(): there is none.
    std::array<time_point, 2> expires{time_point::min(), time_point::min()};
    time_point refresh_at = time_point::max();
};

} // namespace turn
