#pragma once
/// turnd's life between start and end: waits for signals, drains, writes counters.

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>

#include "configuration.hpp"
#include "log.hpp"
#include "signals.hpp"

namespace turnd {

/// What serve() needs of the world: turn::server and signals in turnd, a script in tests.
struct serving {
    std::function<std::optional<signal_kind>(std::optional<std::chrono::milliseconds>)> next_signal;
    std::function<std::chrono::steady_clock::time_point()> now;
    std::function<void()> stop_accepting;
    std::function<std::size_t()> allocations;
    std::function<void()> write_counters;
    std::function<void()> reload;
    std::function<std::chrono::seconds()> drain_timeout;
    std::function<void()> watchdog;                               ///< a sign of life is due
    std::optional<std::chrono::milliseconds> watchdog_interval{}; ///< nothing: it never is
};

/// Waits until SIGTERM, SIGINT or a wish to drain, then drains: no new allocations, and the old ones may live on until
/// drain_timeout, or until SIGTERM or SIGINT comes now. Returns how many were left.
std::size_t serve(const serving&, logger&);

/// Exit statuses: a contract with service managers and scripts.
inline constexpr int exit_good = 0;
inline constexpr int exit_not_started = 1;
inline constexpr int exit_bad_configuration = 2;

/// Runs a server of this configuration, which was read from there, until a signal ends it. Precondition: no problems in
/// it. Returns the exit status.
int run(configuration, configuration_sources, const blocked_signals&);

} // namespace turnd
