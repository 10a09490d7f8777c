#pragma once
/// Durations by size, exact to 1 %, in fixed memory.

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstdint>

namespace turn::bench {

class histogram {
public:
    void add(std::chrono::nanoseconds d) noexcept {
        const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(d.count(), 0));
        ++buckets_[bucket_of(value)];
        ++count_;
        largest_ = std::max(largest_, value);
    }

    /// All of another's, too.
    void add(const histogram& other) noexcept {
        for (std::size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
        count_ += other.count_;
        largest_ = std::max(largest_, other.largest_);
    }

    /// The smallest bucket that `share` (0…1) of all durations do not exceed; zero when there are none.
    [[nodiscard]] std::chrono::nanoseconds quantile(double share) const noexcept {
        const auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(count_));
        std::uint64_t seen = 0;
        for (std::size_t i = 0; i < buckets_.size(); ++i)
            if ((seen += buckets_[i]) > 0 && seen >= wanted) return nanoseconds(std::min(upper_end(i), largest_));
        return {};
    }
    [[nodiscard]] std::chrono::nanoseconds largest() const noexcept { return nanoseconds(largest_); }
    [[nodiscard]] std::uint64_t count() const noexcept { return count_; }

private:
    static constexpr unsigned precision = 7; ///< 128 buckets for each power of two
    static constexpr std::uint64_t steps = 1U << precision;

    static std::chrono::nanoseconds nanoseconds(std::uint64_t n) noexcept {
        return std::chrono::nanoseconds(static_cast<std::int64_t>(n));
    }
    static std::size_t bucket_of(std::uint64_t value) noexcept {
        if (value < steps) return value;
        const auto shift = static_cast<unsigned>(std::bit_width(value)) - precision - 1;
        return std::min<std::size_t>((shift + 1) * steps + (value >> shift) - steps, bucket_count - 1);
    }
    static std::uint64_t upper_end(std::size_t bucket) noexcept {
        if (bucket < steps) return bucket;
        const auto shift = bucket / steps - 1;
        return ((bucket % steps + steps + 1) << shift) - 1;
    }

    static constexpr std::size_t bucket_count = steps * 36; ///< the last one takes all from 2^42 ns (an hour) up
    std::array<std::uint32_t, bucket_count> buckets_{};
    std::uint64_t count_ = 0;
    std::uint64_t largest_ = 0;
};

} // namespace turn::bench
