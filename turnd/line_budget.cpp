#include "line_budget.hpp"

namespace turnd {

std::optional<std::uint64_t> line_budget::take(std::chrono::steady_clock::time_point now) noexcept {
    const auto second =
        static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count());
    std::uint64_t window = window_.load(std::memory_order_relaxed);
    for (;;) {
        const auto used = window >> 32 == second ? static_cast<std::uint32_t>(window) : 0U;
        if (used >= limit_) {
            held_back_.fetch_add(1, std::memory_order_relaxed);
            return {};
        }
        const std::uint64_t next = std::uint64_t{second} << 32 | (used + 1U);
        if (window_.compare_exchange_weak(window, next, std::memory_order_relaxed)) return held_back();
    }
}

} // namespace turnd
