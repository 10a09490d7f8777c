#pragma once
/// Which packets of one flow and direction have arrived: tells duplicates and reordering from news.

#include <cstdint>

namespace turn::bench {

class arrivals {
public:
    enum class verdict : std::uint8_t { next, after_gap, reordered, duplicate, too_late };

    /// What is more than 63 packets behind cannot be told from a duplicate any more: `too_late`, never delivered.
    verdict arrived(std::uint64_t sequence) noexcept {
        if (sequence >= expected_) {
            const std::uint64_t ahead = sequence - expected_;
            seen_ = ahead >= 63 ? 1 : seen_ << (ahead + 1) | 1;
            expected_ = sequence + 1;
            return ahead == 0 ? verdict::next : verdict::after_gap;
        }
        const std::uint64_t behind = expected_ - 1 - sequence;
        if (behind >= 64) return verdict::too_late;
        if ((seen_ >> behind & 1) != 0) return verdict::duplicate;
        seen_ |= std::uint64_t{1} << behind;
        return verdict::reordered;
    }

private:
    std::uint64_t expected_ = 0;
    std::uint64_t seen_ = 0; ///< bit n: expected_ - 1 - n is here
};

} // namespace turn::bench
