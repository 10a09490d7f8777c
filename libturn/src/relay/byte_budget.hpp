#pragma once
/// How many bytes of answers an unproven source may cause: a token bucket per /24 or /56 in a table of fixed size.

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/mix.hpp"
#include "turn/packet.hpp"

namespace turn {

/// Prefixes whose hashes meet share a bucket: the table never grows, and a clash only makes it stricter.
class byte_budget {
public:
    byte_budget(std::size_t bytes_per_second, std::vector<address_prefix> exempt, seeded_mix mix)
        : rate_(bytes_per_second), exempt_(std::move(exempt)), mix_(mix), buckets_(rate_ == 0 ? 0 : bucket_count) {}

    /// Whether `amount` bytes more may go to `source` now; takes them when they may.
    bool spend(const transport_address& source, std::size_t amount, time_point now) noexcept {
        if (rate_ == 0) return true;
        for (const address_prefix& p : exempt_)
            if (p.contains(source)) return true;
        bucket& b = buckets_[mix_(prefix_of(source), 0) % bucket_count];
        refill(b, now);
        if (b.tokens < amount) return false;
        b.tokens -= amount;
        return true;
    }

private:
    struct bucket {
        std::size_t tokens = 0;
        time_point filled = time_point::min(); ///< never
    };
    static constexpr std::size_t bucket_count = 4096;

    void refill(bucket& b, time_point now) const noexcept {
        const bool full = b.filled == time_point::min() || now - b.filled >= std::chrono::seconds(1);
        if (full) {
            b = {rate_, now};
            return;
        }
        const auto elapsed = std::chrono::duration_cast<std::chrono::microseconds>(now - b.filled).count();
        if (elapsed <= 0) return;
        const std::size_t earned = rate_ * static_cast<std::size_t>(elapsed) / 1'000'000;
        if (earned == 0) return; // keep the fraction: do not move `filled`
        b.tokens = b.tokens + earned > rate_ ? rate_ : b.tokens + earned;
        b.filled = now;
    }
    static transport_address prefix_of(transport_address a) noexcept {
        a.port = 0;
        for (std::size_t i = a.is_ipv4() ? 3 : 7; i < a.ip.size(); ++i) a.ip[i] = 0;
        return a;
    }

    std::size_t rate_;
    std::vector<address_prefix> exempt_;
    seeded_mix mix_;
    std::vector<bucket> buckets_;
};

} // namespace turn
