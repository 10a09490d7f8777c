#pragma once
/// How much an allocation may relay in one direction: a token bucket. RFC 8656, 5.

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
          depth_(std::max<std::chrono::nanoseconds>(std::chrono::milliseconds(250), time_for(65'536))) {}

    /// Whether a datagram with `size` bytes of payload may pass now; takes them when it may.
    [[nodiscard]] bool spend(bucket& full_again, std::size_t size, time_point now) const noexcept {
        if (price_ == 0) return true;
        // The smallest frames of Ethernet are that large; else empty datagrams would be free.
        const time_point after = std::max(full_again, now) + time_for(std::max<std::size_t>(size, 64));
        if (after - now > depth_) return false;
        full_again = after;
        return true;
    }

private:
    static constexpr unsigned fraction = 10; ///< bits of price_ behind the point

    [[nodiscard]] std::chrono::nanoseconds time_for(std::size_t size) const noexcept {
        return std::chrono::nanoseconds((price_ * size) >> fraction);
    }

    std::uint64_t price_; ///< nanoseconds a byte
    std::chrono::nanoseconds depth_;
};

} // namespace turn
