#pragma once
/// Signals as values: blocked in every thread, waited for by one.

#include <chrono>
#include <csignal>
#include <optional>

namespace turnd {

/// `drain` is what the process asks of itself (SIGUSR2): like the first `end`, but a second one changes nothing.
enum class signal_kind { end, write_counters, reload, drain };

/// SIGTERM, SIGINT, SIGUSR1, SIGUSR2 and SIGHUP from its making on. Make it before the first thread, which inherits the
/// mask. Restores the mask when it ends.
class blocked_signals {
public:
    blocked_signals();
    ~blocked_signals();
    blocked_signals(const blocked_signals&) = delete;
    blocked_signals& operator=(const blocked_signals&) = delete;

    /// The next signal; nothing when none came in time. Without a time-out it waits for ever.
    std::optional<signal_kind> wait(std::optional<std::chrono::milliseconds> timeout = {}) const;

private:
    sigset_t set_{};
    sigset_t before_{};
};

} // namespace turnd
