#pragma once
/// So many lines a second, and a count of those that were not written: what keeps a flood of bad requests from
/// becoming a flood of log lines.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

namespace turnd {

/// Thread-safe, lock-free, of constant size.
class line_budget {
public:
    explicit line_budget(std::uint32_t lines_per_second) noexcept : limit_(lines_per_second) {}

    /// Whether a line may be written at `now`; then the number of lines held back since the last one that was.
    std::optional<std::uint64_t> take(std::chrono::steady_clock::time_point now) noexcept;

    /// What has been held back since the last line that was written; takes it off.
    std::uint64_t held_back() noexcept { return held_back_.exchange(0, std::memory_order_relaxed); }

private:
    std::uint32_t limit_;
    std::atomic<std::uint64_t> window_{0}; ///< second (upper half) and lines in it (lower half)
    std::atomic<std::uint64_t> held_back_{0};
};

} // namespace turnd
