#pragma once
/// A turn::client that waits for its answers, over one link.

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "turn/client.hpp"
#include "turnctl/check/server_link.hpp"

namespace turnctl::check {

struct who {
    std::string username{}, password{}; ///< both empty: nobody in particular
};

class conversation {
public:
    template <class Event>
    using answer = turn::result<Event, trouble>;
    struct arrival {
        turn::transport_address from{};
        std::string text{};
    };

    /// A request is given up after `patience`, a challenged one after twice that, and each at `last`, though it is
    /// sent even then.
    conversation(std::unique_ptr<server_link>, const turn::transport_address& server, const who&,
                 std::chrono::milliseconds patience, turn::time_point last);

    answer<turn::client::mapped> bind();
    answer<turn::client::allocated> allocate();
    answer<turn::client::permitted> permit(const turn::transport_address& peer);
    answer<turn::client::channel_bound> bind_channel(std::uint16_t number, const turn::transport_address& peer);
    /// Refresh with lifetime 0.
    answer<turn::client::refreshed> end();

    /// By channel when one is bound. Nothing happens without an allocation or a link.
    void send(const turn::transport_address& peer, std::string_view text);
    /// Takes what has come from peers, without waiting.
    std::deque<arrival> take_arrivals();

    [[nodiscard]] const server_link& link() const noexcept { return *link_; }
    /// For poll(); -1 when the link has ended, which would be ready for ever.
    [[nodiscard]] int descriptor() const noexcept { return broken_ ? -1 : link_->descriptor(); }
    [[nodiscard]] bool has_allocation() const noexcept { return core_.has_allocation(); }
    [[nodiscard]] std::string_view realm() const noexcept { return core_.realm(); } ///< of the last challenge
    /// From the last message that was sent to the last answer that ended a request.
    [[nodiscard]] std::chrono::duration<double, std::milli> round_trip() const noexcept { return round_trip_; }

private:
    using news = std::variant<turn::client::mapped, turn::client::allocated, turn::client::refreshed,
                              turn::client::permitted, turn::client::channel_bound, trouble>;
    template <class Event>
    answer<Event> await();
    std::optional<trouble> step(turn::time_point until);
    void note(const turn::client::event&);
    [[nodiscard]] trouble failure(const turn::client::failed&) const;
    std::optional<trouble> flush(turn::time_point deadline);

    std::unique_ptr<server_link> link_;
    turn::client core_;
    turn::outbox out_{16};
    std::chrono::milliseconds patience_;
    turn::time_point last_;
    std::deque<news> news_{};
    std::deque<arrival> arrivals_{};
    turn::time_point last_sent_{};
    std::chrono::duration<double, std::milli> round_trip_{};
    bool broken_ = false;         ///< the link has said so
    bool heard_stun_ = false;     ///< since the request began
    std::string heard_garbage_{}; ///< the beginning of what was no STUN
};

} // namespace turnctl::check
