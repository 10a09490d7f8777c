#pragma once
/// Whether equals are treated alike, and what becomes of one who floods beside them.

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

namespace turn::bench {

/// Jain's index of what each got: 1 when all got the same, 1/n when one got all. Nobody got anything: 0.
inline double jain_index(std::span<const std::uint64_t> got) noexcept {
    double sum = 0, squares = 0;
    for (const std::uint64_t each : got) {
        sum += static_cast<double>(each);
        squares += static_cast<double>(each) * static_cast<double>(each);
    }
    return squares > 0 ? sum * sum / (static_cast<double>(got.size()) * squares) : 0;
}

/// All of packets that were sent within the window.
struct fairness {
    std::vector<std::uint64_t> equals{}; ///< delivered to and from each
    std::uint64_t flood_sent = 0;
    std::uint64_t flood_skipped = 0; ///< the generator was too late to send
    std::uint64_t flood_relayed = 0;
};

} // namespace turn::bench
