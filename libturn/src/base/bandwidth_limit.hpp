#pragma once
/// How much an allocation may relay in one direction: a token bucket. RFC 8656, 5. Datagrams above it are dropped,
/// streams read later.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "turn/packet.hpp"

namespace turn {

/// The limit, one for all allocations; each has a bucket for each direction. A bucket holds what passes in a quarter of
/// a second, and at least 64 KiB: a datagram or a GRO train of any size passes when it is full.
class bandwidth_limit {
public:
    /// The time at which the bucket is full again. What is missing from it is the time until then, so that nothing has
    /// to be filled up.
    using bucket = time_point;

    /// 0: no limit.
    explicit bandwidth_limit(std::uint64_t bits_per_second) noexcept
        : price_(bits_per_second == 0 ? 0 : (8'000'000'000U << fraction) / bits_per_second),
          depth_(std::max<std::chrono::nanoseconds>(std::chrono::milliseconds(250), time_for(65'536))),
          pause_(std::max<std::chrono::nanoseconds>(std::chrono::milliseconds(125), time_for(4'096))) {}

    [[nodiscard]] bool unlimited() const noexcept { return price_ == 0; }

    /// Whether a datagram with `size` bytes of payload may pass now; takes them when it may.
    [[nodiscard]] bool spend(bucket& full_again, std::size_t size, time_point now) const noexcept {
        if (price_ == 0) return true;
        // The smallest frames of Ethernet are that large; else empty datagrams would be free.
        const time_point after = std::max(full_again, now) + time_for(std::max<std::size_t>(size, 64));
        if (after - now > depth_) {
            full_again = emptied_no_more_than_this(full_again, now);
            return false;
        }
        full_again = after;
        return true;
    }

    // For streams. Precondition: there is a limit.

    /// Bytes that may pass now.
    [[nodiscard]] std::size_t left(bucket full_again, time_point now) const noexcept {
        const auto missing = std::max(full_again, now) - now;
        if (missing >= depth_) return 0;
        return static_cast<std::size_t>((static_cast<std::uint64_t>((depth_ - missing).count()) << fraction) / price_);
    }
    /// Takes them, also more than are left: then the next have to wait the longer.
    void take(bucket& full_again, std::size_t size, time_point now) const noexcept {
        full_again = std::max(full_again, now) + time_for(size);
    }
    /// How long a bucket that was empty fills before somebody is woken for it: an eighth of a second, and at least what
    /// 4 KiB need. No more than half a bucket.
    [[nodiscard]] std::chrono::nanoseconds pause() const noexcept { return pause_; }
    /// When so much is in it.
    [[nodiscard]] time_point worth_a_turn(bucket full_again) const noexcept { return full_again - depth_ + pause_; }
    /// What a bucket of another limit is under this one: nobody waits longer for it than if it had just been emptied.
    [[nodiscard]] bucket emptied_no_more_than_this(bucket full_again, time_point now) const noexcept {
        return std::min(full_again, now + depth_);
    }

private:
    static constexpr unsigned fraction = 10; ///< bits of price_ behind the point

    [[nodiscard]] std::chrono::nanoseconds time_for(std::size_t size) const noexcept {
        return std::chrono::nanoseconds((price_ * size) >> fraction);
    }

    std::uint64_t price_; ///< nanoseconds a byte
    std::chrono::nanoseconds depth_;
    std::chrono::nanoseconds pause_;
};

} // namespace turn
