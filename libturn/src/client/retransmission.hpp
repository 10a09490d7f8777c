#pragma once
/// When a request is sent again, and when to give up: RFC 8489, 6.2.1.

#include <chrono>

#include "turn/packet.hpp"

namespace turn {

/// The timetable of one transaction over UDP.
class retransmission {
public:
    struct timing {
        std::chrono::milliseconds rto{500};
        unsigned rc = 7;  ///< requests sent at most
        unsigned rm = 16; ///< last wait, in RTO
    };
    enum class step : unsigned char { wait, send, give_up };

    /// The first request is due at once.
    retransmission(const timing& t, time_point now) noexcept : timing_(t), due_(now), interval_(t.rto) {}

    [[nodiscard]] time_point due() const noexcept { return due_; }
    [[nodiscard]] step what_now(time_point now) const noexcept {
        if (now < due_) return step::wait;
        return sent_ < timing_.rc ? step::send : step::give_up;
    }
    /// A request has left. Intervals count from here, so that a late call does not cause a burst.
    void sent(time_point now) noexcept {
        ++sent_;
        due_ = now + (sent_ < timing_.rc ? interval_ : timing_.rto * timing_.rm);
        interval_ *= 2;
    }

private:
    timing timing_;
    time_point due_;
    std::chrono::milliseconds interval_;
    unsigned sent_ = 0;
};

} // namespace turn
