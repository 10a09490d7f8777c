#pragma once
/// Which refusals become a log line: the first of a user, a client and a reason at once, those that follow one line a
/// minute with their number.

#include <chrono>
#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "event_memory.hpp"
#include "recent_table.hpp"

namespace turnd {

/// Thread-safe. May throw std::bad_alloc.
class refusal_digest {
public:
    using time_point = std::chrono::steady_clock::time_point;
    static constexpr std::chrono::seconds pause{60};

    /// `most` ≥ 1 users, clients and reasons are told apart; when there are more, who was refused least lately gives
    /// way.
    explicit refusal_digest(std::size_t most = 1024) : lines_(most) {}

    /// What is to be written now that `e` was refused: it, with those it stands for, or nothing yet; and what gave way.
    std::vector<remembered_event> take(remembered_event e, time_point now);
    /// What has waited for a `pause`.
    std::vector<remembered_event> due(time_point now);
    /// What waits.
    std::vector<remembered_event> rest() { return due(time_point::max()); }

private:
    struct line {
        std::optional<time_point> said{};
        std::optional<remembered_event> held{}; ///< since then
    };
    std::mutex mutex_{};
    recent_table<std::string, line> lines_;
};

} // namespace turnd
