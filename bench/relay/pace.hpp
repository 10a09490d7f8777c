#pragma once
/// When things are due: evenly spread over time, in rounds, and never in a burst after a stall.

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "turn/packet.hpp"

namespace turn::bench {

class pace {
public:
    /// `per_second` > 0 things, from `begin` on.
    pace(double per_second, time_point begin) noexcept : per_second_(per_second), begin_(begin) {}

    /// How many are due and not taken. What waited longer than the catch-up is skipped: after a stall of the generator
    /// the server must not meet a burst that no client sent.
    std::uint64_t due(time_point now) noexcept {
        const double elapsed = std::chrono::duration<double>(now - begin_).count();
        const auto by_now = static_cast<std::uint64_t>(std::max(elapsed, 0.0) * per_second_);
        const auto most = static_cast<std::uint64_t>(std::chrono::duration<double>(catch_up).count() * per_second_) + 1;
        if (by_now > taken_ + most) {
            skipped_ += by_now - most - taken_;
            taken_ = by_now - most;
        }
        return by_now > taken_ ? by_now - taken_ : 0;
    }
    void take() noexcept { ++taken_; }
    /// The number of the next one, skipped ones included.
    [[nodiscard]] std::uint64_t number() const noexcept { return taken_; }
    [[nodiscard]] std::uint64_t skipped() const noexcept { return skipped_; }

    /// Rounds are this far apart: clients that do not know of each other, yet a generator that sleeps.
    static constexpr std::chrono::microseconds round{500};

private:
    static constexpr std::chrono::milliseconds catch_up{5};

    double per_second_;
    time_point begin_;
    std::uint64_t taken_ = 0;
    std::uint64_t skipped_ = 0;
};

} // namespace turn::bench
