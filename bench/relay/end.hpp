#pragma once
/// One client of the server under test, TURN or not: joins, sends to its peer, hears it, leaves.

#include <memory>
#include <optional>
#include <string>

#include "options.hpp"
#include "turn/packet.hpp"

namespace turn::bench {

class end {
public:
    enum class state : std::uint8_t { idle, joining, ready, leaving, gone, failed };

    virtual ~end() = default;

    /// Starts to become `ready`, and to become `gone`; what the server says then is for handle().
    virtual void join(time_point, outbox&) = 0;
    virtual void leave(time_point, outbox&) = 0;
    /// Repeats what was lost.
    virtual void tick(time_point, outbox&) = 0;
    /// Bytes from the server. Returns what the peer sent; nothing for an answer of the server.
    virtual std::optional<bytes> handle(bytes datagram, time_point, outbox&) = 0;
    /// Precondition: ready. The bytes must stay until the outbox is flushed.
    virtual void send(bytes payload, outbox&) = 0;

    [[nodiscard]] state is() const noexcept { return state_; }
    /// Where the server hears our peer.
    [[nodiscard]] const transport_address& relayed() const noexcept { return relayed_; }
    /// Why it failed, for people.
    [[nodiscard]] const std::string& failure() const noexcept { return failure_; }

protected:
    void fail(std::string why) {
        state_ = state::failed;
        failure_ = std::move(why);
    }

    state state_ = state::idle;
    transport_address relayed_{};
    std::string failure_{};
};

/// A client of the kind the options want, on the socket `via`.
std::unique_ptr<end> make_end(const load_options&, socket_id via, const transport_address& peer);

} // namespace turn::bench
